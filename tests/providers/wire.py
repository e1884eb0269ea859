"""What the tests of this folder share: a server on a real socket that does as it is told."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from click_auth import LoginRequest, LoginUI, OAuthProvider, TokenBundle
from click_auth.http.client import Http
from click_auth.oauth.device import DeviceLogin
from click_auth.oauth.server import Server
from click_auth.providers import ProviderContext

if TYPE_CHECKING:
    from typing_extensions import Self

Reply = bytes | Callable[[socket.socket], None]


def reply(body: bytes | str, status: int = 200, **headers: str) -> bytes:
    """Return the bytes of a whole answer; header names are written with underscores."""
    content = body.encode() if isinstance(body, str) else body
    fields = {"Content_Length": str(len(content)), "Connection": "close", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status} x", *lines, "", ""]).encode() + content


def say(document: object, status: int = 200, **headers: str) -> bytes:
    """Return the bytes of a JSON answer."""
    return reply(json.dumps(document), status, Content_Type="application/json", **headers)


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The form-encoded body; a name that comes twice fails the test."""
        fields = parse_qs(self.body.decode(), keep_blank_values=True, strict_parsing=True)
        assert all(len(values) == 1 for values in fields.values())
        return {name: values[0] for name, values in fields.items()}


@dataclass
class Scripted:
    """A server that answers each request with the next of *replies*, the last one for ever.

    `on` answers a path, without its query, whatever the script says.
    """

    replies: list[Reply] = field(default_factory=list)
    on: dict[str, Reply] = field(default_factory=dict)
    context: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=60).close()
        self._threads[0].join()
        self._listener.close()
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for each in self._threads:
            each.join()

    def paths(self) -> list[str]:
        """Return the paths that were asked for."""
        return [request.path for request in self.seen]

    def _accept(self) -> None:
        while not self._done.is_set():
            with suppress(OSError):
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(60)
        self._connections.append(plain)
        with suppress(OSError, ValueError), plain:
            connection = (
                self.context.wrap_socket(plain, server_side=True) if self.context else plain
            )
            with connection:
                request = _read(connection)
                self.seen.append(request)
                answer = self.on.get(request.path.partition("?")[0]) or self._next()
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    self._done.wait(0.01)

    def _next(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def _read(connection: socket.socket) -> Seen:
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = connection.recv(65536)
        if not chunk:
            raise OSError
        head += chunk
    head, _, body = head.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, path, _ = first.split(" ")
    return Seen(method, path, headers, body)


def reset(connection: socket.socket) -> None:
    """Cut the connection without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def hang(connection: socket.socket) -> None:
    """Say nothing until the other side goes away."""
    connection.recv(1)


def provider(server: Scripted, module: str = "httpx", **facts: Any) -> OAuthProvider:
    """Return a provider whose endpoints are all *server*, each at a path of its own."""
    known: dict[str, Any] = {"client_id": "todo-cli", "http_timeout": 60.0}
    if "issuer" not in facts:
        known["authorization_endpoint"] = f"{server.url}/authorize"
        known["token_endpoint"] = f"{server.url}/token"
    made = OAuthProvider(**{**known, **facts})
    return made.with_context(ProviderContext(Http(module)))


def server_of(made: OAuthProvider) -> Server:
    """Return what an operation of a provider sees of its server."""
    return Server(made, made.prover if made.binds_tokens else None)


def device_login(server: Server, request: LoginRequest, ui: LoginUI, **clock: Any) -> TokenBundle:
    """Log in by device; *clock* is the time that passes while the person is awaited."""
    return DeviceLogin(server, request).begin().wait(ui, **clock)
