"""How the record file is laid out, so that one record can be found without parsing the others.

The first line ends with the opening of `accounts`, each record has a line of its own, and the last
line closes `accounts` and holds the rest. There is no newline at the end: a file that was cut
off, wherever, is not JSON any more, and its last line shows it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from click_auth.stores.sealing import json_bytes, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.records import Record

VERSION = 1

_OPENING = b'{"version": %d, "default": ' % VERSION
_BRIDGE = b', "accounts": {'
_ONE_RECORD = 2  # newlines


@dataclass(frozen=True)
class Parts:
    """A record file taken apart: each record is the JSON text on its line."""

    default: str | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)


def joined(parts: Parts) -> bytes:
    """Return the content of the record file."""
    head = _OPENING + json.dumps(parts.default).encode() + _BRIDGE
    lines = [json.dumps(key).encode() + b": " + text for key, text in parts.texts.items()]
    rest = json_bytes(parts.rest)
    tail = b"}}" if rest == b"{}" else b"}, " + rest[1:]
    return b"\n".join((head, b",\n".join(lines), tail) if lines else (head, tail))


def split(content: bytes) -> Parts | None:
    """Return the parts of a record file, or None where it is not laid out as `joined` does."""
    end, start = content.find(b"\n"), content.rfind(b"\n")
    default, rest = _default(content, end), _rest(content, start)
    if rest is None or isinstance(default, _Doubt):
        return None
    texts: dict[str, bytes] = {}
    lines = content[end + 1 : start].split(b"\n") if start > end else []
    for number, line in enumerate(lines, 1):
        text = line if number == len(lines) else line[:-1]
        quoted, separator, text = text.partition(b": ")
        key = _key(quoted)
        has_comma = line.endswith(b",")
        if key is None or key in texts or not separator or has_comma == (number == len(lines)):
            return None
        texts[key] = text
    return Parts(default, texts, rest)


def find_record(content: bytes, key: str | None) -> Record | None:
    """Return the record of *key*, of the default account, or of the only one.

    Returns None in every doubt: the caller then parses the whole.
    """
    end, start = content.find(b"\n"), content.rfind(b"\n")
    default = _default(content, end)
    if isinstance(default, _Doubt) or _rest(content, start) is None:
        return None
    if key is None:
        key = default or _only_key(content, end, start)
    if key is None:
        return None
    begin = content.rfind(b"\n" + json.dumps(key).encode() + b": ", end, start)
    return None if begin < 0 else _on_line(content, begin + 1, start, key)


def _on_line(content: bytes, begin: int, start: int, key: str) -> Record | None:
    end = content.index(b"\n", begin)
    line = content[begin:end]
    if line.endswith(b",") == (end == start):
        return None
    return opened(key, line.removesuffix(b",").partition(b": ")[2])


class _Doubt:
    """The first line is not one that `joined` writes."""


def _default(content: bytes, end: int) -> str | _Doubt | None:
    head = content[: max(end, 0)]
    if not (head.startswith(_OPENING) and head.endswith(_BRIDGE)):
        return _Doubt()
    try:
        default = json.loads(head[len(_OPENING) : -len(_BRIDGE)])
    except (ValueError, RecursionError):
        return _Doubt()
    return default if default is None or isinstance(default, str) else _Doubt()


def _rest(content: bytes, start: int) -> dict[str, Any] | None:
    try:
        rest = json.loads(b'{"accounts": {' + content[start + 1 :])
    except (ValueError, RecursionError):
        return None
    is_tail = isinstance(rest, dict) and rest.pop("accounts", None) == {}
    return rest if is_tail and not rest.keys() & {"version", "default"} else None


def _only_key(content: bytes, end: int, start: int) -> str | None:
    if content.count(b"\n") != _ONE_RECORD:
        return None
    return _key(content[end + 1 : start].partition(b": ")[0])


def _key(quoted: bytes) -> str | None:
    try:
        key = json.loads(quoted)
    except (ValueError, RecursionError):
        return None
    return key if isinstance(key, str) else None
