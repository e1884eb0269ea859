"""The one adapter: a `TokenStore` of an application's own, as the stories see a store."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from click_auth.account import Account, slot_name
from click_auth.defaults import UNBOUND, Binding
from click_auth.record import CUSTOM, Record, TokenBundle, to_posix, usable
from click_auth.stores.account_store import AccountStore, Superseded
from click_auth.stores.document import Document
from click_auth.stores.records import Records
from click_auth.stores.token_store import RecordedTokenStore, TokenStore
from click_auth.stores.vault import MemoryVault
from click_auth.stores.writes import Removal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.stores.placement import Reserve


def adapt(store: TokenStore) -> AccountStore:
    """Return what the stories use of *store*."""
    return store.account_store if isinstance(store, RecordedTokenStore) else ForeignStore(store)


class ForeignRecords(Records):
    """A record for each account of a store that keeps none: nothing is known but whose it is."""

    def __init__(self, store: TokenStore) -> None:
        super().__init__()
        self._store = store
        self._held: dict[str, object] = {}

    def document(self, content: bytes | None = None) -> Document:
        """Return the accounts of the store."""
        del content
        document = Document()
        has_bundles = type(self._store).active_bundle is not TokenStore.active_bundle
        for each in self._store.accounts():
            document.records[each.account.key] = Record(
                each.account,
                generation=0,
                storage=CUSTOM,
                has_refresh_token=None if has_bundles else False,
            )
            if each.default:
                document.default = each.account.key
        return document

    @contextlib.contextmanager
    def transaction(self, *, repair: bool = False) -> Iterator[Document]:
        """Forget what is changed: only tokens, accounts and a default are kept."""
        del repair
        yield self.document()

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[object]:
        """Hold the store's own lock."""
        with self._store.lock(key) as held:
            self._held[key] = held
            try:
                yield held
            finally:
                self._held.pop(key, None)

    def confirm(self, key: str) -> None:
        """Ask the lock whether it is still held."""
        getattr(self._held.get(key), "check", bool)()  # not every lock can be lost

    def stamp(self) -> None:
        """Return None: nobody can tell."""


class ForeignStore(AccountStore):
    """An application's own store."""

    def __init__(self, store: TokenStore) -> None:
        super().__init__(ForeignRecords(store), MemoryVault, CUSTOM)
        self.foreign = store

    def _secret(self, record: Record, slot: str, in_record: str | None) -> str | None:
        """Return a token of the account; one that nobody could send is none."""
        del in_record
        if slot == slot_name(record.key):
            return usable(self.foreign.active(record.key))
        bundle = self.foreign.active_bundle(record.key)
        return None if bundle is None else usable(bundle.refresh_token)

    def log_in(
        self,
        account: Account,
        bundle: TokenBundle,
        binding: Binding = UNBOUND,
        *,
        is_default: bool = True,
    ) -> Record:
        """Store a new grant and return its record."""
        del binding
        self.foreign.set_bundle(account, bundle, promote_default=is_default)
        return _made(account, bundle)

    def rotate(
        self, expected: Record, bundle: TokenBundle, reserve: Reserve | None = None
    ) -> Record:
        """Store what a refresh yielded, and return the new record. Raises `Superseded`."""
        del reserve
        if self.record_of(expected.key) is None:
            raise Superseded
        self.foreign.set_bundle(expected.account, bundle)
        return _made(expected.account, bundle)

    def set_default(self, ref: str) -> None:
        """Set the default account."""
        self.foreign.set_default(ref)

    def take_out(self, key: str) -> Removal:
        """Return the account; the store removes it when the removal is finished."""
        return _ForeignRemoval(self, key)

    def insert_migrated(self, record: Record, name: str, state: str) -> bool:
        """Insert an account where it is not stored; no marker is kept."""
        del name, state
        if self.record_of(record.key) is not None:
            return False
        bundle = TokenBundle(record.fallback_token or "", record.fallback_refresh_token)
        self.foreign.set_bundle(record.account, bundle, promote_default=True)
        return True

    def registrations(self) -> None:
        """Return None: registered clients live as long as the process."""


class _ForeignRemoval(Removal):
    _storage: ForeignStore

    def finish(self) -> None:
        """Let the store remove the account and its secrets."""
        self._storage.foreign.clear(self._key)


def _made(account: Account, bundle: TokenBundle) -> Record:
    expires_at = to_posix(bundle.expires_at)
    return Record(account, generation=0, storage=CUSTOM, access_token_expires_at=expires_at)
