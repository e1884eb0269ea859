"""The text of the record file, and what it says: one line a record, each sealed.

The first line ends with the opening of `accounts`, each record has a line of its own, and the last
line closes `accounts` and holds the rest: so one record is found by its key without a look at the
others. There is no newline at the end: a file that was cut off anywhere is no JSON.

The seal says that a version with the same fields wrote a record and nobody has touched it since:
it needs no validation, which costs more than the rest of reading it. It guards against hand edits
and other schemas, not against attackers: whoever can write the file can write a seal.
"""

from __future__ import annotations

import contextlib
import json
from binascii import crc32  # zlib's, without loading zlib
from collections.abc import Iterator, Mapping
from itertools import starmap
from typing import Any

from click_auth.account import is_account_key
from click_auth.errors import StorageUnavailable
from click_auth.record import FIELDS, Record

VERSION = 1
_SEAL = "seal"
_SEAL_LENGTH = len(', "seal": "89abcdef"}')
_SCHEMA = crc32("|".join(FIELDS).encode())
_OPENING = b'{"version": %d, "default": ' % VERSION
_FRAME = ("version", "default", "accounts")
_BRIDGE = b', "accounts": {'
_MOST_DIGITS = 4000  # beyond 4,300 Python refuses to read a number, and to write it
_decoder = json.JSONDecoder(
    parse_int=lambda digits: int(digits) if len(digits) <= _MOST_DIGITS else float("inf")
)

UNREADABLE = (ValueError, ArithmeticError, RecursionError)
"""What can be raised by a look at what a file says."""


class DamagedRecords(StorageUnavailable):
    """The place does not hold what records are: a login may keep it aside and start anew."""

    def __init__(self, message: str) -> None:
        hint = "It was left untouched; the next login moves it aside and starts fresh."
        super().__init__(message, hints=[hint])


def loads(text: str | bytes) -> Any:
    """Return the JSON in *text*; a number of absurd length is infinite, which nothing accepts.

    Raises what `UNREADABLE` holds.
    """
    return _decoder.decode(text if isinstance(text, str) else text.decode("utf-8", "surrogatepass"))


def json_bytes(fields: Mapping[str, Any]) -> bytes:
    """Return *fields* as JSON on one line; what JSON does not know becomes text."""
    return json.dumps(fields, default=str).encode()


def _seal(key: str, text: bytes) -> bytes:
    checksum = crc32(text, crc32(key.encode("utf-8", "surrogatepass"), _SCHEMA))
    return b', "seal": "%08x"}' % checksum


def _is_sealed(key: str, text: bytes) -> bool:
    """Return whether *text* is a sealed record of this key, under this schema."""
    return text.endswith(_seal(key, text[:-_SEAL_LENGTH] + b"}"))


def _read(key: str, text: bytes) -> Record | str:
    """Return the record in *text*, or what is wrong with it, without its contents."""
    try:
        stored = loads(text)
    except UNREADABLE:
        return "it is not valid JSON"
    if isinstance(stored, dict):
        stored.pop(_SEAL, None)
    try:
        record = Record.from_json(stored) if _is_sealed(key, text) else validate_record(stored)
    except ValueError as error:
        return f"wrong: {error}"
    return record if record.key == key else "it belongs to another account"


def validate_record(stored: object) -> Record:
    """Return the record in *stored*. Raises ValueError with the names of what is wrong."""
    from click_auth.stores.models import trusted_record  # noqa: PLC0415 - pydantic, for an unsealed record

    return trusted_record(stored)


