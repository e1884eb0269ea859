"""The journal: every request that reached the test server."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from click_auth.testing.messages import Request

if TYPE_CHECKING:
    from click_auth.testing.messages import Endpoint


@dataclass(frozen=True)
class JournalEntry(Request):
    """A request and the status that it was answered with; None: it got no answer."""

    status: int | None = None


class Journal(list[JournalEntry]):
    """Entries that may be read while the server runs; each is there before its answer is sent."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def __repr__(self) -> str:
        lines = (f"{entry.method} {entry.path} {entry.status}" for entry in self)
        return f"Journal({', '.join(lines)})"

    def snapshot(self) -> list[JournalEntry]:
        """Return a list of what there is now."""
        return list(self)

    def add(self, request: Request, status: int | None) -> None:
        """Append an entry and wake whoever waits for one."""
        with self._changed:
            self.append(JournalEntry(**vars(request), status=status))
            self._changed.notify_all()

    def posts(
        self, endpoint: Endpoint | None = None, *, grant_type: str | None = None
    ) -> list[JournalEntry]:
        """Return the POST requests to an endpoint, of one `grant_type` if it is given."""
        return [
            entry
            for entry in self.snapshot()
            if entry.method == "POST"
            and endpoint in (None, entry.endpoint)
            and grant_type in (None, entry.form.get("grant_type"))
        ]

    def wait_for(
        self, endpoint: Endpoint, *, count: int = 1, timeout: float = 5.0
    ) -> list[JournalEntry]:
        """Wait for `count` requests; raises `TimeoutError` after `timeout` seconds."""

        def found() -> list[JournalEntry]:
            return [entry for entry in self if entry.endpoint == endpoint]

        with self._changed:
            if self._changed.wait_for(lambda: len(found()) >= count, timeout):
                return found()
            raise TimeoutError(f"{endpoint}: {len(found())} of {count} requests")
