"""The operating system's keyring as a vault: whole secrets, however little one slot holds."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from click_auth.errors import STORE_WRITE_FAILED
from click_auth.stores import chunks
from click_auth.stores.keychain import Keychain, seconds_per_call
from click_auth.stores.trouble import KeyringTrouble, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENT_SECONDS = 60.0

_CAREFUL_LIMIT = 1200  # characters; for a backend that chokes on longer secrets
_SPLITTABLE: tuple[Kind, ...] = ("truncating", "lying", "failing")


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Give the code of a failed write to whatever fails within the block, a read included."""
    try:
        yield
    except KeyringTrouble as trouble:
        trouble.code = STORE_WRITE_FAILED
        raise


class SystemVault:
    """The secrets of one application, each in a service of its own, `<app>/<slot>`."""

    def __init__(self, app_name: str) -> None:
        self._keychain = Keychain(app_name)
        self._learned_limit: int | None = None

    @property
    def backend_name(self) -> str:
        """The backend's class, dotted; "unknown" until it was touched."""
        return self._keychain.backend.name

    @property
    def origin(self) -> str | None:
        """The backend's class, where keyring finds it by its name."""
        return self._keychain.backend.origin

    def get(self, slot: str, origin: str | None = None) -> str | None:
        """Return the secret in *slot*, None where there is none.

        *origin* is the backend it was written with; then no search for a backend is needed,
        unless the secret is not there: it may have moved.
        """
        self._keychain.remember(origin)
        secret = chunks.load(self._keychain, slot).secret
        if secret is None and self._keychain.search_anew():
            secret = chunks.load(self._keychain, slot).secret
        return secret

    @_writing()
    def set(self, slot: str, secret: str) -> str | None:
        """Put *secret* into *slot*, read it back, and return what the slot held before.

        A secret that is there already is not written again: on macOS a write takes back what
        the person has allowed.
        """
        loaded = chunks.load(self._keychain, slot)
        if loaded.secret != secret:
            self._store(slot, secret, loaded.head)
        return loaded.secret

    @_writing()
    def delete(self, slot: str) -> None:
        """Empty *slot*. Harmless where it is empty."""
        head = self._keychain.read(slot)
        chunks.drop(self._keychain, slot, head=head, may_be_split=self._limit is not None)

    @_writing()
    def check(self) -> None:
        """Raise `StorageUnavailable` unless there is a backend that is a system keyring."""
        self._keychain.check()

    def probe(self) -> None:
        """Raise `StorageUnavailable` unless the keyring keeps what it is given. It may prompt."""
        slot = f"probe-{os.getpid()}"
        self.set(slot, "probe")
        self.delete(slot)

    @contextlib.contextmanager
    def patiently(self) -> Iterator[None]:
        """Wait PATIENT_SECONDS for each call within the block: a person may have to answer."""
        token = seconds_per_call.set(PATIENT_SECONDS)
        try:
            yield
        finally:
            seconds_per_call.reset(token)

    @property
    def _limit(self) -> int | None:
        return self._keychain.backend.limit or self._learned_limit

    def _store(self, slot: str, secret: str, head: str | None) -> None:
        try:
            chunks.store(self._keychain, slot, secret, head=head, limit=self._limit)
        except KeyringTrouble as trouble:
            could_split = self._limit is None and len(secret) > _CAREFUL_LIMIT
            if not could_split or trouble.kind not in _SPLITTABLE:
                raise
            chunks.store(self._keychain, slot, secret, head=head, limit=_CAREFUL_LIMIT)
            self._learned_limit = _CAREFUL_LIMIT
