"""The socket of the test server: connections, threads, and the faults that happen on the wire."""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from click_auth.testing import endpoints
from click_auth.testing.journal import Journal, JournalEntry
from click_auth.testing.messages import Answer, Request, decode_form
from click_auth.testing.typed import override

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.testing.faults import Faults
    from click_auth.testing.service import Service

_Socket = Any  # socketserver's own types allow a pair here, which only datagrams have
_BODY_LIMIT = 1 << 20


class Listener(ThreadingHTTPServer):
    """Accepts connections in one daemon thread and serves each in another, until `close()`."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port: int, service: Service, journal: Journal) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.service = service
        self.journal = journal
        self.closing = threading.Event()
        self._connections: set[_Socket] = set()
        self._changed = threading.Condition()
        self._accepting = threading.Thread(target=self._accept, name="test-server", daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Close the port and every connection, and wait for their threads, 2 s at most."""
        self.closing.set()
        with suppress(OSError):
            # accept() has no timeout to wait for; this connection wakes it.
            socket.create_connection(("127.0.0.1", self.server_port), timeout=1).close()
        self._accepting.join(1.0)
        self.server_close()
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, 1.0)

    @override
    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    @override
    def process_request_thread(self, request: _Socket, client_address: object) -> None:
        """Serve one connection, and know that it is open meanwhile."""
        with self._changed:
            self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._connections.discard(request)
                self._changed.notify_all()

    @override
    def handle_error(self, request: _Socket, client_address: object) -> None:
        """Say nothing of clients that went away; anything else is a bug and is printed."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, address = self.socket.accept()
            except OSError:
                continue
            if self.closing.is_set():
                connection.close()
            else:
                self.process_request(connection, address)


class _Handler(BaseHTTPRequestHandler):
    """Reads requests off one connection, and sends answers as the faults say."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @override
    def log_message(self, *_: object) -> None:
        """Print nothing: queries hold codes, and the journal has it all."""

    def serve(self) -> None:
        arrived = time.monotonic()
        server = cast("Listener", self.server)
        faults = server.service.faults
        request = self._read(server.service)
        if request is None:
            self._send(Answer(413), faults)
            return
        answer = self._answer(server, request)
        server.journal.add(
            JournalEntry(
                request.method,
                request.path,
                request.endpoint,
                request.query,
                request.form,
                request.headers,
                request.body,
                None if answer is None else answer.status,
                arrived,
            )
        )
        if answer is not None:
            self._send_as_ordered(server, request, answer)
            return
        self.close_connection = True
        if request.endpoint in faults.never_answer:
            server.closing.wait()

    def _read(self, service: Service) -> Request | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _BODY_LIMIT:
            self.close_connection = True
            return None
        body = self.rfile.read(int(length))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query, repeated = decode_form(parts.query)
        form: dict[str, str] = {}
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form, again = decode_form(body.decode(errors="replace"))
            repeated += again
        endpoint = endpoints.find_endpoint(parts.path, service.path)
        return Request(self.command, parts.path, endpoint, query, form, headers, body, repeated)

    def _answer(self, server: Listener, request: Request) -> Answer | None:
        """Return what is to be sent; None: nothing is."""
        service, endpoint = server.service, request.endpoint
        faults = service.faults
        server.closing.wait(faults.delay.get(endpoint, 0.0))
        if endpoint in faults.never_answer or faults.spend(faults.drop_request, endpoint):
            return None
        answer = faults.instead(request)
        if answer is None:
            answer = faults.change(endpoint, endpoints.answer(service, request))
        server.closing.wait(faults.delay_answer.get(endpoint, 0.0))
        return None if faults.spend(faults.drop_answer, endpoint) else answer

    def _send_as_ordered(self, server: Listener, request: Request, answer: Answer) -> None:
        faults, endpoint = server.service.faults, request.endpoint
        added = faults.headers.get(endpoint)
        if added:
            answer = Answer(answer.status, {**answer.headers, **added}, answer.body)
        if endpoint in faults.raw:
            self.close_connection = True
            self.wfile.write(faults.raw[endpoint])
        elif endpoint in faults.drip:
            self._drip(
                server.closing, self._head(answer, faults) + answer.body, faults.drip[endpoint]
            )
        elif faults.spend(faults.truncate, endpoint):
            self.close_connection = True
            self.wfile.write(self._head(answer, faults) + answer.body[: len(answer.body) // 2])
        else:
            self._send(answer, faults)

    def _send(self, answer: Answer, faults: Faults) -> None:
        self.wfile.write(self._head(answer, faults) + answer.body)

    def _head(self, answer: Answer, faults: Faults) -> bytes:
        own = {
            "Date": self.date_time_string(time.time() + faults.date_skew),
            "Content-Length": str(len(answer.body)),
            "Connection": "close" if self.close_connection else "keep-alive",
        }
        headers = {**own, **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} {self._reason(answer.status)}"]
        lines += (f"{name}: {value}" for name, value in headers.items())
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _reason(self, status: int) -> str:
        return self.responses.get(status, ("Unknown", ""))[0]

    def _drip(self, closing: threading.Event, content: bytes, pause: float) -> None:
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if closing.wait(pause):
                break
        self.close_connection = True


def _method(name: str) -> Callable[[_Handler], None]:
    def serve(handler: _Handler) -> None:
        handler.serve()

    serve.__name__ = name
    return serve


for _name in ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
    setattr(_Handler, f"do_{_name}", _method(f"do_{_name}"))
