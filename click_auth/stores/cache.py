"""Documents from the network, kept in a folder for a while. A cache never fails its user."""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, Any

from click_auth.errors import StorageUnavailable
from click_auth.files import (
    make_private_folder,
    read_private,
    replace_private,
    sweep_leftovers,
)
from click_auth.stores.document import UNREADABLE, json_bytes, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

DEFAULT_MAX_AGE_SECONDS = 24 * 60 * 60.0


class FolderCache:
    """Documents by URL, one file each in *folder*, for *max_age* seconds.

    *trusted* says which certificates are trusted, None for any: a document that came under others
    is none, and what came from anybody is not kept.
    """

    def __init__(
        self,
        folder: Path,
        max_age: float = DEFAULT_MAX_AGE_SECONDS,
        clock: Callable[[], float] = time.time,
        trusted: Callable[[], str | None] = str,
    ) -> None:
        self._folder = folder
        self._trusted = trusted
        self._max_age = max_age
        self._clock = clock

    def load(self, url: str) -> Mapping[str, Any] | None:
        """Return the document of *url* if it is young enough. Never raises."""
        with contextlib.suppress(StorageUnavailable, *UNREADABLE):
            entry = loads(read_private(self._file_of(url)) or b"null")
            if isinstance(entry, dict) and self._is_good(entry, url):
                return entry["document"]  # type: ignore[no-any-return]
        return None

    def save(self, url: str, document: Mapping[str, Any]) -> None:
        """Keep *document*. Never raises: a cache that cannot be written is no error."""
        entry = {"url": url, "saved_at": self._clock(), "document": dict(document)}
        with contextlib.suppress(StorageUnavailable, *UNREADABLE):
            entry["trusted"] = self._trusted()
            if entry["trusted"] is None:
                return
            make_private_folder(self._folder)
            sweep_leftovers(self._file_of(url))  # another's unfinished one is no loss
            replace_private(self._file_of(url), json_bytes(entry))

    def forget(self, url: str) -> None:
        """Drop the document of *url*. Never raises."""
        with contextlib.suppress(OSError):
            self._file_of(url).unlink()

    def _is_good(self, entry: Mapping[str, Any], url: str) -> bool:
        saved_at, now = entry.get("saved_at"), self._clock()
        is_meant = entry.get("url") == url and entry.get("trusted") == self._trusted() is not None
        if not is_meant or not isinstance(entry.get("document"), dict):
            return False
        return isinstance(saved_at, (int, float)) and now - self._max_age < saved_at <= now

    def _file_of(self, url: str) -> Path:
        digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / f"{digest}.json"
