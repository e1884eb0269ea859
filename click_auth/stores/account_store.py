"""A store that keeps records in one place and secrets in another."""

from __future__ import annotations

import contextlib
import time
from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from click_auth.account import refresh_slot_name, select_account, slot_name
from click_auth.console import console
from click_auth.errors import ACCOUNT_NOT_FOUND, NotLoggedIn, StorageUnavailable, UsageError
from click_auth.record import PLAINTEXT, SYSTEM
from click_auth.stores.base import UNBOUND, TokenStore
from click_auth.stores.records import Reserve, is_same_credential
from click_auth.tokens import TokenBundle, usable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from click_auth.account import Account, StoredAccount
    from click_auth.record import Record
    from click_auth.stores.records import Records
    from click_auth.stores.registrations import StoredRegistrations
    from click_auth.stores.vault import Vault

PATIENT_SECONDS = 60.0


class AccountStore(TokenStore):
    """Tokens in a vault or, as *policy* says, in *records*. *clock* tells POSIX seconds."""

    def __init__(
        self, records: Records, policy: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.records = records
        self.policy = policy
        self.clock = clock
        self._said: set[str] = set()

    @property
    @abstractmethod
    def vault(self) -> Vault:
        """Where the tokens lie that are not in the records."""

    # Reading

    def record(self, ref: str | None = None, *, instance: str | None = None) -> Record | None:
        """Return what is known of an account without touching a secret, or None."""
        if ref is not None:
            exact = self.records.glance(ref)  # 10,000 accounts cost nothing where a key is given
            is_meant = exact is not None and instance in (None, exact.instance)
            return exact if is_meant else self._selected(ref, instance)
        found = self.records.find(None) if instance is None else None
        return found or self._selected(None, instance)

    def _selected(self, ref: str | None, instance: str | None) -> Record | None:
        document = self.records.document()
        if ref is not None and (reason := document.records.reason(ref)) is not None:
            raise self.records.damage(ref, reason)
        accounts = document.records.accounts()
        chosen = select_account(accounts, ref, default=document.default, instance=instance)
        return None if chosen is None else document.records[chosen.key]

    def record_of(self, key: str) -> Record | None:
        """Return the record of exactly this account, None where it is not stored."""
        return self.records.find(key)

    def listing(self) -> tuple[Sequence[Account], str | None]:
        """Return the accounts that are stored and the default account's key."""
        document = self.records.document()
        for key, reason in document.records.bad.items():
            message = self.records.damage(key, reason).message
            if message not in self._said:
                self._said.add(message)
                console.current().warn(message)
        default = document.default if document.default in document.records else None
        return document.records.accounts(), default

    def default(self) -> str | None:
        """Return the key of the default account, without a look at any."""
        return self.records.default()

    def damaged(self) -> Sequence[str]:
        """Return the keys of accounts whose records cannot be used."""
        return tuple(self.records.document().records.bad)

    def accounts(self) -> Sequence[StoredAccount]:
        """Return the accounts that are stored."""
        from click_auth.account import StoredAccount  # noqa: PLC0415 - for applications only

        accounts, default = self.listing()
        return [StoredAccount(each, default=each.key == default) for each in accounts]

    def active(self, ref: str | None = None) -> str | None:
        """Return the access token of an account, or None where nothing is stored."""
        record = self.record(ref)
        return None if record is None else self.access_token(record)

    def active_bundle(self, ref: str | None = None) -> TokenBundle | None:
        """Return all tokens of an account, or None where nothing is stored."""
        record = self.record(ref)
        return None if record is None else self.credential(record)

    def access_token(self, record: Record) -> str:
        """Return the access token that belongs to *record*, and touch no other secret.

        Raises `NotLoggedIn` where it is gone.
        """
        token = self._secret(record, slot_name(record.key), record.fallback_token)
        if token is not None:
            return token
        current = self.records.find(record.key)  # it may have moved since *record* was read
        if current is None or is_same_credential(current, record):
            place = "record file" if record.storage == PLAINTEXT else "keyring"
            message = f"The credential of {record.account.name} is missing from the {place}."
            raise NotLoggedIn(message, hints=["Log in again."])
        return self.access_token(current)

    def credential(self, record: Record) -> TokenBundle:
        """Return all tokens that belong to *record*, the refresh token included."""
        return record.bundle(self.access_token(record), self.refresh_token(record))

    def refresh_token(self, record: Record) -> str | None:
        """Return the refresh token that belongs to *record*, None where it is gone."""
        if record.has_refresh_token is False and record.storage != PLAINTEXT:
            return None
        slot = refresh_slot_name(record.key)
        return self._secret(record, slot, record.fallback_refresh_token)

    def _secret(self, record: Record, slot: str, in_record: str | None) -> str | None:
        """Return a secret from its place; one that nobody could send is none."""
        if record.storage == PLAINTEXT:
            return usable(in_record)
        return usable(self.vault.get(slot, record.backend))

    def stamp(self) -> object:
        """Return something cheap that differs once another process has written."""
        return self.records.stamp()

    def pending_removals(self) -> Sequence[str]:
        """Return the keys of accounts whose secrets may still lie in the keyring."""
        return tuple(self.records.removed())

    # Writing

    def sweep(self) -> None:
        """Delete, as far as it works now, what `pending_removals` names. Never raises."""
        from click_auth.stores.removal import sweep  # noqa: PLC0415 - most commands only read

        with contextlib.suppress(StorageUnavailable):
            sweep(self, self.records.removed())

    def patiently(self) -> AbstractContextManager[None]:
        """Return a block within which the vault waits as long as a person takes to unlock it."""
        return self.vault.waiting(PATIENT_SECONDS)

    def check_writable(self, key: str | None = None) -> None:
        """Find out before a grant is spent whether its result can be stored."""
        self.records.check_writable()
        if self.policy == SYSTEM:
            (self.vault.probe if key is None else self.vault.check)()

    @contextlib.contextmanager
    def reserve(self, record: Record, grant: TokenBundle | None = None) -> Iterator[Reserve]:
        """Hold room for what a refresh of *record* brings, having written in each place."""
        with self.records.reserve(record.key) as reserve:
            self._check_vault(record, grant)
            yield reserve

    def _check_vault(self, record: Record, grant: TokenBundle | None) -> None:
        """Write the refresh slot once more, where the tokens are to stay, or to come, in it."""
        must_take_them = self.policy == SYSTEM
        if self.policy == PLAINTEXT or (record.storage == PLAINTEXT and not must_take_them):
            return
        try:
            self.vault.confirm(
                refresh_slot_name(record.key),
                record.backend,
                None if grant is None or record.storage == PLAINTEXT else grant.refresh_token,
            )
        except StorageUnavailable as trouble:
            # Whoever is only late may take them yet: that moves nothing into the file.
            if must_take_them or trouble.is_late:
                raise trouble.with_traceback(None) from None  # its frames hold what was there

    def adopt(self, key: str) -> None:
        """Put into the records what a refresh could only keep beside them."""
        kept = self.records.reserved(key)
        if kept is not None:
            from click_auth.stores.writes import adopt  # noqa: PLC0415 - rare

            adopt(self, *kept)

    def log_in(
        self,
        account: Account,
        bundle: TokenBundle,
        binding: tuple[str | None, str | None] = UNBOUND,
    ) -> Record:
        """Store a new grant, make its account the default one, and return its record."""
        from click_auth.stores.writes import Write  # noqa: PLC0415 - most commands only read

        return Write(self).log_in(account, bundle, binding, promote_default=True)

    def set(self, account: Account, token: str) -> None:
        """Store the access token of *account*, in place of what is there."""
        self.set_bundle(account, TokenBundle(token))

    def set_bundle(
        self, account: Account, bundle: TokenBundle, *, promote_default: bool = False
    ) -> None:
        """Store the tokens of *account*, in place of what is there."""
        from click_auth.stores.writes import Write  # noqa: PLC0415 - as above

        Write(self).log_in(account, bundle, UNBOUND, promote_default=promote_default)

    def rotate(
        self, expected: Record, bundle: TokenBundle, reserve: Reserve | None = None
    ) -> Record:
        """Store what a refresh yielded in place of *expected*, and return the new record.

        Raises `Superseded` when the stored record is not *expected* any more, and
        `StorageUnavailable`; what could be written of the new tokens then stays readable.
        """
        from click_auth.stores.writes import Write  # noqa: PLC0415 - as above

        if bundle.refresh_token is None:
            bundle = replace(bundle, refresh_token=self.refresh_token(expected))
        return Write(self).rotate(expected, bundle, reserve or Reserve())

    def reject(self, record: Record) -> None:
        """Remember that the server called the grant of *record* dead, if it still is stored."""
        dead = replace(record, rejected_generation=record.generation)
        self.records.compare_and_set(record, dead)

    def set_default(self, ref: str) -> None:
        """Make an account the default one."""
        from click_auth.stores.removal import sweep  # noqa: PLC0415 - as above

        with self.records.transaction() as draft:
            is_key = ref in draft.records
            chosen = None if is_key else select_account(draft.records.accounts(), ref)
            draft.default = ref if chosen is None else chosen.key
        sweep(self, draft.removed)

    def clear(self, ref: str | None = None) -> None:
        """Remove an account and all its secrets. Harmless where there is none."""
        try:
            record = self.record(ref)
        except UsageError as error:
            if error.code != ACCOUNT_NOT_FOUND:
                raise
            return
        left = None if record is None else self.forget(record.key)
        if left is not None:
            console.current().warn(left)

    def forget(self, key: str) -> str | None:
        """Remove an account and its secrets; return what could not be removed, as a sentence."""
        from click_auth.stores.removal import forget  # noqa: PLC0415 - as above

        return forget(self, key)

    def migration(self, name: str) -> str | None:
        """Return the durable marker of a migration, None where it was not begun."""
        state = self.records.document().migrations.get(name)
        return state if isinstance(state, str) else None

    def mark_migration(self, name: str, state: str) -> None:
        """Set the marker of a migration."""
        with self.records.transaction() as draft:
            draft.migrations[name] = state

    def insert_migrated(self, record: Record, name: str, state: str) -> bool:
        """Insert a record where its account has none, with the marker of its migration."""
        return self.records.insert_if_absent(record, (name, state))

    def registrations(self) -> StoredRegistrations:
        """Return where dynamically registered clients are kept."""
        from click_auth.stores.registrations import StoredRegistrations  # noqa: PLC0415 - rare

        return StoredRegistrations(self)
