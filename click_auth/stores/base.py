"""What a credential store is.

Five methods make a store; everything else has a working default, so that nobody who uses a
store asks what it can do. A store that knows nothing of refresh keeps access tokens only, and
refreshing an account of it raises AUTH_REFRESH_UNAVAILABLE.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from click_auth.account import select_account
from click_auth.record import CUSTOM, Record
from click_auth.stores.records import Reserve
from click_auth.tokens import TokenBundle, to_posix, usable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from click_auth.account import Account, StoredAccount
    from click_auth.providers.context import Registrations

UNBOUND: tuple[None, None] = (None, None)

MIGRATED = "done"
"""The marker of a migration that has ended."""


class Superseded(Exception):
    """The record is no longer the one that was read; nothing was changed."""


class TokenStore(ABC):
    """Where credentials live. A *ref* is a key, an id or a label; None is the default account.

    Methods block for as long as the place they stand for takes, and raise `StorageUnavailable`
    when it fails and `UsageError` when a *ref* means no account, or several.
    """

    folder: Path | None = None
    """Where lock files go; `Auth` sets it to its own folder where it is None."""

    @abstractmethod
    def active(self, ref: str | None = None) -> str | None:
        """Return the access token of an account, or None where nothing is stored."""

    @abstractmethod
    def set(self, account: Account, token: str) -> None:
        """Store the access token of *account*, in place of what is there."""

    @abstractmethod
    def clear(self, ref: str | None = None) -> None:
        """Remove an account and all its secrets. Harmless where there is none."""

    @abstractmethod
    def accounts(self) -> Sequence[StoredAccount]:
        """Return the accounts that are stored."""

    @abstractmethod
    def set_default(self, ref: str) -> None:
        """Make an account the default one."""

    def set_bundle(
        self, account: Account, bundle: TokenBundle, *, promote_default: bool = False
    ) -> None:
        """Store the tokens of *account*; the default store keeps the access token alone."""
        self.set(account, bundle.access_token)
        if promote_default:
            self.set_default(account.key)

    def active_bundle(self, ref: str | None = None) -> TokenBundle | None:
        """Return all tokens of an account, or None where nothing is stored."""
        token = self.active(ref)
        return None if token is None else TokenBundle(token)

    def active_account(self, ref: str | None = None) -> Account | None:
        """Return the account that *ref* means, or None where nothing is stored."""
        record = self.record(ref)
        return None if record is None else record.account

    def lock(self, ref: str) -> contextlib.AbstractContextManager[object]:
        """Return the lock under which the credential of one account is changed.

        The default is a lock file in `folder`, shared by every process that uses it.
        """
        if self.lock_folder is None:
            return contextlib.nullcontext()
        from click_auth.locks.account_lock import account_lock  # noqa: PLC0415 - for whoever writes

        return account_lock(self.lock_folder, ref)

    # What the stories of login, refresh and logout ask. A store that keeps records overrides it.

    @property
    def lock_folder(self) -> Path | None:
        """The folder whose `locks` hold the lock files, None where there are none."""
        return self.folder

    def outlast_others(self, key: str, deadline: float) -> bool:
        """Wait, without taking it, while another process is seen to be on an account's lock.

        Returns whether there was one. *deadline* is in monotonic seconds.
        """
        if self.lock_folder is None:
            return False
        from click_auth.locks.account_lock import wait_for_others  # noqa: PLC0415 - for whoever writes

        return wait_for_others(self.lock_folder, key, deadline)

    def listing(self) -> tuple[Sequence[Account], str | None]:
        """Return the accounts that are stored and the default account's key."""
        stored = self.accounts()
        default = next((each.account.key for each in stored if each.default), None)
        return [each.account for each in stored], default

    def default(self) -> str | None:
        """Return the key of the default account."""
        return self.listing()[1]

    def damaged(self) -> Sequence[str]:
        """Return the keys of accounts whose records cannot be used."""
        return ()

    def sweep(self) -> None:
        """Delete, as far as it works now, what `pending_removals` names. Never raises."""

    def pending_removals(self) -> Sequence[str]:
        """Return the keys of removed accounts whose secrets may still lie where they were."""
        return ()

    def record(self, ref: str | None = None, *, instance: str | None = None) -> Record | None:
        """Return what is known of an account without touching a secret, or None.

        Raises `UsageError` as `select_account` does.
        """
        accounts, default = self.listing()
        chosen = select_account(accounts, ref, default=default, instance=instance)
        if chosen is None:
            return None
        knows_of_refresh = type(self).active_bundle is not TokenStore.active_bundle
        return _custom(chosen, has_refresh_token=None if knows_of_refresh else False)

    def record_of(self, key: str) -> Record | None:
        """Return the record of exactly this account, None where it is not stored."""
        if all(each.key != key for each in self.listing()[0]):
            return None
        return self.record(key)

    def credential(self, record: Record) -> TokenBundle | None:
        """Return all tokens that belong to *record*, the refresh token included."""
        return self.active_bundle(record.key)

    def access_token(self, record: Record) -> str | None:
        """Return the access token that belongs to *record*, and touch no other secret.

        None where there is none that could be sent.
        """
        return usable(self.active(record.key))

    def refresh_token(self, record: Record) -> str | None:
        """Return the refresh token that belongs to *record*, None as for `access_token`."""
        bundle = self.credential(record)
        return None if bundle is None else usable(bundle.refresh_token)

    def patiently(self) -> contextlib.AbstractContextManager[None]:
        """Return a block within which the store waits as long as a person takes to unlock it."""
        return contextlib.nullcontext()

    def registrations(self) -> Registrations:
        """Return where dynamically registered clients are kept; by default this process alone."""
        from click_auth.providers.context import InMemory  # noqa: PLC0415 - HTTP's modules

        return InMemory()

    def check_writable(self, key: str | None = None) -> None:
        """Find out before a grant is spent whether its result can be stored.

        *key* names an account whose credential is about to be replaced. Raises
        `StorageUnavailable` where it certainly cannot.
        """

    @contextlib.contextmanager
    def reserve(self, record: Record, grant: TokenBundle | None = None) -> Iterator[Reserve]:
        """Hold room for what a refresh of *record* brings: the block may spend its *grant*.

        *grant* is the refresh token as it was just read. `rotate` is given what this yields.
        Raises `StorageUnavailable` where the result certainly cannot be stored.
        """
        self.check_writable(record.key)
        yield Reserve()

    def adopt(self, key: str) -> None:
        """Store what a refresh could only keep in its `Reserve`. Call it under the account's lock.

        Raises `StorageUnavailable` where that fails still.
        """

    def log_in(
        self,
        account: Account,
        bundle: TokenBundle,
        binding: tuple[str | None, str | None] = UNBOUND,
    ) -> Record:
        """Store a new grant, make its account the default one, and return its record.

        Whatever fails, what was stored before is still there.
        """
        self.set_bundle(account, bundle, promote_default=True)
        expires_at = to_posix(bundle.expires_at)
        return _custom(account, access_token_expires_at=expires_at)

    def rotate(
        self, expected: Record, bundle: TokenBundle, reserve: Reserve | None = None
    ) -> Record:
        """Store what a refresh yielded in place of *expected*, and return the new record.

        The account is as *expected* names it now. What cannot be stored is kept in *reserve*.
        Raises `Superseded` when the stored record is not *expected* any more.
        """
        if self.active_account(expected.key) is None:
            raise Superseded
        self.set_bundle(expected.account, bundle)
        expires_at = to_posix(bundle.expires_at)
        return _custom(expected.account, access_token_expires_at=expires_at)

    def reject(self, record: Record) -> None:
        """Remember that the server called the grant of *record* dead."""

    def forget(self, key: str) -> str | None:
        """Remove an account and its secrets; return what could not be removed, as a sentence."""
        self.clear(key)
        return None

    def migration(self, name: str) -> str | None:
        """Return the durable marker of a migration, None where it was not begun."""
        return None

    def mark_migration(self, name: str, state: str) -> None:
        """Set the marker of a migration; a store without records keeps none."""

    def insert_migrated(self, record: Record, name: str, state: str) -> bool:
        """Insert a record where its account has none, with the marker of its migration.

        Return whether it was inserted. *record* carries its tokens as fallback tokens.
        """
        if any(each.key == record.key for each in self.listing()[0]):
            return False
        bundle = TokenBundle(record.fallback_token or "", record.fallback_refresh_token)
        self.set_bundle(record.account, bundle, promote_default=True)
        return True

    def stamp(self) -> object:
        """Return something cheap that differs once another process has written."""
        return None


def _custom(account: Account, **known: Any) -> Record:
    return Record(account, generation=0, storage=CUSTOM, **known)
