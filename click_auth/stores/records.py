"""Records of accounts, wherever their text lies: read one at a time or whole, and changed whole."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from click_auth.account import refresh_slot_name, select_account, slot_name
from click_auth.errors import StorageUnavailable
from click_auth.record import ENCRYPTED, PLAINTEXT, is_same_credential
from click_auth.stores.document import DamagedRecords, Document, find_record, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click_auth.environment import Environment
    from click_auth.record import Record
    from click_auth.stores.cipher import Cipher, KeyGiven
    from click_auth.stores.vault import Vault
    from click_auth.tokens import TokenBundle

REPLACE_IT = "Log in to that account again to replace it."


class Reserve:
    """Room for one record, held while a grant is spent; this one has none.

    `is_used` says whether a record lies there that could not be put where it belongs.
    """

    is_used = False

    def keep(self, expected: Record, record: Record) -> None:
        """Keep *record*, which was to replace *expected*, if there is room. Never raises."""


class Records(ABC):
    """The records of one application, wherever their text lies, and the locks of its accounts.

    Every method raises `StorageUnavailable` naming the place when it cannot be read or written,
    is damaged, or was written by a later version; none of them changes such a place, except a
    transaction with *repair*.
    """

    path: Path | None = None
    """The file that holds them, None where they live elsewhere."""

    @property
    def place(self) -> str:
        """What errors call the place."""
        return "memory"

    @abstractmethod
    def content(self) -> bytes:
        """Return the text of the records."""

    def glance(self) -> bytes:
        """Return the same, from memory where nobody has written since; for what only tells."""
        return self.content()

    @abstractmethod
    def replace(self, content: bytes, *, is_damaged: bool) -> None:
        """Put *content* in place of what is there, which is not to be lost if it is damaged."""

    @abstractmethod
    def alone(self) -> contextlib.AbstractContextManager[object]:
        """Return a block within which nobody else writes. Blocks while somebody does."""

    @abstractmethod
    def lock(self, key: str) -> contextlib.AbstractContextManager[object]:
        """Return the lock under which the credential of one account is changed."""

    @abstractmethod
    def stamp(self) -> object:
        """Return something cheap that differs once somebody has written."""

    def wait_for_others(self, key: str, deadline: float) -> bool:
        """Wait, without taking it, while another process is seen to hold the lock of an account.

        Returns whether one was. *deadline* is in monotonic seconds.
        """
        del key, deadline
        return False

    def check_writable(self) -> None:  # noqa: B027 - memory always is
        """Raise `StorageUnavailable` when a transaction would fail."""

    @contextlib.contextmanager
    def reserve(self, key: str) -> Iterator[Reserve]:
        """Hold room for the record of *key*. Raises `StorageUnavailable` as `check_writable`."""
        del key
        self.check_writable()
        yield Reserve()

    def reserved(self, key: str) -> tuple[Record, Record] | None:
        """Return what a `Reserve` keeps of *key*: the record to be replaced, and the new one."""
        del key
        return None

    def drop_reserve(self, key: str) -> None:  # noqa: B027 - memory has none
        """Remove what a `Reserve` keeps of *key*. Never raises."""

    def document(self, content: bytes | None = None) -> Document:
        """Return everything that *content*, by default the present one, says."""
        text = self.content() if content is None else content
        return parse(text, self.place)

    def find(self, key: str) -> Record | None:
        """Return the record of *key*. Raises `StorageUnavailable` when that one is damaged."""
        content = self.content()
        found = find_record(content, key)
        return found or self._undamaged(self.document(content), key)

    def select(self, ref: str | None, instance: str | None = None) -> Record | None:
        """Return the record that *ref*, a key, an id or a label, means; None is the default one.

        Raises `UsageError` as `select_account` does, `StorageUnavailable` as `find`.
        """
        content, is_default = self.glance(), ref is None and instance is None
        found = None if ref is None and not is_default else find_record(content, ref)
        if found is not None and instance in (None, found.instance):
            return found
        document = self.document(content)
        key, only = ref, list(document.records.texts)
        if is_default:  # a damaged one is no reason to take another
            key = document.default or (only[0] if len(only) == 1 else None)
        if key is not None:
            self._undamaged(document, key)
        accounts = [record.account for record in document.records.values()]
        chosen = select_account(accounts, ref, default=document.default, instance=instance)
        return None if chosen is None else document.records[chosen.key]

    def _undamaged(self, document: Document, key: str) -> Record | None:
        if (reason := document.records.reason(key)) is not None:
            raise self.damage(key, reason)
        return document.records.get(key)

    def damage(self, key: str, reason: str) -> StorageUnavailable:
        """Return the error of a record that cannot be used."""
        return StorageUnavailable(
            f"The record of {key} in {self.place} is damaged: {reason}.",
            hints=[REPLACE_IT],
        )

    @contextlib.contextmanager
    def transaction(self, *, repair: bool = False) -> Iterator[Document]:
        """Change the document that this yields; it is kept when the block ends normally.

        With *repair* a damaged place does not raise: it is set aside, loudly, once the new
        document is to be written.
        """
        with self.alone():
            is_damaged = False
            try:
                draft = self.document()
            except DamagedRecords:
                if not repair:
                    raise
                draft, is_damaged = Document(), True
            # Not the state itself: a traceback that prints variables would show its secrets.
            is_unchanged = draft.state().__eq__
            yield draft
            if not is_unchanged(draft.state()):
                try:
                    self.replace(draft.to_bytes(), is_damaged=is_damaged)
                except StorageUnavailable as error:
                    raise error.with_traceback(None) from None  # its frames hold the whole text

    def insert_if_absent(self, record: Record, migration: tuple[str, str] | None = None) -> bool:
        """Insert *record* unless its account has one, be it damaged; return whether it did.

        It becomes the default account where there is none. *migration* is the name and the new
        state of a marker, written along with it.
        """
        with self.transaction() as draft:
            if record.key in draft.records.texts:
                return False
            draft.records[record.key] = record
            if draft.default is None:
                draft.default = record.key
            if migration is not None:
                draft.migrations.update([migration])
            return True

    def compare_and_set(self, expected: Record, new: Record) -> bool:
        """Put *new* in place of *expected* if that is still there; return whether it was."""
        with self.transaction() as draft:
            if not is_same_credential(draft.records.get(expected.key), expected):
                return False
            draft.records[expected.key] = new
            return True


class MemoryRecords(Records):
    """Records in memory, with the transactions of a record file."""

    def __init__(self) -> None:
        self._content, self._writes = b"", 0
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def content(self) -> bytes:
        """Return the text of the records."""
        return self._content

    def replace(self, content: bytes, *, is_damaged: bool) -> None:
        """Keep *content*."""
        del is_damaged
        self._content = content
        self._writes += 1

    def alone(self) -> threading.Lock:
        """Hold this process's lock."""
        return self._lock

    def lock(self, key: str) -> threading.Lock:
        """Return this process's lock of one account."""
        return self._locks.setdefault(key, threading.Lock())

    def stamp(self) -> object:
        """Return how often something was written."""
        return self._writes