class Entries(Mapping[str, Record]):
    """The records by key, each read when it is first looked at.

    A bad record is not among them: `bad` says why; its text is kept until it is replaced.
    """

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self.texts: dict[str, bytes] = dict(texts)
        self._found: dict[str, Record | str] = {}

    def _look(self, key: str) -> Record | str | None:
        if key in self.texts and key not in self._found:
            self._found[key] = _read(key, self.texts[key])
        return self._found.get(key)

    def reason(self, key: str) -> str | None:
        """Return why the record of *key* cannot be used, None where it can or there is none."""
        found = self._look(key)
        return found if isinstance(found, str) else None

    @property
    def bad(self) -> Mapping[str, str]:
        """Why which records cannot be used. Reads all of them."""
        return {key: reason for key in self.texts if (reason := self.reason(key)) is not None}

    def discard(self, key: str) -> None:
        """Drop the record of *key*, be it good, bad or absent."""
        self.texts.pop(key, None)
        self._found.pop(key, None)

    def __getitem__(self, key: str) -> Record:
        found = self._look(key)
        if not isinstance(found, Record):
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, record: Record) -> None:
        text = json_bytes(record.to_json())
        self.texts[key], self._found[key] = text[:-1] + _seal(key, text), record

    def __iter__(self) -> Iterator[str]:
        return iter([key for key in self.texts if self.reason(key) is None])

    def __len__(self) -> int:
        return len(list(iter(self)))


class Document:
    """The whole of the record file. Change it within a transaction.

    `removed` are the keys of accounts whose secrets may still lie in the keyring; `unknown` are
    the fields of a later version.
    """

    def __init__(
        self,
        default: str | None = None,
        texts: Mapping[str, bytes] | None = None,
        rest: Mapping[str, Any] | None = None,
    ) -> None:
        self.default = default
        self.records: Entries = Entries(texts or {})
        self.unknown: dict[str, Any] = dict(rest or {})
        removed = self.unknown.pop("removed", [])  # they name slots and paths
        self.removed: list[str] = [key for key in removed if is_account_key(key)]
        self.migrations: dict[str, Any] = self.unknown.pop("migrations", {})
        self.clients: dict[str, Any] = self.unknown.pop("clients", {})

    def put(self, record: Record, *, is_late: bool = False) -> None:
        """Put *record* in place of what its account has, and note whose secrets are to be deleted.

        *is_late* says that a call which was given up may yet fill one of its slots.
        """
        may_be_in_slots = is_late or self._has_slots(record.key)
        self.records[record.key] = record
        if not record.holds_tokens:
            self.unmark_removed(record.key)
        elif may_be_in_slots:
            self.mark_removed(record.key)

    def take_out(self, key: str) -> Record | None:
        """Remove the record of *key*, good or bad, and return it, None where nothing is known."""
        record = self.records.get(key)
        if self._has_slots(key):
            self.mark_removed(key)
        self.records.discard(key)
        if self.default == key:
            only = next(iter(self.records.values())) if len(self.records) == 1 else None
            # Another instance's account never steps in by itself.
            self.default = None if only is None or only.account.instance else only.key
        return record

    def unmark_removed(self, key: str) -> None:
        """Note that no secret of *key* is left to be deleted."""
        self.removed[:] = [each for each in self.removed if each != key]

    def mark_removed(self, key: str) -> None:
        """Note that secrets of *key* may lie in the keyring and are to be deleted."""
        if key not in self.removed and is_account_key(key):
            self.removed.append(key)

    def _has_slots(self, key: str) -> bool:
        """Return whether the record of *key* is bad, or its tokens are not in it."""
        record = self.records.get(key)
        return self.records.reason(key) is not None if record is None else not record.holds_tokens

    def state(self) -> int:
        """Return what tells two states of the document apart, and shows a traceback no secret."""
        return hash((frozenset(self.records.texts.items()), self.default, json_bytes(self._rest())))

    def to_bytes(self) -> bytes:
        """Return the content of the record file, each good record sealed for this schema."""
        for key, text in self.records.texts.items():
            if not _is_sealed(key, text) and (record := self.records.get(key)) is not None:
                self.records[key] = record
        head = _OPENING + json.dumps(self.default).encode() + _BRIDGE
        texts = self.records.texts.items()
        lines = [json.dumps(key).encode() + b": " + text for key, text in texts]
        rest = json_bytes(self._rest())
        tail = b"}}" if rest == b"{}" else b"}, " + rest[1:]
        return b"\n".join((head, b",\n".join(lines), tail) if lines else (head, tail))

    def _rest(self) -> dict[str, Any]:
        own = {"removed": self.removed, "migrations": self.migrations, "clients": self.clients}
        return {**{name: value for name, value in own.items() if value}, **self.unknown}


