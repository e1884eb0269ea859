"""Where tokens are to go, and whether the keyring answers."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from click_auth.doctor.examination import trouble
from click_auth.doctor.subject import document_of, store_of
from click_auth.errors import StorageUnavailable
from click_auth.records import SYSTEM
from click_auth.results import Check, Verdict
from click_auth.stores.keyring_store import KeyringTokenStore
from click_auth.stores.system_vault import SystemVault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.core import Core

_EMPTY_SLOT = "doctor"
_SLOW_SECONDS = 1.0
_MEANINGS = {
    "system": "the keyring or an error",
    "fallback": "the keyring, else the record file with a warning",
    "plaintext": "the record file, in plain text",
}


def policy(core: Core) -> Iterator[Check]:
    """Yield the storage policy and where it comes from."""
    if core.settings.store is not None:
        yield Check("storage", type(core.settings.store).__name__, "Auth(store=)")
        return
    configured = core.environment.storage  # raises where it is none
    chosen = configured or core.settings.storage
    source = core.environment.name("AUTH_STORAGE") if configured else "Auth(storage=)"
    yield Check("storage", f"{chosen}: {_MEANINGS.get(chosen, 'unknown')}", source)


def keyring(core: Core) -> Iterator[Check]:
    """Yield which keyring is in use, and how fast it reads a slot that does not exist."""
    store = store_of(core)
    if not isinstance(store, KeyringTokenStore):
        yield Check("keyring backend", "not used", type(store).__name__)
        return
    verdict = _verdict_without_keyring(core, store)
    if verdict == "ok":
        yield Check("keyring backend", "not used", "storage policy")
        return
    source = "PYTHON_KEYRING_BACKEND" if os.environ.get("PYTHON_KEYRING_BACKEND") else "detected"
    vault = SystemVault(store.service)
    name = "keyring backend"
    try:
        vault.check()
        yield Check(name, vault.backend_name, source)
        name, started = "keyring read", time.monotonic()
        vault.get(_EMPTY_SLOT)
        yield _answered(time.monotonic() - started)
    except StorageUnavailable as error:
        yield trouble(name, error, source, verdict=verdict)


def _answered(seconds: float) -> Check:
    value = f"an empty slot in {seconds * 1000:.0f} ms"
    if seconds < _SLOW_SECONDS:
        return Check("keyring read", value, "measured")
    return Check("keyring read", value, "measured", "warn", "Each command waits that long.")


def _verdict_without_keyring(core: Core, store: KeyringTokenStore) -> Verdict:
    """Return how bad it is if there is no keyring to be used."""
    if store.storage == "system" or _holds_accounts(core):
        return "fail"
    return "ok" if store.storage == "plaintext" else "warn"


def _holds_accounts(core: Core) -> bool:
    try:
        document = document_of(core)
    except StorageUnavailable:
        return False
    return document is not None and any(
        record.storage == SYSTEM for record in document.records.values()
    )
