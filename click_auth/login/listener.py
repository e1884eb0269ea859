"""Which loopback address a login listens on. A port is held from here until the login is over."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from click_auth.errors import PORT_BIND_FAILED, LoginFailed
from click_auth.urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

_BACKLOG = 64
_TWIN_ATTEMPTS = 20
_HIGHEST_PORT = 65535
_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
_TWINS = {"127.0.0.1": "::1", "::1": "127.0.0.1"}


@dataclass(frozen=True)
class Listener:
    """Listening sockets and the one redirect URI that leads to them."""

    redirect_uri: str
    sockets: tuple[socket.socket, ...]

    @property
    def port(self) -> int:
        """The port, the same on every socket."""
        port: int = self.sockets[0].getsockname()[1]
        return port

    @property
    def path(self) -> str:
        """The path that a browser asks for."""
        return urlsplit(self.redirect_uri).path or "/"

    @property
    def authorities(self) -> frozenset[str]:
        """What a browser that came here on purpose puts into `Host`."""
        parts = urlsplit(self.redirect_uri.lower())
        host = parts.netloc.removesuffix(":80")
        return frozenset({parts.netloc, host} if parts.port == 80 else {parts.netloc})  # noqa: PLR2004

    def close(self) -> None:
        """Give the port back."""
        for one in self.sockets:
            one.close()


@dataclass(frozen=True)
class _Candidate:
    """One address to try; port 0 is any free one."""

    uri: SplitResult
    host: str
    port: int
    is_twin: bool = False

    def listen(self) -> Listener | OSError:
        """Return the listener, or why there is none."""
        try:
            sockets = _listen_on(self.host, self.port)
        except OSError as error:
            return error
        shown = f"[{self.host}]" if ":" in self.host else self.host
        netloc = f"{shown}:{sockets[0].getsockname()[1]}"
        return Listener(self.uri._replace(netloc=netloc).geturl(), sockets)

    def twins(self) -> list[_Candidate]:
        """Return the same on the other IP version, for hosts that have only that one.

        A server that allows any port on one loopback literal allows it on both (RFC 8252 section
        7.3); a port that was registered says nothing of the other address.
        """
        other = _TWINS.get(self.host)
        if other is None or self.uri.port is not None or self.is_twin:
            return []
        return [_Candidate(self.uri, other, self.port, is_twin=True)]

    def __str__(self) -> str:
        return f"{self.host} port {self.port}" if self.port else f"{self.host} (any port)"


def listen(redirect_uris: Sequence[str], callback_port: int | None = None) -> Listener:
    """Return a listener for the first of *redirect_uris* whose address is free.

    A URI without a port takes any free one; *callback_port* replaces the port of each. Raises
    `LoginFailed` (AUTH_PORT_BIND_FAILED), which names what was tried.
    """
    tried: dict[str, str] = {}
    candidates = _candidates(redirect_uris, callback_port)
    for candidate in candidates:
        outcome = candidate.listen()
        if isinstance(outcome, Listener):
            return outcome
        tried[str(candidate)] = _reason(outcome)
        if outcome.errno in _NO_SUCH_ADDRESS:
            candidates += candidate.twins()
    places = ", ".join(f"{place} ({why})" for place, why in tried.items())
    raise _failure(
        f"There is no address to listen on for the browser's answer: {places}.",
        "End what holds the port, or choose another one with --callback-port.",
    )


def _failure(message: str, hint: str) -> LoginFailed:
    return LoginFailed(message, code=PORT_BIND_FAILED, hints=[hint])


def _candidates(redirect_uris: Sequence[str], callback_port: int | None) -> list[_Candidate]:
    if callback_port is not None and not 0 < callback_port <= _HIGHEST_PORT:
        raise _failure(
            f"{callback_port} is no port to listen on.",
            f"--callback-port takes 1 to {_HIGHEST_PORT}.",
        )
    return [_parsed(uri, callback_port) for uri in redirect_uris]


def _parsed(uri: str, callback_port: int | None) -> _Candidate:
    try:
        parts = urlsplit(uri)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        port, host, parts = 0, "", urlsplit("")
    plain = parts.scheme == "http" and parts.username is None and not parts.fragment
    if not (plain and is_loopback(host)):
        raise _failure(
            f"The redirect URI {uri!r} is not http on a loopback address.",
            "This is a setting of the application.",
        )
    return _Candidate(parts, host, port or 0 if callback_port is None else callback_port)


def _listen_on(host: str, port: int) -> tuple[socket.socket, ...]:
    if host != "localhost":
        return (_listening(host, port),)
    for _ in range(_TWIN_ATTEMPTS - 1):
        with contextlib.suppress(OSError):
            return _both_stacks(port)
    return _both_stacks(port)


def _both_stacks(port: int) -> tuple[socket.socket, ...]:
    """Listen on 127.0.0.1 and ::1 at one port; on one of them where the other does not exist."""
    first = _if_it_exists("127.0.0.1", port)
    if first is None:
        return (_listening("::1", port),)
    try:
        second = _if_it_exists("::1", first.getsockname()[1])
    except OSError:
        first.close()
        raise
    return (first,) if second is None else (first, second)


def _if_it_exists(host: str, port: int) -> socket.socket | None:
    try:
        return _listening(host, port)
    except OSError as error:
        if error.errno in _NO_SUCH_ADDRESS:
            return None
        raise


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There, SO_REUSEADDR would let another program take the port over.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setblocking(False)  # noqa: FBT003
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "in use"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "not permitted"
    return "not available"
