"""The record file in memory: what a transaction changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from click_auth.account import is_account_key
from click_auth.record import Record
from click_auth.stores.layout import (
    SEAL,
    UNREADABLE,
    VERSION,
    Parts,
    is_sealed,
    joined,
    json_bytes,
    loads,
    opened,
    opened_account,
    sealed,
    split,
)

if TYPE_CHECKING:
    from click_auth.account import Account


class Damaged(Exception):
    """The content is not that of a record file."""


class TooNew(Exception):
    """The content was written by a later version of the format."""


class Entries(Mapping[str, Record]):
    """The records by key, each validated when it is first looked at.

    A bad record is not among them: `bad` says why, and its text is kept until it is replaced.
    *unsealed* are those that another schema or a hand has written: any write seals them anew.
    """

    def __init__(
        self, texts: Mapping[str, bytes] = MappingProxyType({}), unsealed: Sequence[str] = ()
    ) -> None:
        self._texts = dict(texts)
        self._unsealed = unsealed
        self._records: dict[str, Record] = {}
        self._accounts: dict[str, Account] = {}
        self._bad: dict[str, str] = {}
        self.changed: bool = False

    @property
    def bad(self) -> Mapping[str, str]:
        """Why which records cannot be used. Looks at all of them."""
        return {key: reason for key in self._texts if (reason := self.reason(key)) is not None}

    def reason(self, key: str) -> str | None:
        """Return why the record of *key* cannot be used, None where it can or there is none."""
        if key in self._texts:
            self._account(key)
        return self._bad.get(key)

    def accounts(self) -> list[Account]:
        """Return whose records can be used: cheaper than a look at each of them."""
        return [found for key in self._texts if (found := self._account(key)) is not None]

    def texts(self) -> Mapping[str, bytes]:
        """Return what is written: each record sealed, and what is bad as it was read."""
        for key in self._unsealed:
            self.get(key)
        return {
            key: sealed(key, self._records[key]) if key in self._records else text
            for key, text in self._texts.items()
        }

    def discard(self, key: str) -> None:
        """Drop the record of *key*, be it good, bad or absent."""
        self.changed |= self._texts.pop(key, None) is not None
        self._records.pop(key, None)
        self._bad.pop(key, None)

    def __getitem__(self, key: str) -> Record:
        if key not in self._records and key not in self._bad:
            text = self._texts[key]
            try:
                self._records[key] = opened(key, text) or _trusted(key, text)
            except UNREADABLE as error:
                self._bad[key] = str(error) if isinstance(error, _BadRecord) else "it is not JSON"
        return self._records[key]

    def __setitem__(self, key: str, record: Record) -> None:
        if self.get(key) == record:
            return
        self._records[key] = record
        self._texts.setdefault(key, b"")
        self._bad.pop(key, None)
        self.changed = True

    def __iter__(self) -> Iterator[str]:
        return iter([key for key in self._texts if self.reason(key) is None])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _account(self, key: str) -> Account | None:
        if (record := self._records.get(key)) is not None:
            return record.account
        if key not in self._accounts:
            account = opened_account(key, self._texts[key])
            if account is None:
                record = self.get(key)
                return None if record is None else record.account
            self._accounts[key] = account
        return self._accounts[key]


class _BadRecord(ValueError):
    """What is wrong with a record, without its contents."""


def _trusted(key: str, text: bytes) -> Record:
    from click_auth.models import trusted_record  # noqa: PLC0415 - pydantic, for an unsealed record

    stored = loads(text)
    if isinstance(stored, dict):
        stored.pop(SEAL, None)
    try:
        record = trusted_record(stored)
    except ValueError as error:
        raise _BadRecord(f"wrong: {error}") from None
    if record.key != key:
        raise _BadRecord("it belongs to another account")
    return record


@dataclass(eq=False, repr=False)  # it is loaded by each command: no method that nobody calls
class Document:
    """The whole of the record file. Change it within a transaction.

    `removed` are the keys of accounts whose secrets may still lie in the keyring; `unknown` are
    the fields of a later version.
    """

    default: str | None = None
    records: Entries = field(default_factory=Entries)
    removed: list[str] = field(default_factory=list)
    migrations: dict[str, Any] = field(default_factory=dict)
    clients: dict[str, Any] = field(default_factory=dict)
    unknown: dict[str, Any] = field(default_factory=dict)

    def mark_removed(self, key: str) -> None:
        """Note that secrets of *key* may lie in the keyring and are to be deleted."""
        if key not in self.removed and is_account_key(key):
            self.removed.append(key)

    def unmark_removed(self, key: str) -> None:
        """Note that no secret of *key* is left to be deleted."""
        if key in self.removed:
            self.removed.remove(key)

    def facts(self) -> bytes:
        """Return what tells two states of everything but the records apart."""
        return json_bytes({"default": self.default, **self._rest()})

    def to_bytes(self) -> bytes:
        """Return the content of the record file."""
        return joined(Parts(self.default, self.records.texts(), self._rest()))

    def _rest(self) -> dict[str, Any]:
        own = {"removed": self.removed, "migrations": self.migrations, "clients": self.clients}
        return {**{name: value for name, value in own.items() if value}, **self.unknown}


def parse(content: bytes) -> Document:
    """Return the document in *content*; nothing at all is a document without accounts.

    Raises `Damaged` with the reason, or `TooNew`.
    """
    if not content.strip():
        return Document()
    parts = split(content)
    unsealed = [] if parts is None else _unsealed(parts)
    if parts is None or unsealed:
        try:
            parts = _parts(loads(content.decode("utf-8-sig")))
        except UNREADABLE:
            if parts is None:
                raise Damaged("it is not JSON") from None
        unsealed = _unsealed(parts)  # where one line is damaged the others hold
    return _document(parts, unsealed)


def _unsealed(parts: Parts) -> list[str]:
    return [key for key, text in parts.texts.items() if not is_sealed(key, text)]


def _parts(root: object) -> Parts:
    if not isinstance(root, dict):
        raise Damaged("it holds no JSON object")
    version, accounts = root.pop("version", None), root.pop("accounts", {})
    if not isinstance(version, int) or isinstance(version, bool) or version < VERSION:
        raise Damaged("it has no version")
    if version > VERSION:
        raise TooNew(str(version))
    default = root.pop("default", None)
    if not isinstance(accounts, dict) or not isinstance(default, str | None):
        raise Damaged("its accounts are not those of a record file")
    return Parts(default, {key: json_bytes(stored) for key, stored in accounts.items()}, root)


def _document(parts: Parts, unsealed: Sequence[str]) -> Document:
    rest = dict(parts.rest)
    removed, migrations = rest.pop("removed", []), rest.pop("migrations", {})
    clients = rest.pop("clients", {})
    if not isinstance(removed, list) or not all(isinstance(key, str) for key in removed):
        raise Damaged("its list of removed accounts is none")
    if not isinstance(migrations, dict) or not isinstance(clients, dict):
        raise Damaged("its migrations or clients are none")
    removed = [key for key in removed if is_account_key(key)]  # each becomes part of a path
    entries = Entries(parts.texts, unsealed)
    return Document(parts.default, entries, removed, migrations, clients, rest)
