"""What the stories of login, refresh, logout and status ask of a store: accounts with records."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from click_auth.account import Account, refresh_slot_name, select_account, slot_name
from click_auth.console import console
from click_auth.defaults import UNBOUND, Binding
from click_auth.errors import NotLoggedIn, StorageUnavailable
from click_auth.interrupts import prompt_timeout
from click_auth.record import CUSTOM, ENCRYPTED, SYSTEM, Record, TokenBundle, usable
from click_auth.stores.placement import Reserve, Storage, drop_reserve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click_auth.stores.provider_memory import StoredRegistrations
    from click_auth.stores.writes import Removal, Write

MIGRATED = "done"
"""The marker of a migration that has ended."""

PATIENT_SECONDS = 60.0


class Superseded(Exception):
    """The record is no longer the one that was read; nothing was changed."""


class CachedCredential(NamedTuple):
    """The credential of one account, as it is in this process."""

    record: Record
    bundle: TokenBundle


class AccountStore(Storage):
    """Tokens in a vault or, as the policy says, in the records."""

    _said: frozenset[str] = frozenset()

    # Reading

    def record(self, ref: str | None = None, *, instance: str | None = None) -> Record | None:
        """Return the record of the account that *ref* means, None where nothing is stored.

        *ref* is a key, an id or a label, None the default account. Raises `UsageError` where it
        means no account, or several.
        """
        return self.records.select(ref, instance)

    def record_of(self, key: str) -> Record | None:
        """Return the record of exactly this account, None where it is not stored."""
        return self.records.find(key)

    def listing(self) -> tuple[Sequence[Account], str | None]:
        """Return the accounts that are stored and the default account's key."""
        document = self.records.document()
        for key, reason in document.records.bad.items():
            message = self.records.damage(key, reason).message
            if message not in self._said:
                self._said |= {message}
                console.current().warn(message)
        default = document.default if document.default in document.records else None
        return [record.account for record in document.records.values()], default

    def default(self) -> str | None:
        """Return the key of the default account, without a look at any."""
        return self.records.document(self.records.glance()).default

    def damaged(self) -> Sequence[str]:
        """Return the keys of accounts whose records cannot be used."""
        return tuple(self.records.document().records.bad)

    def pending_removals(self) -> Sequence[str]:
        """Return the keys of accounts whose secrets may still lie in the keyring."""
        return tuple(self.records.document(self.records.glance()).removed)

    def migration(self, name: str) -> str | None:
        """Return the durable marker of a migration, None where it was not begun."""
        state = self.records.document().migrations.get(name)
        return state if isinstance(state, str) else None

    def stamp(self) -> object:
        """Return something cheap that differs once another process has written."""
        return self.records.stamp()

    def access_token(self, record: Record) -> str:
        """Return the access token that belongs to *record*, and touch no other secret.

        Raises `NotLoggedIn` where it is gone.
        """
        token = self._secret(record, slot_name(record.key), record.fallback_token)
        if token is not None:
            return token
        current = self.record_of(record.key)  # it may have moved since *record* was read
        if current is None or record.is_same_credential(current):
            place = {SYSTEM: "keyring", CUSTOM: "store"}.get(record.storage, "record file")
            message = f"The credentials of {record.account.name} are missing from the {place}."
            raise NotLoggedIn(message, hints=[NotLoggedIn.log_in_again])
        return self.access_token(current)

    def read_cached(self, record: Record) -> CachedCredential:
        """Return *record* with its access token. Raises as `access_token`."""
        return CachedCredential(record, record.bundle(self.access_token(record)))

    def find_cached(self, record: Record) -> CachedCredential | None:
        """Return the same, None where the token is gone."""
        with contextlib.suppress(NotLoggedIn):
            return self.read_cached(record)
        return None

    def refresh_token(self, record: Record) -> str | None:
        """Return the refresh token that belongs to *record*, None where it is gone."""
        if record.has_refresh_token is False and not record.holds_tokens:
            return None
        return self._secret(record, refresh_slot_name(record.key), record.fallback_refresh_token)

    def credential(self, record: Record) -> TokenBundle:
        """Return all tokens that belong to *record*. Raises as `access_token`."""
        return record.bundle(self.access_token(record), self.refresh_token(record))

    def _secret(self, record: Record, slot: str, in_record: str | None) -> str | None:
        """Return a secret from its place; one that nobody could send is none."""
        if not record.holds_tokens:
            return usable(self.vault.get(slot, record.backend))
        if record.storage == ENCRYPTED and in_record is not None:
            in_record = self.sealer.open(in_record, slot)
        return usable(in_record)

    # Writing

    def lock(self, key: str) -> contextlib.AbstractContextManager[object]:
        """Return the lock under which the credential of one account is changed."""
        return self.records.lock(key)

    def wait_for_others(self, key: str, deadline: float) -> bool:
        """Wait, without taking it, while another process is seen to be on an account's lock.

        Returns whether there was one. *deadline* is in monotonic seconds.
        """
        if self.records.path is None:
            return False
        from click_auth.locks.account_lock import wait_for_others  # noqa: PLC0415 - as above

        return wait_for_others(self.records.path.parent, key, deadline)

    def patiently(self) -> contextlib.AbstractContextManager[None]:
        """Return a block within which the vault waits as long as a person takes to unlock it."""
        return prompt_timeout(PATIENT_SECONDS)

    def check_writable(self) -> None:
        """Raise `StorageUnavailable` where the result of a login certainly could not be stored."""
        self.records.check_writable()
        if self.policy == SYSTEM:
            self.vault.probe()
        elif self.policy == ENCRYPTED:
            _ = self.sealer

    def log_in(
        self,
        account: Account,
        bundle: TokenBundle,
        binding: Binding = UNBOUND,
        *,
        is_default: bool = True,
    ) -> Record:
        """Store a new grant of the issuer and the client of *binding*, and return its record.

        Whatever fails, what was stored before is still there.
        """
        record = Record(account, **binding._asdict())
        write = self._new_write()
        try:
            record = write.place(record, bundle, None)
            with self.records.transaction(repair=True) as draft:
                before = draft.records.get(record.key)
                if before is not None:
                    generation = before.generation + 1
                    record = replace(record, generation=generation, unknown=before.unknown)
                draft.put(record, is_late=write.is_late)
                if is_default:
                    draft.default = record.key
        except BaseException:
            write.take_back(restoring=True)
            raise
        drop_reserve(self.records, record.key)
        if not record.holds_tokens and bundle.refresh_token is None:
            with contextlib.suppress(StorageUnavailable):  # a later logout deletes it
                self.vault.delete(refresh_slot_name(record.key))
        write.settle(record, before, draft.removed)
        return record

    def rotate(
        self, expected: Record, bundle: TokenBundle, reserve: Reserve | None = None
    ) -> Record:
        """Store what a refresh yielded in place of *expected*, and return the new record.

        The account is as *expected* names it now. What cannot be stored is kept in *reserve*.
        Raises `Superseded` when the stored record is not *expected* any more, and
        `StorageUnavailable`; what could be written of the new tokens then stays readable.
        """
        if bundle.refresh_token is None:
            bundle = replace(bundle, refresh_token=self.refresh_token(expected))
        if bundle.scopes is None:
            bundle = replace(bundle, scopes=expected.scopes)
        if self.uses_vault(expected):
            # Better no slot is written than taken back. Unreadable, they may be written yet.
            with contextlib.suppress(StorageUnavailable):
                _refuse_superseded(self.record_of(expected.key), expected)
        write, reserve, record = self._new_write(), reserve or Reserve(), None
        try:
            new = replace(expected, generation=expected.generation + 1)
            record = write.place(new, bundle, expected)
            with self.records.transaction() as draft:
                _refuse_superseded(draft.records.get(expected.key), expected)
                draft.put(record, is_late=write.is_late)
        except Superseded:
            write.take_back(restoring=False)
            raise
        except BaseException:
            if record is not None:
                reserve.keep(expected, record)
            if expected.holds_tokens and not reserve.is_used:
                write.take_back(restoring=True)
            raise
        write.settle(record, expected, draft.removed)
        return record

    def _new_write(self) -> Write:
        from click_auth.stores.writes import Write  # noqa: PLC0415 - most commands only read

        return Write(self)

    def reject(self, record: Record) -> None:
        """Remember that the server called the grant of *record* dead, if it still is stored."""
        dead = replace(record, rejected_generation=record.generation)
        self.records.compare_and_set(record, dead)

    def set_default(self, ref: str) -> None:
        """Set the default account."""
        with self.records.transaction() as draft:
            chosen = select_account((each.account for each in draft.records.values()), ref)
            draft.default = None if chosen is None else chosen.key
        self.sweep(draft.removed)

    def take_out(self, key: str) -> Removal:
        """Remove the record of an account; its secrets are there until the removal is finished."""
        return self._new_write().take_out(key)

    def forget(self, key: str) -> str | None:
        """Remove an account and its secrets; return what could not be removed, as a sentence."""
        return self.take_out(key).finish()

    def sweep(self, keys: Sequence[str] | None = None) -> None:
        """Delete, as far as it works now, the secrets of *keys*, by default of all that are due.

        Never raises.
        """
        self._new_write().sweep(keys)

    def mark_migration(self, name: str, state: str) -> None:
        """Set the marker of a migration."""
        with self.records.transaction() as draft:
            draft.migrations[name] = state

    def insert_migrated(self, record: Record, name: str, state: str) -> bool:
        """Insert a record where its account has none, with the marker of its migration.

        Return whether it was inserted. *record* carries its tokens as fallback tokens.
        """
        if self.policy == ENCRYPTED:
            bundle = TokenBundle(record.fallback_token or "", record.fallback_refresh_token)
            record = self.record_with(record, bundle, is_sealed=True)
        return self.records.insert_if_absent(record, (name, state))

    def registrations(self) -> StoredRegistrations | None:
        """Return where dynamically registered clients are kept, None where nowhere."""
        from click_auth.stores.provider_memory import StoredRegistrations  # noqa: PLC0415 - rare

        return StoredRegistrations(self)


def _refuse_superseded(current: Record | None, expected: Record) -> None:
    if not expected.is_same_credential(current):
        raise Superseded
