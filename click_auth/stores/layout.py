"""The text of the record file: one line a record, each sealed, so that one is found by its key.

The first line ends with the opening of `accounts`, each record has a line of its own, and the last
line closes `accounts` and holds the rest. There is no newline at the end: a file that was cut
off, wherever, is not JSON any more, and its last line shows it.

The seal says that a version with the same fields wrote a record and nobody has touched it since:
it needs no validation, which costs more than everything else that reading it does. It guards
against hand edits and other schemas, not against attackers: whoever can write the file can write
a seal.
"""

from __future__ import annotations

import json
from binascii import crc32  # zlib's, without loading zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from click_auth.account import Account
from click_auth.record import FIELDS, Record

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
SEAL = "seal"

_SCHEMA = crc32("|".join(FIELDS).encode())
_SEAL_LENGTH = len(', "seal": "89abcdef"}')
_ACCOUNT = b'{"account": '
_OPENING = b'{"version": %d, "default": ' % VERSION
_BRIDGE = b', "accounts": {'
_MOST_DIGITS = 4000  # beyond 4,300 Python refuses to read a number, and to write it

UNREADABLE = (ValueError, ArithmeticError, RecursionError)
"""What can be raised by a look at what a file says."""


def loads(text: str | bytes) -> Any:
    """Return the JSON in *text*; a number of absurd length is infinite, which nothing accepts.

    Raises what `UNREADABLE` holds.
    """
    return _decoder.decode(text if isinstance(text, str) else text.decode("utf-8", "surrogatepass"))


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float("inf")


_decoder = json.JSONDecoder(parse_int=_integer)


def json_bytes(fields: Mapping[str, Any]) -> bytes:
    """Return *fields* as JSON on one line; what JSON does not know becomes text."""
    return json.dumps(fields, default=str).encode()


def sealed(key: str, record: Record) -> bytes:
    """Return the JSON of *record*, sealed, on one line."""
    text = json_bytes(record.to_json())
    return text[:-1] + _seal(key, text)


def is_sealed(key: str, text: bytes) -> bool:
    """Return whether *text* is what `sealed` returned for this key, under this schema."""
    return text.endswith(_seal(key, text[:-_SEAL_LENGTH] + b"}"))


def opened(key: str, text: bytes) -> Record | None:
    """Return the record in *text*, or None where its seal is missing, broken or another's."""
    if not is_sealed(key, text):
        return None
    try:
        record = Record.from_json(loads(text[:-_SEAL_LENGTH] + b"}"))
    except UNREADABLE:
        return None
    return record if record.key == key else None


def opened_account(key: str, text: bytes) -> Account | None:
    """Return whose record *text* is, without parsing the rest; None where the seal is broken."""
    if not (text.startswith(_ACCOUNT) and is_sealed(key, text)):
        return None
    try:
        account = Account.from_json(_decoder.raw_decode(text.decode(), len(_ACCOUNT))[0])
    except UNREADABLE:
        return None
    return account if account.key == key else None


def _seal(key: str, text: bytes) -> bytes:
    checksum = crc32(text, crc32(key.encode("utf-8", "surrogatepass"), _SCHEMA))
    return b', "seal": "%08x"}' % checksum


class Parts(NamedTuple):
    """A record file taken apart: each record is the JSON text on its line."""

    default: str | None
    texts: Mapping[str, bytes]
    rest: Mapping[str, Any]


def joined(parts: Parts) -> bytes:
    """Return the content of the record file."""
    head = _OPENING + json.dumps(parts.default).encode() + _BRIDGE
    lines = [json.dumps(key).encode() + b": " + text for key, text in parts.texts.items()]
    rest = json_bytes(parts.rest)
    tail = b"}}" if rest == b"{}" else b"}, " + rest[1:]
    return b"\n".join((head, b",\n".join(lines), tail) if lines else (head, tail))


def split(content: bytes) -> Parts | None:
    """Return the parts of a record file, or None where it is not laid out as `joined` does."""
    frame = framed(content)
    if frame is None:
        return None
    lines = [line for line in content[frame.end + 1 : frame.start].split(b"\n") if line]
    texts: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        quoted, separator, text = line.partition(b": ")
        key = _key(quoted)
        is_followed = text.endswith(b",")
        if key is None or key in texts or not separator or is_followed == (number == len(lines)):
            return None
        texts[key] = text[:-1] if is_followed else text
    return Parts(frame.default, texts, frame.rest)


def find_record(content: bytes, key: str | None) -> Record | None:
    """Return the record of *key*, or of the default account.

    Returns None in every doubt: the caller then parses the whole.
    """
    frame = framed(content)
    if frame is None:
        return None
    if key is None:
        key = frame.default
    if key is None:
        return None
    begin = content.rfind(b"\n" + json.dumps(key).encode() + b": ", frame.end, frame.start)
    return None if begin < 0 else _on_line(content, begin + 1, frame.start, key)


class Frame(NamedTuple):
    """What stands around the records, and where their lines begin and end."""

    default: str | None
    rest: dict[str, Any]
    end: int
    start: int


def framed(content: bytes) -> Frame | None:
    """Return the frame of a record file, or None where `joined` has not written it."""
    end, start = content.find(b"\n"), content.rfind(b"\n")
    head = content[: max(end, 0)]
    if not (head.startswith(_OPENING) and head.endswith(_BRIDGE)):
        return None
    try:
        root = loads(head + content[start + 1 :])  # first and last line: a file of no record
    except UNREADABLE:
        return None
    version, default, accounts = (
        root.pop(name, None) for name in ("version", "default", "accounts")
    )
    is_ours = version == VERSION and accounts == {} and isinstance(default, str | None)
    return Frame(default, root, end, start) if is_ours else None


def _on_line(content: bytes, begin: int, start: int, key: str) -> Record | None:
    end = content.index(b"\n", begin)
    line = content[begin:end]
    if line.endswith(b",") == (end == start):
        return None
    return opened(key, line.removesuffix(b",").partition(b": ")[2])


def _key(quoted: bytes) -> str | None:
    inner = quoted[1:-1]
    is_plain = inner.translate(None, b"%-._@").isalnum()  # nothing to unescape: no parser needed
    if is_plain and quoted[:1] == quoted[-1:] == b'"':
        return inner.decode()
    try:
        key = loads(quoted)
    except UNREADABLE:
        return None
    return key if isinstance(key, str) else None
