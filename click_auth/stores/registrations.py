"""Dynamically registered clients: what is public in the record file, secrets as tokens are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click_auth.account import safe_name
from click_auth.console import console
from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable
from click_auth.locks.account_lock import LockBusy
from click_auth.record import ENCRYPTED, PLAINTEXT, SYSTEM
from click_auth.stores.document import UNREADABLE, loads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.stores.records import Storage

_SECRETS = ("client_secret", "registration_access_token")
_PLACE = "storage"
_SEALED = "sealed"


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
        try:
            sealed = public.pop(_SEALED, None)
            secrets = loads(
                self._storage.sealer.open(str(sealed), _slot(name))
                if stored[_PLACE] == ENCRYPTED
                else self._storage.vault.get(_slot(name)) or "null"
            )
        except UNREADABLE:
            return None
        return {**public, **secrets} if isinstance(secrets, dict) else None

    def save(self, name: str, registration: Mapping[str, Any]) -> None:
        """Keep *registration* under *name*: secrets first, so that none is missing afterwards."""
        secrets = {field: registration[field] for field in _SECRETS if registration.get(field)}
        stored = dict(registration)
        if secrets:
            stored[_PLACE] = self._place_of(name, secrets)
            if stored[_PLACE] != PLAINTEXT:
                stored = {field: stored[field] for field in stored if field not in secrets}
            if stored[_PLACE] == ENCRYPTED:
                stored[_SEALED] = self._storage.sealer.seal(json.dumps(secrets), _slot(name))
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

    def _place_of(self, name: str, secrets: Mapping[str, Any]) -> str:
        """Put *secrets* into the vault, unless they go into the records; return where they are."""
        policy = self._storage.policy
        if policy in (PLAINTEXT, ENCRYPTED):
            return policy
        try:
            self._storage.vault.set(_slot(name), json.dumps(secrets))
        except StorageUnavailable as trouble:
            if policy == SYSTEM:
                raise
            if self._storage.cipher is not None:
                return ENCRYPTED
            console.current().warn(
                f"The client secret is stored unencrypted in {self._storage.records.path}, "
                f"not in the keyring: {trouble.message}"
            )
            return PLAINTEXT
        return SYSTEM


def _slot(name: str) -> str:
    return f"client-{safe_name(name)}"
