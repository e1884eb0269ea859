"""The loopback address of a login: which one it listens on, and what a request to it must be.

A port is held from `listen` until the login is over.
"""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from click_auth.errors import PORT_BIND_FAILED, LoginFailed
from click_auth.http.urls import checked_endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_BACKLOG = 64
_ATTEMPTS = 20
_HIGHEST_PORT = 65535
_HTTP_PORT = 80
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
_REASONS = {
    errno.EADDRINUSE: "in use",
    errno.EACCES: "not permitted",
    **dict.fromkeys(_ABSENT, "not on this machine"),
}
_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")
_TWINS = {"127.0.0.1": "::1", "::1": "127.0.0.1"}
# On Windows, SO_REUSEADDR would let another program take the port over.
_REUSE = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)

_LONGEST_LINE = 32 * 1024  # a code of 8 KiB, each byte of it percent-encoded, and the rest
_LONGEST_HEAD = 80 * 1024  # cookies of every other program on this host name come along
_MOST_HEADERS = 100
_PARTS_OF_LINE = 3


@dataclass(frozen=True)
class Listener:
    """Listening sockets and the one redirect URI that leads to them."""

    redirect_uri: str
    sockets: tuple[socket.socket, ...]

    @property
    def port(self) -> int:
        """The port, the same on every socket."""
        return _port_of(self.sockets[0])

    @property
    def path(self) -> str:
        """The path that a browser asks for."""
        return urlsplit(self.redirect_uri).path or "/"

    @property
    def authorities(self) -> frozenset[str]:
        """What a browser that came here on purpose puts into `Host`.

        A forwarder may call this machine by another of its names; no page can rebind those.
        """
        hosts = {urlsplit(self.redirect_uri.lower()).netloc.rpartition(":")[0], *_THIS_MACHINE}
        named = {f"{host}:{self.port}" for host in hosts}
        return frozenset(named | hosts if self.port == _HTTP_PORT else named)

    def close(self) -> None:
        """Give the port back."""
        for one in self.sockets:
            one.close()


def listen(redirect_uris: Sequence[str], callback_port: int | None = None) -> Listener:
    """Return a listener for the first of *redirect_uris* whose address is free.

    A URI without a port takes any free one; *callback_port* replaces the port of each. Raises
    `LoginFailed` (AUTH_PORT_BIND_FAILED), which names what was tried.
    """
    if callback_port is not None and not 0 < callback_port <= _HIGHEST_PORT:
        raise _failure(f"{callback_port} is not a port.", f"--callback-port: 1 to {_HIGHEST_PORT}.")
    tried: dict[str, str] = {}
    parsed = list(map(_parse_uri, redirect_uris))
    candidates = [(uri, uri.hostname or "") for uri in parsed]
    for uri, host in candidates:
        port = uri.port or 0 if callback_port is None else callback_port
        try:
            sockets = _bind_free(host, port)
        except OSError as error:
            tried[f"{host} port {port or 'any'}"] = _REASONS.get(error.errno or 0, "not available")
            # A server that allows any port on one loopback literal allows it on both (RFC 8252
            # section 7.3); a port that was registered says nothing of the other address.
            if error.errno in _ABSENT and uri.port is None and host == uri.hostname in _TWINS:
                candidates.append((uri, _TWINS[host]))
        else:
            shown = f"[{host}]" if ":" in host else host
            return Listener(
                uri._replace(netloc=f"{shown}:{_port_of(sockets[0])}").geturl(), sockets
            )
    places = ", ".join(f"{place} ({why})" for place, why in tried.items())
    is_registered = any(uri.port is not None for uri in parsed)
    other = "" if is_registered else ", or choose another with --callback-port"
    message = f"Can't listen for the browser's response: {places}."
    raise _failure(message, f"Free the port{other}.")


def _parse_uri(uri: str) -> SplitResult:
    with suppress(ValueError):
        parts = urlsplit(checked_endpoint(uri))
        if parts.scheme == "http":
            return parts
    message = f"The redirect URI {uri!r} must be an http URL on a loopback address."
    raise _failure(message, "This is set by the application.")


def _failure(message: str, hint: str) -> LoginFailed:
    return LoginFailed(message, code=PORT_BIND_FAILED, hints=[hint])


def _bind_free(host: str, port: int, attempts: int = _ATTEMPTS) -> tuple[socket.socket, ...]:
    """Listen at *host*; where any port will do, at one that is free in both IP versions."""
    try:
        return _bind(_TWINS if host == "localhost" else (host,), port)
    except OSError as error:
        if port or attempts == 1 or error.errno != errno.EADDRINUSE:
            raise
    return _bind_free(host, port, attempts - 1)


def _bind(addresses: Collection[str], port: int) -> tuple[socket.socket, ...]:
    """Listen at one port of those *addresses* that this machine has."""
    sockets: list[socket.socket] = []
    absent = OSError()
    with ExitStack() as undo:
        for address in addresses:
            try:
                sockets.append(undo.enter_context(_bind_one(address, port)))
            except OSError as error:  # noqa: PERF203 - two of them
                if error.errno not in _ABSENT:
                    raise
                absent = error
            else:
                port = _port_of(sockets[-1])
        if not sockets:
            raise absent
        undo.pop_all()
    return tuple(sockets)


def _bind_one(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as undo:
        one = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        one.setsockopt(socket.SOL_SOCKET, _REUSE, 1)
        one.setblocking(False)  # noqa: FBT003
        one.bind((address, port))
        one.listen(_BACKLOG)
        undo.pop_all()
    return one


def _port_of(one: socket.socket) -> int:
    port: int = one.getsockname()[1]
    return port


class Refused(Exception):
    """The request gets *status* and nothing else.

    A redirect that came to *host*, which is no name of this listener, brought *query*.
    """

    def __init__(self, status: HTTPStatus, host: str = "", query: str = "") -> None:
        super().__init__(status.phrase)
        self.status = status
        self.host = host
        self.query = query


def parse_request(head: bytes, path: str, authorities: Collection[str]) -> str | None:
    """Return the query with which the redirect came, None while *head* is incomplete.

    *path* is compared as it is, with no decoding and no folding. *authorities* are the values of
    `Host` that name this listener: a web page elsewhere cannot rebind its own name to it. Raises
    `Refused` for anything that is not the redirect.
    """
    lines = head.split(b"\n")
    if len(lines[0]) > _LONGEST_LINE:
        raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG)
    lines = [line.removesuffix(b"\r") for line in lines]
    is_whole = b"" in lines[1:-1]
    headers = lines[1 : lines.index(b"", 1)] if is_whole else lines[1:]
    if len(headers) > _MOST_HEADERS or (not is_whole and len(head) > _LONGEST_HEAD):
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    if not is_whole:
        return None
    named = (line.partition(b":") for line in headers)
    hosts = [value.strip() for name, _, value in named if name.lower() == b"host"]
    if len(hosts) != 1:
        raise Refused(HTTPStatus.BAD_REQUEST)
    query, host = _parse_target(lines[0], path), hosts[0].decode("latin-1").lower()
    if host not in authorities:
        raise Refused(HTTPStatus.MISDIRECTED_REQUEST, host, query)
    return query


def _parse_target(line: bytes, path: str) -> str:
    words = line.split(b" ")
    is_http = len(words) == _PARTS_OF_LINE and words[2].startswith(b"HTTP/1.")
    if not is_http or not words[1].isascii():
        raise Refused(HTTPStatus.BAD_REQUEST)
    asked, _, query = words[1].decode().partition("?")
    if asked != path:
        raise Refused(HTTPStatus.NOT_FOUND)
    if words[0] != b"GET":
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED)
    return query
