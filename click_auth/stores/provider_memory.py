"""What providers remember between processes: documents from the network, and registered clients."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from click_auth.account import safe_name
from click_auth.console import console
from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable
from click_auth.files import make_private_folder, read_private, replace_private, sweep_leftovers
from click_auth.locks.lock_file import LockBusy
from click_auth.record import ENCRYPTED, IN_RECORD, PLAINTEXT, SYSTEM
from click_auth.stores.document import UNREADABLE, json_bytes, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from click_auth.stores.placement import Storage

DEFAULT_MAX_AGE_SECONDS = 24 * 60 * 60.0

_SECRETS = ("client_secret", "registration_access_token")
_PLACE = "storage"
_SEALED = "sealed"


@dataclass(eq=False, repr=False)
class FolderCache:
    """Documents by URL, one file each in *folder*, for *max_age* seconds. It never fails its user.

    *trusted* says which certificates are trusted, None for any: a document that came under others
    is none, and what came from anybody is not kept.
    """

    folder: Path
    max_age: float = DEFAULT_MAX_AGE_SECONDS
    clock: Callable[[], float] = time.time
    trusted: Callable[[], str | None] = str

    def load(self, url: str) -> Mapping[str, Any] | None:
        """Return the document of *url* if it is young enough. Never raises."""
        with contextlib.suppress(StorageUnavailable, *UNREADABLE):
            entry = loads(read_private(self._file_of(url)) or b"null")
            if isinstance(entry, dict) and self._is_good(entry, url):
                return entry["document"]  # type: ignore[no-any-return]
        return None

    def save(self, url: str, document: Mapping[str, Any]) -> None:
        """Keep *document*. Never raises: a cache that cannot be written is no error."""
        entry = {"url": url, "saved_at": self.clock(), "document": dict(document)}
        with contextlib.suppress(StorageUnavailable, *UNREADABLE):
            entry["trusted"] = self.trusted()
            if entry["trusted"] is None:
                return
            make_private_folder(self.folder)
            sweep_leftovers(self._file_of(url))  # another's unfinished one is no loss
            replace_private(self._file_of(url), json_bytes(entry))

    def forget(self, url: str) -> None:
        """Drop the document of *url*. Never raises."""
        with contextlib.suppress(OSError):
            self._file_of(url).unlink()

    def _is_good(self, entry: Mapping[str, Any], url: str) -> bool:
        saved_at, now = entry.get("saved_at"), self.clock()
        is_meant = entry.get("url") == url and entry.get("trusted") == self.trusted() is not None
        if not is_meant or not isinstance(entry.get("document"), dict):
            return False
        return isinstance(saved_at, (int, float)) and now - self.max_age < saved_at <= now

    def _file_of(self, url: str) -> Path:
        digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        return self.folder / f"{digest}.json"


class StoredRegistrations:
    """Registered clients under `clients` of the records; secrets where tokens go."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def load(self, name: str) -> Mapping[str, Any] | None:
        """Return the registration saved under *name*, None where it or its secret is gone."""
        stored = self._storage.records.document().clients.get(name)
        if not isinstance(stored, dict):
            return None
        public = {field: value for field, value in stored.items() if field != _PLACE}
        if stored.get(_PLACE) not in (SYSTEM, ENCRYPTED):
            return public
        sealed = public.pop(_SEALED, None)
        with contextlib.suppress(*UNREADABLE):
            if stored[_PLACE] == ENCRYPTED:
                secrets = loads(self._storage.sealer.open(str(sealed), _slot(name)))
            else:
                secrets = loads(self._storage.vault.get(_slot(name)) or "null")
            return {**public, **secrets} if isinstance(secrets, dict) else None
        return None

    def save(self, name: str, registration: Mapping[str, Any]) -> None:
        """Keep *registration* under *name*: secrets first, so that none is missing afterwards."""
        secrets = {field: registration[field] for field in _SECRETS if registration.get(field)}
        stored = {field: registration[field] for field in registration if field not in secrets}
        if secrets:
            text = json.dumps(secrets)
            stored[_PLACE] = self._place_of(name, text)
            if stored[_PLACE] == PLAINTEXT:
                stored |= secrets
            elif stored[_PLACE] == ENCRYPTED:
                stored[_SEALED] = self._storage.sealer.seal(text, _slot(name))
        with self._storage.records.transaction() as draft:
            draft.clients[name] = stored

    def insert(self, name: str, registration: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep *registration* unless there is one under *name*; return the one that is kept.

        Of several processes that log in for the first time at once, all go on with one.
        """
        try:
            with self._storage.records.lock(_slot(name)):
                known = self.load(name)
                if known is None:
                    self.save(name, registration)
                return known or registration
        except LockBusy as busy:
            raise StorageUnavailable(f"{busy}.", code=STORE_WRITE_FAILED) from None

    def forget(self, name: str) -> None:
        """Drop the registration *name* and its secrets."""
        with self._storage.records.transaction() as draft:
            stored = draft.clients.pop(name, None)
        if isinstance(stored, dict) and stored.get(_PLACE) == SYSTEM:
            self._storage.vault.delete(_slot(name))

    def _place_of(self, name: str, secrets: str) -> str:
        """Put *secrets* into the vault, unless they go into the records; return where they are."""
        policy = self._storage.policy
        if policy in IN_RECORD:
            return policy
        try:
            self._storage.vault.set(_slot(name), secrets)
        except StorageUnavailable as fault:
            if policy == SYSTEM:
                raise
            if self._storage.cipher is not None:
                return ENCRYPTED
            console.current().warn(
                f"The client secret is stored unencrypted in {self._storage.records.path}, "
                f"not in the keyring: {fault.message}"
            )
            return PLAINTEXT
        return SYSTEM


def _slot(name: str) -> str:
    return f"client-{safe_name(name)}"
