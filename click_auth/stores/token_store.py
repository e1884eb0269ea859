"""What a store of credentials is, to whoever uses or writes one, and the two that there are.

Five methods make a store; the others have working defaults, so that nobody asks what it can do. A
store that knows nothing of refresh keeps access tokens only, and refreshing an account of it
raises AUTH_REFRESH_UNAVAILABLE.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from click_auth.account import Account, StoredAccount, select_account
from click_auth.console import console
from click_auth.defaults import POLICIES
from click_auth.environment import Environment
from click_auth.errors import ACCOUNT_NOT_FOUND, UsageError
from click_auth.record import CUSTOM, TokenBundle
from click_auth.stores.account_store import AccountStore
from click_auth.stores.records import RecordFile, Records
from click_auth.stores.vault import MemoryVault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from click_auth.stores.cipher import KeyGiven
    from click_auth.stores.keyring_vault import KeyringVault


class TokenStore(ABC):
    """Where credentials live. A *ref* is a key, an id or a label; None is the default account.

    Methods block for as long as the place they stand for takes, and raise `StorageUnavailable`
    when it fails and `UsageError` when a *ref* means no account, or several.
    """

    folder: Path | None = None
    """Where lock files go; `Auth` sets it to its own folder where it is None."""

    @abstractmethod
    def active(self, ref: str | None = None) -> str | None:
        """Return the access token of an account, or None where nothing is stored.

        `store.active("ada")`
        """

    @abstractmethod
    def set(self, account: Account, token: str) -> None:
        """Store the access token of *account*, in place of what is there.

        `store.set(Account("ada"), "s3cret")`
        """

    @abstractmethod
    def clear(self, ref: str | None = None) -> None:
        """Remove an account and all its secrets. Harmless where there is none.

        `store.clear("ada")`
        """

    @abstractmethod
    def accounts(self) -> Sequence[StoredAccount]:
        """Return the accounts that are stored.

        `[each.account.label for each in store.accounts() if each.default]`
        """

    @abstractmethod
    def set_default(self, ref: str) -> None:
        """Set the default account.

        `store.set_default("ada")`
        """

    def set_bundle(
        self, account: Account, bundle: TokenBundle, *, promote_default: bool = False
    ) -> None:
        """Store the tokens of *account*; the base class keeps the access token alone.

        `store.set_bundle(Account("ada"), TokenBundle("s3cret", "r3fresh"), promote_default=True)`
        """
        self.set(account, bundle.access_token)
        if promote_default:
            self.set_default(account.key)

    def active_bundle(self, ref: str | None = None) -> TokenBundle | None:
        """Return all tokens of an account, or None where nothing is stored.

        `store.active_bundle("ada").refresh_token`
        """
        token = self.active(ref)
        return None if token is None else TokenBundle(token)

    def active_account(self, ref: str | None = None) -> Account | None:
        """Return the account that *ref* means, or None where nothing is stored.

        `store.active_account("Ada Lovelace").id`
        """
        stored = self.accounts()
        default = next((each.account.key for each in stored if each.default), None)
        return select_account((each.account for each in stored), ref, default=default)

    def lock(self, ref: str) -> AbstractContextManager[object]:
        """Return the lock under which the credential of one account is changed.

        The base class has a lock file in `folder`, shared by every process that uses it.

        `with store.lock("ada"): ...`
        """
        return (Records() if self.folder is None else RecordFile(self.folder)).lock(ref)

    def checks(self) -> Iterable[tuple[str, str, str | None]]:
        """Return what `doctor` says of the place: a name, a value, and a hint where it is not well.

        `yield "server", "version 7.0", None`
        """
        return ()


class RecordedTokenStore(TokenStore):
    """A store of ours: what a `TokenStore` does, done by an `AccountStore`."""

    def __init__(self, accounts: AccountStore) -> None:
        self.account_store: AccountStore = accounts
        """What the library's own modules use."""

    def active(self, ref: str | None = None) -> str | None:
        """Return the access token of an account, or None where nothing is stored."""
        record = self.account_store.record(ref)
        return None if record is None else self.account_store.access_token(record)

    def set(self, account: Account, token: str) -> None:
        """Store the access token of *account*, in place of what is there."""
        self.set_bundle(account, TokenBundle(token))

    def clear(self, ref: str | None = None) -> None:
        """Remove an account and all its secrets. Harmless where there is none."""
        try:
            record = self.account_store.record(ref)
        except UsageError as error:
            if error.code != ACCOUNT_NOT_FOUND:
                raise
            return
        left = None if record is None else self.account_store.forget(record.key)
        if left is not None:
            console.current().warn(left)

    def accounts(self) -> Sequence[StoredAccount]:
        """Return the accounts that are stored."""
        accounts, default = self.account_store.listing()
        return [StoredAccount(each, default=each.key == default) for each in accounts]

    def set_default(self, ref: str) -> None:
        """Set the default account."""
        self.account_store.set_default(ref)

    def set_bundle(
        self, account: Account, bundle: TokenBundle, *, promote_default: bool = False
    ) -> None:
        """Store the tokens of *account*, in place of what is there."""
        self.account_store.log_in(account, bundle, is_default=promote_default)

    def active_bundle(self, ref: str | None = None) -> TokenBundle | None:
        """Return all tokens of an account, or None where nothing is stored."""
        record = self.account_store.record(ref)
        return None if record is None else self.account_store.credential(record)

    def active_account(self, ref: str | None = None) -> Account | None:
        """Return the account that *ref* means, or None where nothing is stored."""
        record = self.account_store.record(ref)
        return None if record is None else record.account

    def lock(self, ref: str) -> AbstractContextManager[object]:
        """Return the lock under which the credential of one account is changed."""
        return self.account_store.lock(ref)


class KeyringTokenStore(RecordedTokenStore):
    """Tokens in the system's keyring under *service*, records in `auth.json` in *folder*.

    *folder* is by default where the application named *service* keeps such things. *storage* is
    the policy: "system", "fallback" (to the record file, sealed or loudly), "encrypted" or
    "plaintext" (in the record file). *key* is what `Auth` takes. *clock* tells POSIX seconds.
    *environ* is where the person's own settings are looked up, by default the process's
    environment. No I/O until used.
    """

    def __init__(
        self,
        service: str,
        *,
        folder: Path | str | None = None,
        storage: str = "fallback",
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] | None = None,
        key: KeyGiven | None = None,
    ) -> None:
        if storage not in POLICIES:
            raise ValueError(f"storage must be one of {', '.join(POLICIES)}, not {storage!r}")
        self.service = service
        self.storage = storage
        self._environment = Environment(service, environ)
        own = self._environment.folder if folder is None else self._environment.expanded(folder)
        self._has_own_folder = folder is not None
        super().__init__(
            AccountStore(RecordFile(own), self._make_vault, storage, clock, self._environment, key)
        )

    def _make_vault(self) -> KeyringVault:
        from click_auth.stores.keyring_vault import KeyringVault  # noqa: PLC0415 - for tokens only

        return KeyringVault(self.service, self._environment.keyring_timeout)

    @property
    def folder(self) -> Path | None:
        """The folder that was chosen for this store, None where nobody chose one."""
        path = self.account_store.records.path
        return path.parent if path is not None and self._has_own_folder else None

    @folder.setter
    def folder(self, folder: Path | None) -> None:
        self._has_own_folder = folder is not None
        if folder is not None:
            self.account_store.records = RecordFile(folder)


class MemoryTokenStore(RecordedTokenStore):
    """Tokens and records in memory; neither a disk nor a keyring is touched. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(AccountStore(Records(), MemoryVault, CUSTOM, clock))
