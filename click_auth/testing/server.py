"""The test server as tests hold it, and its socket: connections, threads, faults on the wire."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from click_auth.testing import endpoints
from click_auth.testing.messages import Answer, Endpoint, Request
from click_auth.testing.service import Service

if TYPE_CHECKING:
    from typing_extensions import Self


class AuthorizationServer(Service):
    """An OAuth 2.1 authorization server with a small to-do API, on 127.0.0.1, for tests and demos.

    It checks what a strict server checks (PKCE, exact redirect URIs, single-use codes,
    reuse of rotated refresh tokens), keeps a `journal` of all requests and misbehaves as
    `faults` say. Lifetimes and intervals are seconds. A context manager; `start()` and
    `stop()` do the same, and a server that is started again keeps its port and its state.
    """

    _listener: _Listener | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Bind and serve, in daemon threads."""
        if self._listener is None:
            self._listener = _Listener(self)
            self.port: int = self._listener.port

    def stop(self) -> None:
        """Close the port and all connections; the state stays."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    @contextmanager
    def offline(self) -> Iterator[None]:
        """Nobody listens inside of the block; afterwards the server is back on the same port."""
        self.stop()
        try:
            with socket.socket() as ours:  # bound, so that no other process is given the port
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                ours.bind(("127.0.0.1", self.port))
                yield
        finally:
            self.start()


class _Listener(ThreadingTCPServer):
    """Accepts connections in one daemon thread and serves each in another, until `close()`."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, service: Service) -> None:
        super().__init__(("127.0.0.1", service.port), _Handler)
        self.service = service
        self.port: int = self.server_address[1]
        self.closing: threading.Event = threading.Event()
        self._connections: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self._accept, name="test-server", daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Close the port and every connection, and wait for their threads, 2 s at most."""
        self.closing.set()
        with suppress(OSError):
            # Accepting has no timeout to wait for; this connection wakes it.
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._accepting.join(1.0)
        self.server_close()
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 1.0
        while self._connections and time.monotonic() < deadline:
            time.sleep(0.002)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin with a connection, which `close()` may end."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End with it."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: object) -> None:
        """Say nothing of clients that went away; anything else is a bug and is printed."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def _accept(self) -> None:
        while not self.closing.is_set():
            self.handle_request()


class _Handler(BaseHTTPRequestHandler):
    """Reads requests off one connection, and sends answers as the faults say."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: object) -> None:
        """Print nothing: queries hold codes, and the journal has it all."""

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Return what answers a method: the same for all of them."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._serve

    def _serve(self) -> None:
        service, request = self.server.service, self._read()
        answer = self._answer(service, request)
        service.journal.add(request, None if answer is None else answer.status)
        if answer is not None:
            self._send(answer, request.endpoint)
            return
        self.close_connection = True
        if request.endpoint in service.faults.never_answer:
            self.server.closing.wait()

    def _read(self) -> Request:
        at = time.monotonic()
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        url, fields = urlsplit(self.path), ""
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            fields = body.decode(errors="replace")
        query, form = (parse_qsl(each, keep_blank_values=True) for each in (url.query, fields))
        repeated = set()
        for names in ([name for name, _ in query], [name for name, _ in form]):
            repeated |= {name for name in names if names.count(name) > 1}
        return Request(
            method=self.command,
            path=url.path,
            endpoint=endpoints.find_endpoint(self.server.service, url.path),
            query=dict(query),
            form=dict(form),
            headers=headers,
            body=body,
            repeated=tuple(sorted(repeated)),
            at=at,
        )

    def _answer(self, service: Service, request: Request) -> Answer | None:
        """Return what is to be sent; None: nothing is."""
        faults, endpoint, closing = service.faults, request.endpoint, self.server.closing
        late = closing.wait(faults.delay.get(endpoint, 0.0))
        if late or endpoint in faults.never_answer or faults.spend(faults.drop_request, endpoint):
            return None
        answer = faults.instead(request)
        if answer is None:
            answer = faults.change(endpoint, endpoints.answer(service, request))
        closing.wait(faults.delay_answer.get(endpoint, 0.0))
        return None if faults.spend(faults.drop_answer, endpoint) else answer

    def _send(self, answer: Answer, endpoint: Endpoint) -> None:
        faults = self.server.service.faults
        pause = faults.drip.get(endpoint)
        cut = faults.spend(faults.truncate, endpoint)
        if endpoint in faults.raw or pause is not None or cut:
            self.close_connection = True
        body = answer.body[: len(answer.body) // 2] if cut else answer.body
        content = faults.raw.get(endpoint, self._head(answer, endpoint) + body)
        if pause is None:
            self.wfile.write(content)
            return
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.closing.wait(pause):
                return

    def _head(self, answer: Answer, endpoint: Endpoint) -> bytes:
        faults = self.server.service.faults
        headers = {
            "Date": self.date_time_string(time.time() + faults.date_skew),
            "Content-Length": len(answer.body),
            "Connection": "close" if self.close_connection else "keep-alive",
            **answer.headers,
            **faults.headers.get(endpoint, {}),
        }
        reason, _ = self.responses.get(answer.status, ("Unknown", ""))
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        return f"HTTP/1.1 {answer.status} {reason}\r\n{''.join(lines)}\r\n".encode("latin-1")