class Storage:
    """Where credentials are kept: *records*, and a vault for the tokens that are not in them.

    *policy* says which tokens go where; *clock* tells POSIX seconds. The vault is made when a
    token is first looked for in it. `key`, or that of the `environment`, seals what is in records.
    """

    def __init__(
        self,
        records: Records,
        make_vault: Callable[[], Vault],
        policy: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.records = records
        self.policy = policy
        self.clock = clock
        self._make_vault = make_vault
        self.environment: Environment | None = None
        self.key: KeyGiven | None = None

    @cached_property
    def vault(self) -> Vault:
        """Where the tokens lie that are not in the records."""
        return self._make_vault()

    @cached_property
    def cipher(self) -> Cipher | None:
        """What seals tokens in the records, None where nobody gave a key."""
        environment, names = self.environment, ("AUTH_KEY", "AUTH_KEY_FILE")
        if environment is None or not (self.key or any(map(environment.value, names))):
            return None
        from click_auth.stores.cipher import make_cipher  # noqa: PLC0415 - an extra

        return make_cipher(environment, self.key)

    @property
    def sealer(self) -> Cipher:
        """The same. Raises `StorageUnavailable` where there is no key."""
        if self.cipher is None:
            name = self.environment.name("AUTH_KEY") if self.environment else "<APP>_AUTH_KEY"
            hints = [f"Set {name} or {name}_FILE."]
            raise StorageUnavailable("No key for encrypted credentials.", hints=hints)
        return self.cipher

    def policy_of(self, old: Record | None) -> str:
        """Return the policy for what replaces *old*, None for a login.

        A refresh moves nothing into the sealed records, nor out of them.
        """
        is_kept = old is not None and ENCRYPTED in (self.policy, old.storage)
        return old.storage if old is not None and is_kept else self.policy

    def record_with(self, record: Record, bundle: TokenBundle, *, is_sealed: bool) -> Record:
        """Return *record* with its tokens in it, sealed or in plain text."""
        tokens = [bundle.access_token, bundle.refresh_token]
        if is_sealed:
            slots = (slot_name(record.key), refresh_slot_name(record.key))
            pairs = zip(tokens, slots, strict=True)
            tokens = [
                None if token is None else self.sealer.seal(token, slot) for token, slot in pairs
            ]
        return replace(
            record,
            storage=ENCRYPTED if is_sealed else PLAINTEXT,
            backend=None,
            fallback_token=tokens[0],
            fallback_refresh_token=tokens[1],
        )
