"""The seal on a record's line: this version wrote it, and nobody has touched it since.

A sealed record needs no validation, which costs more than everything else that reading it does.
The seal guards against hand edits and other versions, not against attackers: whoever can write
the file can write a seal.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from click_auth._version import __version__
from click_auth.identity import Identity
from click_auth.records import FIELDS, Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SEAL = "seal"

_WRITER = zlib.crc32("|".join((__version__, *FIELDS)).encode())
_ACCOUNT = b'{"account": '
_decoder = json.JSONDecoder()
_LENGTH = len(', "seal": "89abcdef"}')


def sealed(key: str, record: Record) -> bytes:
    """Return the JSON of *record*, sealed, on one line."""
    text = json_bytes(record.to_json())
    return text[:-1] + _seal(key, text)


def is_sealed(key: str, text: bytes) -> bool:
    """Return whether *text* is what `sealed` returned for this key, in this version."""
    return text.endswith(_seal(key, text[:-_LENGTH] + b"}"))


def opened(key: str, text: bytes) -> Record | None:
    """Return the record in *text*, or None where its seal is missing or broken."""
    if not is_sealed(key, text):
        return None
    return Record.from_json(json.loads(text[:-_LENGTH] + b"}"))


def opened_account(key: str, text: bytes) -> Identity | None:
    """Return whose record *text* is, without parsing the rest; None where the seal is broken."""
    if not (text.startswith(_ACCOUNT) and is_sealed(key, text)):
        return None
    return Identity.from_json(_decoder.raw_decode(text.decode(), len(_ACCOUNT))[0])


def json_bytes(fields: Mapping[str, Any]) -> bytes:
    """Return *fields* as JSON on one line; what JSON does not know becomes text."""
    return json.dumps(fields, default=str).encode()


def _seal(key: str, text: bytes) -> bytes:
    checksum = zlib.crc32(text, zlib.crc32(key.encode("utf-8", "surrogatepass"), _WRITER))
    return b', "seal": "%08x"}' % checksum
