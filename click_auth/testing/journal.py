"""The journal: every request that reached the test server."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from click_auth.testing.typed import override

if TYPE_CHECKING:
    from click_auth.testing.messages import Endpoint


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One request; `status` is None if it got no answer, `at` is monotonic seconds at arrival."""

    method: str
    path: str
    endpoint: Endpoint
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    status: int | None
    at: float


class Journal(Sequence[JournalEntry]):
    """Entries that may be read while the server runs; each is there before its answer is sent."""

    def __init__(self) -> None:
        self._entries: list[JournalEntry] = []
        self._changed = threading.Condition()

    @overload
    def __getitem__(self, index: int) -> JournalEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[JournalEntry]: ...
    @override
    def __getitem__(self, index: int | slice) -> JournalEntry | Sequence[JournalEntry]:
        return self.snapshot()[index]

    @override
    def __len__(self) -> int:
        return len(self._entries)

    @override
    def __repr__(self) -> str:
        lines = (f"{entry.method} {entry.path} {entry.status}" for entry in self.snapshot())
        return f"Journal({', '.join(lines)})"

    def snapshot(self) -> list[JournalEntry]:
        """Return a list of what there is now."""
        with self._changed:
            return list(self._entries)

    def add(self, entry: JournalEntry) -> None:
        """Append an entry and wake whoever waits for one."""
        with self._changed:
            self._entries.append(entry)
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget all entries."""
        with self._changed:
            self._entries.clear()

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
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = [entry for entry in self._entries if entry.endpoint == endpoint]
                left = deadline - time.monotonic()
                if len(found) >= count:
                    return found
                if left <= 0:
                    raise TimeoutError(f"{endpoint}: {len(found)} of {count} requests")
                self._changed.wait(left)
