"""Which loopback address a login listens on. A port is held from here until the login is over."""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from click_auth.errors import PORT_BIND_FAILED, LoginFailed
from click_auth.http.urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    parsed = list(map(_parsed, redirect_uris))
    candidates = [(uri, uri.hostname or "") for uri in parsed]
    for uri, host in candidates:
        port = uri.port or 0 if callback_port is None else callback_port
        try:
            sockets = _listening(host, port)
        except OSError as error:
            tried[f"{host} port {port or 'any'}"] = _REASONS.get(error.errno or 0, "not available")
            # A server that allows any port on one loopback literal allows it on both (RFC 8252
            # section 7.3); a port that was registered says nothing of the other address.
            if error.errno in _ABSENT and uri.port is None and host == uri.hostname in _TWINS:
                candidates.append((uri, _TWINS[host]))
        else:
            shown = f"[{host}]" if ":" in host else host
            bound = uri._replace(netloc=f"{shown}:{_port_of(sockets[0])}")
            return Listener(bound.geturl(), sockets)
    places = ", ".join(f"{place} ({why})" for place, why in tried.items())
    hint = "Free the port"
    if all(uri.port is None for uri in parsed):  # else it was registered so
        hint += ", or choose another with --callback-port"
    raise _failure(f"Can't listen for the browser's response: {places}.", f"{hint}.")


def _parsed(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname or "", parts.port  # which raises where it is none
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme != "http" or "@" in parts.netloc or parts.fragment or not is_loopback(host):
        raise _failure(
            f"The redirect URI {uri!r} must be an http URL on a loopback address.",
            "This is set by the application.",
        )
    return parts


def _failure(message: str, hint: str) -> LoginFailed:
    return LoginFailed(message, code=PORT_BIND_FAILED, hints=[hint])


def _listening(host: str, port: int, attempts: int = _ATTEMPTS) -> tuple[socket.socket, ...]:
    if host != "localhost":
        return (_listening_at(host, port),)
    try:
        return _on_both(port)
    except OSError as error:
        if port or attempts == 1 or error.errno != errno.EADDRINUSE:
            raise
    return _listening(host, port, attempts - 1)  # free in one IP version, taken in the other


def _on_both(port: int) -> tuple[socket.socket, ...]:
    """Listen at one port of 127.0.0.1 and ::1, or of the one that this machine has."""
    sockets: list[socket.socket] = []
    with ExitStack() as undo:
        for address in _TWINS:
            try:
                one = undo.enter_context(_listening_at(address, port))
            except OSError as error:  # noqa: PERF203 - two of them
                if error.errno not in _ABSENT:
                    raise
            else:
                sockets.append(one)
                port = _port_of(one)
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        undo.pop_all()
    return tuple(sockets)


def _listening_at(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as undo:
        one = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        if sys.platform == "win32":
            # There, SO_REUSEADDR would let another program take the port over.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setblocking(False)  # noqa: FBT003
        one.bind((address, port))
        one.listen(_BACKLOG)
        undo.pop_all()
    return one


def _port_of(one: socket.socket) -> int:
    port: int = one.getsockname()[1]
    return port
