"""The to-do lists behind the test server's API, in memory; no I/O."""

from __future__ import annotations

import threading

_FIRST_TASKS = ("Write the notes on the engine", "Check the numbers", "Post the letter")


class TodoLists:
    """One to-do list for each user; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lists: dict[str, list[dict[str, object]]] = {}

    def tasks(self, user: str) -> list[dict[str, object]]:
        """All tasks of a user: `id`, `title`, `done`."""
        with self._lock:
            return [dict(task) for task in self._list(user)]

    def add(self, user: str, title: str) -> dict[str, object]:
        """Append an open task."""
        with self._lock:
            tasks = self._list(user)
            tasks.append({"id": len(tasks) + 1, "title": title, "done": False})
            return dict(tasks[-1])

    def finish(self, user: str, number: int) -> dict[str, object] | None:
        """Mark a task as done; None if there is no such task."""
        with self._lock:
            for task in self._list(user):
                if task["id"] == number:
                    task["done"] = True
                    return dict(task)
            return None

    def _list(self, user: str) -> list[dict[str, object]]:
        first = [
            {"id": number, "title": title, "done": False}
            for number, title in enumerate(_FIRST_TASKS, 1)
        ]
        return self._lists.setdefault(user, first)
