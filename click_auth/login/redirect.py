"""Wait for the response of a login: the loopback redirect (RFC 8252 section 7.3), or a paste.

Everything is on one selector, so that nothing one client does, or does not do, delays another
client, the terminal, or Ctrl-C. Nothing is logged.
"""

from __future__ import annotations

import contextlib
import secrets
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from click_auth.console import console
from click_auth.console.text import printable
from click_auth.errors import LoginFailed
from click_auth.login import pages
from click_auth.login.keyboard import Keyboard, WrongPaste, parse_paste
from click_auth.login.loopback import Listener, Refused, parse_request
from click_auth.providers.authorization import StrayCallback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click_auth.login.pages import Page
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse

_TICK_SECONDS = 0.2  # the keyboard wakes no selector, nor does Ctrl-C on Windows
_DELIVERY_SECONDS = 2.0
_URGENT_SECONDS = 0.3  # for the same where the program is to end
_HOLD_SECONDS = 2.0
_LATER_HOLD_SECONDS = 15.0
_RETURN_SECONDS = 3.0  # its page asks again after one
_LAST_RETURN_SECONDS = 1.5
_VISIT_SECONDS = 5.0
_LINGER_SECONDS = 1.0
_REST_SECONDS = 0.05
_MOST_CONNECTIONS = 32
_MOST_STRAYS = 3
_CHUNK = 16 * 1024
_MOST_DISCARDED = 1024 * 1024


