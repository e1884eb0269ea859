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
    from collections.abc import Iterator, Mapping

    from click_auth.records import Record

VERSION = 1

_OPENING = b'{"version": %d, "default": ' % VERSION
_BRIDGE = b', "accounts": {'
_ONE_RECORD = 2  # newlines
_MOST_RESEMBLING = 300  # beyond it the whole is parsed as fast


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
    lines = content[end + 1 : start].split(b"\n") if start > end else []
    if lines and lines[-1].endswith(b","):
        return None
    if lines:
        lines[-1] += b","
    texts: dict[str, bytes] = {}
    for line in lines:
        quoted, separator, text = line.partition(b": ")
        key = _key(quoted)
        if key is None or key in texts or not separator or not text.endswith(b","):
            return None
        texts[key] = text[:-1]
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


def find_resembling(content: bytes, ref: str) -> list[Record] | None:
    """Return every record whose id or label can be *ref*, and perhaps others; None in doubt."""
    end, start = content.find(b"\n"), content.rfind(b"\n")
    folded = ref.casefold()
    if isinstance(_default(content, end), _Doubt) or _rest(content, start) is None:
        return None
    if not (folded.isascii() and content.isascii()):
        return None
    needles = (json.dumps(folded)[1:-1].encode(), b"\\u")  # what is not ASCII may fold to it
    lowered = content.lower()
    begins = {begin for needle in needles for begin in _line_begins(lowered, needle, end, start)}
    if len(begins) > _MOST_RESEMBLING:
        return None
    keys = {begin: _key(content[begin : content.index(b'": ', begin) + 1]) for begin in begins}
    records = [_on_line(content, begin, start, key) for begin, key in keys.items() if key]
    found = [record for record in records if record is not None]
    return found if len(found) == len(begins) else None


def _line_begins(lowered: bytes, needle: bytes, end: int, start: int) -> Iterator[int]:
    position, count = lowered.find(needle, end, start), 0
    while position >= 0 and count <= _MOST_RESEMBLING:
        yield lowered.rfind(b"\n", 0, position) + 1
        count += 1
        position = lowered.find(needle, lowered.index(b"\n", position), start)


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
    inner = quoted[1:-1]
    if inner.isalnum() and quoted[:1] == quoted[-1:] == b'"':  # ASCII, and nothing to unescape
        return inner.decode()
    try:
        key = json.loads(quoted)
    except (ValueError, RecursionError):
        return None
    return key if isinstance(key, str) else None