def parse(content: bytes, place: object = "memory") -> Document:
    """Return the document in *content*, read from *place*; nothing is one without accounts.

    Raises `DamagedRecords`, and `StorageUnavailable` for the format of a later version.
    """
    if not content.strip():
        return Document()
    root, texts = _split(content) or (None, {})
    if root is None or not all(starmap(_is_sealed, texts.items())):
        with contextlib.suppress(*UNREADABLE):  # else one line is damaged, and the others hold
            root = loads(content.decode("utf-8-sig"))
            accounts = root.get("accounts") if isinstance(root, dict) else None
            items = accounts.items() if isinstance(accounts, dict) else ()
            texts = {key: json_bytes(stored) for key, stored in items}
    fault = "it is not valid JSON" if root is None else _fault(root)
    if root is None or fault is not None:
        raise DamagedRecords(f"{place} is damaged: {fault}.")
    if root["version"] > VERSION:
        raise newer_format(place, root["version"])
    rest = {name: value for name, value in root.items() if name not in _FRAME}
    return Document(root.get("default"), texts, rest)


def newer_format(what: object, version: object) -> StorageUnavailable:
    """Return the error of *what* is written in a format that this version cannot read."""
    message = f"{what} was written by a newer version of this program (format {version})."
    hint = "Upgrade this program to use it. It was left untouched."
    return StorageUnavailable(message, hints=[hint])


def _fault(root: Any) -> str | None:
    """Return why *root* is that of no record file, for the middle of a sentence."""
    version = root.get("version") if isinstance(root, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < VERSION:
        return "it has no version"
    if version > VERSION:
        return None
    kinds = {"accounts": dict, "removed": list, "migrations": dict, "clients": dict}
    for name, kind in kinds.items():
        if not isinstance(root.get(name, kind()), kind):
            return f"its {name} are invalid"
    default = root.get("default")
    keys = [*root.get("removed", ()), *(() if default is None else (default,))]
    return None if all(isinstance(each, str) for each in keys) else "it names no account"


def _frame(content: bytes) -> tuple[dict[str, Any], int, int] | None:
    """Return what is around the records, where they begin and end; None unless we wrote it."""
    begin, end = content.find(b"\n"), content.rfind(b"\n")
    head = content[: max(begin, 0)]
    if not (head.startswith(_OPENING) and head.endswith(_BRIDGE)):
        return None
    try:
        root = loads(head + content[end + 1 :])  # first and last line: a file of no record
    except UNREADABLE:
        return None
    return (root, begin, end) if root.get("accounts") == {} else None


def _split(content: bytes) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """Return what stands around the records and the text of each, None in every doubt."""
    frame = _frame(content)
    if frame is None:
        return None
    root, begin, end = frame
    texts: dict[str, bytes] = {}
    for line in content[begin + 1 : end].split(b",\n") if begin < end else ():
        quoted, _, text = line.partition(b": ")
        try:
            key = loads(quoted)
        except UNREADABLE:
            return None
        if not isinstance(key, str) or key in texts or b"\n" in text or text.endswith(b","):
            return None
        texts[key] = text
    return root, texts


def find_record(content: bytes, key: str | None) -> Record | None:
    """Return the record of *key*, or of the default account, without a look at the others.

    Returns None in every doubt: the caller then parses the whole.
    """
    root, begin, end = _frame(content) or ({}, 0, 0)
    key = root.get("default") if key is None else key
    if not isinstance(key, str) or _fault(root) is not None:
        return None
    quoted = json.dumps(key).encode() + b": "
    begin = content.rfind(b"\n" + quoted, begin, end) + 1
    if begin == 0:
        return None
    following = content.find(b",\n", begin, end)
    text = content[begin + len(quoted) : end if following < 0 else following]
    found = _read(key, text) if _is_sealed(key, text) else None
    return found if isinstance(found, Record) else None
