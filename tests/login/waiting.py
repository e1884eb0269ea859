"""A login that waits on a thread, so that a test can be whoever visits it."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from click_auth.console import console
from click_auth.environment import Environment
from click_auth.errors import AuthError
from click_auth.login.ui import TerminalUI
from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

STATE = "the-state-of-this-login"
CODE = "the-code-of-this-login"
ANSWER = f"?code={CODE}&state={STATE}"
BOUND_SECONDS = 60.0  # for a machine that is busy with something else


def request_for(uri: str, **changes: Any) -> AuthorizationRequest:
    """Return an authorization request whose answer comes to *uri*."""
    url = f"https://id.example/authorize?redirect_uri={uri}&state={STATE}"
    return replace(AuthorizationRequest(url, uri, STATE, "v" * 43), **changes)


class Recorder(console.Console):
    """A console that keeps what it says."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.waiting = threading.Event()

    def say(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"Warning: {text}")

    def event(self, name: str, text: str, **fields: Any) -> None:
        self.events.append((name, fields))
        self.lines.append(text)
        if name == "waiting":
            self.waiting.set()

    def error(self, error: Any, _as_json: object, /) -> None:
        self.lines.append(error.message)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class Waiting:
    """A login that waits for its redirect. Leaving the block ends it, whatever has become of it."""

    def __init__(
        self,
        *uris: str,
        timeout: float = BOUND_SECONDS,
        port: int | None = None,
        ui: dict[str, Any] | None = None,
        ends_with: Exception | None = None,
        **changes: Any,
    ) -> None:
        self.console = Recorder()
        self.uri = ""
        self._uris = uris or ("http://127.0.0.1/callback",)
        self._timeout, self._port, self._changes = timeout, port, changes
        self._ends_with = ends_with
        options = {"browser": lambda url: True, **(ui or {})}
        environ = options.pop("environ", {})
        self.ui = TerminalUI(Environment("todo", environ), **options)
        self._outcome: AuthorizationResponse | AuthError | None = None
        self._settled, self._may_finish = threading.Event(), threading.Event()
        self._finish: tuple[bool, str | None] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.console.waiting.wait(BOUND_SECONDS), self._outcome
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        last = threading.Thread(target=self._come_last, daemon=True)
        last.start()
        self._may_finish.set()
        for thread in (self._thread, last):
            thread.join(BOUND_SECONDS)
            assert not thread.is_alive()

    @property
    def authority(self) -> str:
        """Host and port, as `Host` has them."""
        return urlsplit(self.uri).netloc

    @property
    def port(self) -> int:
        port = urlsplit(self.uri).port
        assert port is not None
        return port

    @property
    def is_waiting(self) -> bool:
        return not self._settled.is_set()

    def response(self) -> AuthorizationResponse:
        """Return the response that ended the wait, or raise the error that did."""
        assert self._settled.wait(BOUND_SECONDS)
        if isinstance(self._outcome, AuthError):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome

    def finish(self, *, success: bool = True, message: str | None = None) -> None:
        """Let the login end like this, and wait until it has."""
        self._finish = (success, message)
        self._may_finish.set()
        self._thread.join(BOUND_SECONDS)

    def head(self, target: str, *headers: str, method: str = "GET") -> bytes:
        """Return a request head, with the right `Host` in front of *headers*."""
        lines = (f"{method} {target} HTTP/1.1", f"Host: {self.authority}", *headers, "", "")
        return "\r\n".join(lines).encode("latin-1")

    def connect(self) -> socket.socket:
        return socket.create_connection(self.sockname, timeout=BOUND_SECONDS)

    @property
    def sockname(self) -> tuple[str, int]:
        return (urlsplit(self.uri).hostname or "", self.port)

    def send(self, request: bytes) -> bytes:
        """Return everything that is answered to *request* until the connection ends."""
        with self.connect() as connection:
            connection.sendall(request)
            return received(connection)

    def get(self, query: str) -> bytes:
        return self.send(self.head(f"/callback{query}"))

    def _come_last(self) -> None:
        with contextlib.suppress(OSError):
            if self.is_waiting:
                self.get(ANSWER)

    def _run(self) -> None:
        with console.use_console(self.console), contextlib.suppress(AuthError, OSError), self.ui:
            try:
                self._outcome = self.ui.wait_for_redirect(
                    self._start, self._uris, callback_port=self._port, timeout=self._timeout
                )
            except AuthError as error:
                self._outcome = error
                self._settled.set()
                self.console.waiting.set()
                raise
            self._settled.set()
            if self._ends_with is not None:
                raise self._ends_with
            self._may_finish.wait(BOUND_SECONDS)
            if self._finish is not None:
                self.ui.finish(*self._finish)

    def _start(self, uri: str) -> AuthorizationRequest:
        self.uri = uri
        return request_for(uri, **self._changes)


def at_once() -> float:
    """Return for how many seconds what happens at once may take on this machine just now.

    A busy one may stop anybody for a second or two; everything that a login could wait for in
    vain takes five and more. A process that only imports click takes a tenth of a second on a
    quiet machine.
    """
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import click"], check=True)
    return max(4.0, 10 * (time.monotonic() - began))


def unused_port() -> int:
    """Return a port that nobody listens on, and that nobody gets who asks for any port.

    The range is below those that systems give out, so that other tests do not take it meanwhile.
    """
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def received(connection: socket.socket) -> bytes:
    """Return what comes until the other side has ended."""
    parts: list[bytes] = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def status_of(reply: bytes) -> int:
    """Return the status code of a response."""
    return int(reply.split(b" ", 2)[1])


def refuses(sockname: tuple[str, int]) -> bool:
    """Return whether nobody listens there."""
    try:
        socket.create_connection(sockname, timeout=2).close()
    except OSError:
        return True
    return False
