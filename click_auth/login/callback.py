"""Parse a request to the loopback address: `GET` on the exact path, by the right host name."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_LONGEST_LINE = 32 * 1024  # a code of 8 KiB, each byte of it percent-encoded, and the rest
_LONGEST_HEAD = 80 * 1024  # cookies of every other program on this host name come along
_MOST_HEADERS = 100
_PARTS_OF_LINE = 3


class Refused(Exception):
    """The request gets *status* and nothing else."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Misdirected(Refused):
    """The redirect came with *query*, but to *host*, which is no name of this listener."""

    def __init__(self, host: str, query: str) -> None:
        super().__init__(HTTPStatus.MISDIRECTED_REQUEST)
        self.host = host
        self.query = query


def parse_request(head: bytes, path: str, authorities: Collection[str]) -> str | None:
    """Return the query with which the redirect came, None while *head* is incomplete.

    *path* is compared as it is, with no decoding and no folding. *authorities* are the values of
    `Host` that name this listener: a web page elsewhere cannot rebind its own name to it. Raises
    `Refused` for anything that is not the redirect.
    """
    line, ended, rest = head.partition(b"\n")
    if len(line) > _LONGEST_LINE:
        raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG)
    headers = _header_lines(rest)
    if not ended or headers is None:
        if len(head) > _LONGEST_HEAD:
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        return None
    host = _host(headers)
    query = _target(line, path)
    if host not in authorities:
        raise Misdirected(host, query)
    return query


def _header_lines(rest: bytes) -> list[bytes] | None:
    """Return the lines up to the empty one, None when that has not come yet."""
    lines = [line.removesuffix(b"\r") for line in rest.split(b"\n")]
    found = lines[: lines.index(b"")] if b"" in lines[:-1] else None
    if len(lines if found is None else found) > _MOST_HEADERS:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    return found


def _host(headers: list[bytes]) -> str:
    named = (line.partition(b":") for line in headers)
    hosts = [value.strip() for name, _, value in named if name.lower() == b"host"]
    if len(hosts) != 1:
        raise Refused(HTTPStatus.BAD_REQUEST)
    return hosts[0].decode("latin-1").lower()


def _target(line: bytes, path: str) -> str:
    words = line.removesuffix(b"\r").split(b" ")
    if len(words) != _PARTS_OF_LINE or not words[2].startswith(b"HTTP/1."):
        raise Refused(HTTPStatus.BAD_REQUEST)
    try:
        asked, _, query = words[1].decode("ascii").partition("?")
    except UnicodeDecodeError:
        raise Refused(HTTPStatus.BAD_REQUEST) from None
    if asked != path:
        raise Refused(HTTPStatus.NOT_FOUND)
    if words[0] != b"GET":
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED)
    return query