class Connection:
    """One client: what has been received so far, and when its connection is closed."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)  # noqa: FBT003
        self.socket = connected
        self.head: bytes = b""
        self.is_answered: bool = False
        self.closes_at: float = time.monotonic() + _VISIT_SECONDS
        self._discarded = 0

    def receive(self) -> bool:
        """Take what has come; return False at the end of the stream, and where that is too far.

        After an answer it is thrown away: closing on unread bytes would recall the answer.
        """
        try:
            received = self.socket.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self.is_answered:
            self._discarded += len(received)
        else:
            self.head += received
        return bool(received) and self._discarded <= _MOST_DISCARDED

    def refuse(self, status: HTTPStatus) -> None:
        """Send a page that says so, which fits into any send buffer, and the end of the stream."""
        self.is_answered = True
        self.closes_at = time.monotonic() + _LINGER_SECONDS
        head, end, body = pages.refusal(status).partition(b"\r\n\r\n")
        with contextlib.suppress(OSError):
            self.socket.send(head + end + (b"" if self.head.startswith(b"HEAD ") else body))
            self.socket.shutdown(socket.SHUT_WR)


class Server:
    """Serves the clients of *listener*, which stays open when the server is closed.

    *on_refused* is called with each request that is turned away for what its head says.
    """

    def __init__(self, listener: Listener, on_refused: Callable[[Refused], object] = bool) -> None:
        self._listener = listener
        self._on_refused = on_refused
        self._connections: list[Connection] = []
        self._selector = selectors.DefaultSelector()
        for one in listener.sockets:
            self._selector.register(one, selectors.EVENT_READ)

    def poll(self, seconds: float) -> Iterator[tuple[Connection, str]]:
        """Yield each client that was redirected here, with the query. Blocks *seconds* at most.

        All others are turned away.
        """
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._accept(key.fileobj)  # type: ignore[arg-type]
            elif key.data in self._connections:  # not closed for one that came at the same moment
                query = self._receive(key.data)
                if query is not None:
                    yield key.data, query
        now = time.monotonic()
        for connection in [one for one in self._connections if one.closes_at <= now]:
            self._close(connection)

    def release(self, connection: Connection) -> socket.socket:
        """Return the open socket of *connection*, which is not served any more."""
        self._selector.unregister(connection.socket)
        self._connections.remove(connection)
        return connection.socket

    def close(self) -> None:
        """Close every connection that was not released."""
        for connection in list(self._connections):
            self._close(connection)
        self._selector.close()

    def _accept(self, listening: socket.socket) -> None:
        if len(self._connections) >= _MOST_CONNECTIONS:
            self._close(self._connections[0])
        try:
            connection = Connection(listening.accept()[0])
        except OSError:
            time.sleep(_REST_SECONDS)  # out of descriptors: others are given back soon
            return
        self._connections.append(connection)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _receive(self, connection: Connection) -> str | None:
        """Return the query with which the redirect came, None when it is incomplete or is none."""
        if not connection.receive():
            self._close(connection)
        elif not connection.is_answered:
            path, authorities = self._listener.path, self._listener.authorities
            try:
                return parse_request(connection.head, path, authorities)
            except Refused as refused:
                self._on_refused(refused)
                connection.refuse(refused.status)
        return None

    def _close(self, connection: Connection) -> None:
        self.release(connection).close()


class HeldBrowser:
    """The browser that brought the response; it is kept waiting until the outcome is known.

    After *seconds* it is shown that the login is being finished, on a page that asks *listener*
    for the outcome by itself, at a URL that nobody else knows.
    """

    def __init__(
        self,
        browser: socket.socket,
        listener: Listener,
        page: Page = None,
        seconds: float = _HOLD_SECONDS,
    ) -> None:
        self._listener = replace(listener, sockets=tuple(one.dup() for one in listener.sockets))
        self._page = page
        self._id = secrets.token_urlsafe(16)
        self._outcomes: SimpleQueue[bytes] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(browser, seconds), daemon=True)
        self._thread.start()

    def tell(self, reply: bytes, *, is_urgent: bool = False) -> None:
        """Send the outcome. Only the first call does anything; blocks for 2 s at most, or 0.3 s."""
        self._outcomes.put(reply)
        self._thread.join(_URGENT_SECONDS if is_urgent else _DELIVERY_SECONDS)

    def _run(self, browser: socket.socket | None, seconds: float) -> None:
        again = f"{self._listener.path}?{self._id}"
        with contextlib.closing(self._listener):
            while browser is not None:
                with contextlib.suppress(Empty):
                    _deliver(browser, self._outcomes.get(timeout=seconds))
                    return
                _deliver(browser, pages.undecided(self._page, again))
                browser, seconds = self._next_visit(), _LATER_HOLD_SECONDS

    def _next_visit(self) -> socket.socket | None:
        """Return the connection that asks for the outcome, None where none comes in time."""
        end = time.monotonic() + _RETURN_SECONDS
        with contextlib.closing(Server(self._listener)) as server:
            while time.monotonic() < end:
                if not self._outcomes.empty():  # nobody waits long for a browser that has gone
                    end = min(end, time.monotonic() + _LAST_RETURN_SECONDS)
                for connection, query in server.poll(_TICK_SECONDS):
                    if query == self._id:
                        return server.release(connection)
                    connection.refuse(HTTPStatus.BAD_REQUEST)
        return None


def _deliver(connection: socket.socket, reply: bytes) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(_DELIVERY_SECONDS)
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_WR)


@dataclass(eq=False)
class AnswerWait:
    """The wait for the response to *request*, at the *listener* and at the *keyboard* if any.

    `held` is the browser that brought it, `strays` are reasons why others were ignored.
    """

    listener: Listener
    request: AuthorizationRequest
    keyboard: Keyboard | None
    page: Page = None
    strays: list[str] = field(default_factory=list)
    held: HeldBrowser | None = None

    def __post_init__(self) -> None:
        self._server = Server(self.listener, self._note_misdirected)

    def close(self) -> None:
        """Close every connection but the one that brought the response, and the keyboard."""
        if self.keyboard is not None:
            self.keyboard.close()
        self._server.close()

    def first_answer(
        self, seconds: float, *ticks: Callable[[], None]
    ) -> AuthorizationResponse | None:
        """Return whichever response comes first, None when none came within *seconds*.

        Blocks, and calls *ticks* several times a second. Raises `LoginFailed` when the response
        is no.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            response = self._read_keyboard()
            if response is not None:
                return response
            for connection, query in self._server.poll(min(left, _TICK_SECONDS)):
                response = self._take(connection, query)
                if response is not None:
                    return response
            for tick in ticks:
                tick()
        return None

    def _take(self, connection: Connection, query: str) -> AuthorizationResponse | None:
        """Return the response that *query* carries, None when it belongs to no login of ours."""
        try:
            return self.request.answered_by(query)
        except StrayCallback as stray:
            self._note(str(stray))
            connection.refuse(HTTPStatus.BAD_REQUEST)
            return None
        finally:
            if not connection.is_answered:  # it is told how the login ends
                browser = self._server.release(connection)
                self.held = HeldBrowser(browser, self.listener, self.page)

    def _note_misdirected(self, refused: Refused) -> None:
        """Note a response to this login that came under a name which is not the listener's."""
        with contextlib.suppress(StrayCallback, LoginFailed):
            self.request.answered_by(refused.query)
            host = printable(refused.host, 60)
            self._note(f"a response to this login sent to {host!r} instead of here")

    def _note(self, stray: str) -> None:
        if not self.strays:
            console.current().say(f"Ignored {stray}; still waiting.")
        if stray not in self.strays and len(self.strays) < _MOST_STRAYS:
            self.strays.append(stray)

    def _read_keyboard(self) -> AuthorizationResponse | None:
        response = None
        for pasted in self.keyboard.read_pastes() if self.keyboard else ():
            try:
                response = response or parse_paste(pasted, self.request)
            except WrongPaste as wrong:  # noqa: PERF203 - a person types
                console.current().say(f"{wrong} Still waiting.")
        return response
