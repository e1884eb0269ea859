"""The record file in memory: what a transaction changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from click_auth.records import Record
from click_auth.stores.layout import VERSION, Parts, joined, split
from click_auth.stores.sealing import SEAL, is_sealed, json_bytes, opened, opened_account, sealed

if TYPE_CHECKING:
    from click_auth.identity import Identity


class Damaged(Exception):
    """The content is not that of a record file."""


class TooNew(Exception):
    """The content was written by a later version of the format."""


class Entries(MutableMapping[str, Record]):
    """The records by key, each validated when it is first looked at.

    A bad record is not among them: `bad` says why, and its text is kept until it is replaced.
    """

    def __init__(self, texts: Mapping[str, bytes] | None = None) -> None:
        self._texts = dict(texts or {})
        self._records: dict[str, Record] = {}
        self._bad: dict[str, str] = {}
        self.changed: bool = False

    @property
    def bad(self) -> Mapping[str, str]:
        """Why which records cannot be used. Looks at all of them."""
        return {key: reason for key in self._texts if (reason := self.reason(key)) is not None}

    def reason(self, key: str) -> str | None:
        """Return why the record of *key* cannot be used, None where it can or there is none."""
        if key not in self._records and not is_sealed(key, self._texts.get(key, b"")):
            self.get(key)
        return self._bad.get(key)

    def identities(self) -> list[Identity]:
        """Return whose records can be used: cheaper than a look at each of them."""
        found = (self._identity(key, text) for key, text in self._texts.items())
        return [identity for identity in found if identity is not None]

    def texts(self) -> Mapping[str, bytes]:
        """Return what is written: those looked at sealed anew, the others as they were read."""
        return {
            key: sealed(key, self._records[key]) if key in self._records else text
            for key, text in self._texts.items()
        }

    def copy(self) -> Entries:
        """Return entries that change apart from these."""
        clone = Entries(self._texts)
        clone._records, clone._bad = dict(self._records), dict(self._bad)
        return clone

    def discard(self, key: str) -> None:
        """Drop the record of *key*, be it good, bad or absent."""
        self.changed |= self._texts.pop(key, None) is not None
        self._records.pop(key, None)
        self._bad.pop(key, None)

    def __getitem__(self, key: str) -> Record:
        if key not in self._records:
            if key in self._bad:
                raise KeyError(key)
            self._look_at(key, self._texts[key])
        return self._records[key]

    def __setitem__(self, key: str, record: Record) -> None:
        if self.get(key) == record:
            return
        self._records[key] = record
        self._texts.setdefault(key, b"")
        self._bad.pop(key, None)
        self.changed = True

    def __delitem__(self, key: str) -> None:
        self[key]
        self.discard(key)

    def __iter__(self) -> Iterator[str]:
        return iter([key for key in self._texts if self.reason(key) is None])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _identity(self, key: str, text: bytes) -> Identity | None:
        if key not in self._records:
            identity = opened_account(key, text)
            if identity is not None:
                return identity
        record = self.get(key)
        return None if record is None else record.account

    def _look_at(self, key: str, text: bytes) -> None:
        record = opened(key, text)
        try:
            self._records[key] = record or _trusted(key, text)
        except (ValueError, RecursionError) as error:
            self._bad[key] = str(error) if isinstance(error, _BadRecord) else "it is not JSON"
            raise KeyError(key) from None


class _BadRecord(ValueError):
    """What is wrong with a record, without its contents."""


def _trusted(key: str, text: bytes) -> Record:
    from click_auth.models import trusted_record  # noqa: PLC0415 - pydantic, for an unsealed record

    stored = json.loads(text)
    if isinstance(stored, dict):
        stored.pop(SEAL, None)
    try:
        record = trusted_record(stored)
    except ValueError as error:
        message = f"wrong: {error}"
        raise _BadRecord(message) from None
    if record.key != key:
        message = "it belongs to another account"
        raise _BadRecord(message)
    return record


@dataclass
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

    @property
    def bad(self) -> Mapping[str, str]:
        """Why which records cannot be used, by key."""
        return self.records.bad

    def mark_removed(self, key: str) -> None:
        """Note that secrets of *key* may lie in the keyring and are to be deleted."""
        if key not in self.removed:
            self.removed.append(key)

    def unmark_removed(self, key: str) -> None:
        """Note that no secret of *key* is left to be deleted."""
        if key in self.removed:
            self.removed.remove(key)

    def facts(self) -> bytes:
        """Return what tells two states of everything but the records apart."""
        return json_bytes({"default": self.default, **self.rest()})

    def rest(self) -> dict[str, Any]:
        """Return the fields beside the records, those that are needed."""
        own = {"removed": self.removed, "migrations": self.migrations, "clients": self.clients}
        return {**{name: value for name, value in own.items() if value}, **self.unknown}

    def to_bytes(self) -> bytes:
        """Return the content of the record file."""
        return joined(Parts(self.default, self.records.texts(), self.rest()))

    def copy(self) -> Document:
        """Return a document that changes apart from this one."""
        rest = json.loads(json_bytes(self.rest()))
        return _document(Parts(self.default, {}, rest), self.records.copy())


def parse(content: bytes) -> Document:
    """Return the document in *content*; nothing at all is a document without accounts.

    Raises `Damaged` with the reason, or `TooNew`.
    """
    if not content.strip():
        return Document()
    parts = split(content)
    if parts is not None and all(is_sealed(key, text) for key, text in parts.texts.items()):
        return _document(parts)
    try:
        return _document(_parts(json.loads(content.decode("utf-8-sig"))))
    except (ValueError, RecursionError):
        if parts is None:
            message = "it is not JSON"
            raise Damaged(message) from None
    return _document(parts)  # one line is damaged: the others hold


def _parts(root: object) -> Parts:
    if not isinstance(root, dict):
        message = "it holds no JSON object"
        raise Damaged(message)
    version, accounts = root.pop("version", None), root.pop("accounts", {})
    if not isinstance(version, int) or isinstance(version, bool) or version < VERSION:
        message = "it has no version"
        raise Damaged(message)
    if version > VERSION:
        raise TooNew(str(version))
    default = root.pop("default", None)
    if not isinstance(accounts, dict) or not (default is None or isinstance(default, str)):
        message = "its accounts are not those of a record file"
        raise Damaged(message)
    return Parts(default, {key: json_bytes(stored) for key, stored in accounts.items()}, root)


def _document(parts: Parts, records: Entries | None = None) -> Document:
    rest = dict(parts.rest)
    removed, migrations = rest.pop("removed", []), rest.pop("migrations", {})
    clients = rest.pop("clients", {})
    if not isinstance(removed, list) or not all(isinstance(key, str) for key in removed):
        message = "its list of removed accounts is none"
        raise Damaged(message)
    if not isinstance(migrations, dict) or not isinstance(clients, dict):
        message = "its migrations or clients are none"
        raise Damaged(message)
    entries = Entries(parts.texts) if records is None else records
    return Document(parts.default, entries, removed, migrations, clients, rest)
