"""The store that is looked at, even where a setting keeps the application from using it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.errors import AuthError
from click_auth.stores.recorded import RecordedTokenStore

if TYPE_CHECKING:
    from pathlib import Path

    from click_auth.core import Core
    from click_auth.stores.base import TokenStore
    from click_auth.stores.document import Document


def store_of(core: Core) -> TokenStore:
    """Return the application's store.

    Where the environment asks for a policy that is none, it has the application's own policy.
    """
    try:
        return core.store
    except AuthError:
        return core.store_with(core.settings.storage)


def folder_of(core: Core) -> Path:
    """Return the folder of the records and locks."""
    return store_of(core).folder or core.folder


def document_of(core: Core) -> Document | None:
    """Return the records, None where the store keeps none. Raises `StorageUnavailable`."""
    store = store_of(core)
    return store.records.document() if isinstance(store, RecordedTokenStore) else None
