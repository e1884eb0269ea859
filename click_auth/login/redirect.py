"""Wait for the response of a login: the loopback redirect (RFC 8252 section 7.3), or a paste.

No thread of its own: everything is on one selector, so that nothing one client does, or does
not do, delays another client, the terminal, or Ctrl-C. Nothing is logged.
"""

from __future__ import annotations

import contextlib
import secrets
import selectors
import socket
import threading
import time
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from click_auth.console import console
from click_auth.console.text import printable
from click_auth.errors import LoginFailed
from click_auth.login import pages
from click_auth.login.callback import Misdirected, Refused, parse_request
from click_auth.login.paste import WrongPaste, is_address, parse_paste
from click_auth.providers.authorization import StrayCallback

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from click_auth.arguments import PageStyle
    from click_auth.login.keyboard import Keyboard
    from click_auth.login.listener import Listener
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse

_TICK_SECONDS = 0.2  # the keyboard wakes no selector, nor does Ctrl-C on Windows
_VISIT_SECONDS = 5.0
_LINGER_SECONDS = 1.0
_DELIVERY_SECONDS = 2.0
_HOLD_SECONDS = 2.0
_LATER_HOLD_SECONDS = 15.0
_RETURN_SECONDS = 3.0  # its page asks again after one
_LAST_RETURN_SECONDS = 1.5
_REST_SECONDS = 0.05
_MOST_CONNECTIONS = 32
_CHUNK = 16 * 1024
_MOST_DISCARDED = 1024 * 1024


class Connection:
    """One client: what has been received so far, and when its connection is closed."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)  # noqa: FBT003
        self.socket = connected
        self.head: bytes = b""
        self.is_answered: bool = False
        self.discarded: int = 0
        self.closes_at: float = time.monotonic() + _VISIT_SECONDS

    def receive(self) -> bytes | None:
        """Return what has come, nothing at the end of the stream, None where nothing has."""
        try:
            return self.socket.recv(_CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def answer(self, reply: bytes) -> None:
        """Send *reply*, which fits into any send buffer, and the end of the stream."""
        self.is_answered = True
        self.closes_at = time.monotonic() + _LINGER_SECONDS
        with contextlib.suppress(OSError):
            self.socket.send(reply)
            self.socket.shutdown(socket.SHUT_WR)


class HeldBrowser:
    """The browser that brought the response; it is kept waiting until the outcome is known.

    After *seconds* it is shown that the login is being finished, on a page that asks *listener*
    for the outcome by itself, at a URL that nobody else knows.
    """

    def __init__(
        self,
        connection: socket.socket,
        listener: Listener,
        style: PageStyle | None = None,
        seconds: float = _HOLD_SECONDS,
    ) -> None:
        self._connection: socket.socket | None = connection
        self._listener = replace(listener, sockets=tuple(one.dup() for one in listener.sockets))
        self._style = style
        self._seconds = seconds
        self._id = secrets.token_urlsafe(16)
        self._outcome: bytes = b""
        self._known = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def tell(self, reply: bytes) -> None:
        """Send the outcome. Only the first call does anything; blocks for 2 s at most."""
        self._outcome = self._outcome or reply
        self._known.set()
        self._thread.join(_DELIVERY_SECONDS)

    def _run(self) -> None:
        again = f"{self._listener.path}?{self._id}"
        with contextlib.closing(self._listener):
            while self._connection is not None:
                if self._known.wait(self._seconds):
                    _deliver(self._connection, self._outcome)
                    return
                _deliver(self._connection, pages.undecided(self._style, again))
                self._connection, self._seconds = self._next_visit(), _LATER_HOLD_SECONDS

    def _next_visit(self) -> socket.socket | None:
        """Return the connection that asks for the outcome, None where none comes in time."""
        end = time.monotonic() + _RETURN_SECONDS
        with selectors.DefaultSelector() as selector:
            for one in self._listener.sockets:
                selector.register(one, selectors.EVENT_READ, one.accept)
            while time.monotonic() < end:
                if self._known.is_set():  # nobody waits long for a browser that has gone
                    end = min(end, time.monotonic() + _LAST_RETURN_SECONDS)
                for key, _ in selector.select(_TICK_SECONDS):
                    with contextlib.suppress(OSError):
                        connected: socket.socket = key.data()[0]
                        if self._asks_for_outcome(connected):
                            return connected
        return None

    def _asks_for_outcome(self, connected: socket.socket) -> bool:
        """Whether this client has our URL; any other is sent away."""
        connected.settimeout(1.0)
        head, query, reply = b"", None, pages.refusal(HTTPStatus.BAD_REQUEST)
        try:
            while query is None and (part := connected.recv(_CHUNK)):
                head += part
                query = parse_request(head, self._listener.path, self._listener.authorities)
        except Refused as refused:
            reply = pages.refusal(refused.status)
        except OSError:
            pass  # it says nothing
        if query != self._id:
            _deliver(connected, reply)
        return query == self._id


def _deliver(connection: socket.socket, reply: bytes) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(_DELIVERY_SECONDS)
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_WR)


class AnswerWait:
    """The wait for the response to *request*, at the *listener* and at the *keyboard* if any.

    A context manager: leaving it closes all but the connection that brought the response, which is
    in `held`. `strays` are the reasons why other responses were ignored.
    """

    def __init__(
        self,
        listener: Listener,
        request: AuthorizationRequest,
        keyboard: Keyboard | None,
        style: PageStyle | None = None,
    ) -> None:
        self.strays: list[str] = []
        self.held: HeldBrowser | None = None
        self._listener = listener
        self._request = request
        self._keyboard = keyboard
        self._style = style
        self._pasted: list[str] = []
        self._connections: list[Connection] = []
        self._selector = selectors.DefaultSelector()
        for one in listener.sockets:
            self._selector.register(one, selectors.EVENT_READ, partial(self._accept, one))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_keyboard()
        for connection in list(self._connections):
            self._close(connection)
        self._listener.close()
        self._selector.close()

    def first_answer(
        self, seconds: float, *ticks: Callable[[], None]
    ) -> AuthorizationResponse | None:
        """Return whichever response comes first, None when none came within *seconds*.

        Blocks, and calls *ticks* several times a second. Raises `LoginFailed` when the response
        is no.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready = [key.data for key, _ in self._selector.select(min(left, _TICK_SECONDS))]
            for serve in (*ready, self._read_keyboard):
                answer: AuthorizationResponse | None = serve()
                if answer is not None:
                    return answer
            for tick in (self._close_overdue, *ticks):
                tick()
        return None

    # The loopback address

    def _accept(self, listening: socket.socket) -> None:
        if len(self._connections) >= _MOST_CONNECTIONS:
            self._close(self._connections[0])
        try:
            connected, _ = listening.accept()
        except OSError:
            time.sleep(_REST_SECONDS)  # out of descriptors: others are given back soon
            return
        connection = Connection(connected)
        self._connections.append(connection)
        self._selector.register(connected, selectors.EVENT_READ, partial(self._serve, connection))

    def _serve(self, connection: Connection) -> AuthorizationResponse | None:
        if connection not in self._connections:
            return None  # closed in favour of one that came at the same moment
        received = connection.receive()
        if received == b"":
            self._close(connection)
        elif received is not None and connection.is_answered:
            # Thrown away: closing on unread bytes would recall the response.
            connection.discarded += len(received)
            if connection.discarded > _MOST_DISCARDED:
                self._close(connection)
        elif received is not None:
            connection.head += received
            return self._answer(connection)
        return None

    def _answer(self, connection: Connection) -> AuthorizationResponse | None:
        """Return the response that came, None when it is incomplete or of no use."""
        response: AuthorizationResponse | None = None
        try:
            query = parse_request(connection.head, self._listener.path, self._listener.authorities)
            if query is not None:
                response = self._request.answered_by(query)
                self._hold(connection)
        except Refused as refused:
            if isinstance(refused, Misdirected):
                self._note_misdirected(refused)
            reply = pages.refusal(refused.status)
            to_head = connection.head.startswith(b"HEAD ")
            connection.answer(reply[: reply.index(b"\r\n\r\n") + 4] if to_head else reply)
        except StrayCallback as stray:
            self._note(str(stray))
            connection.answer(pages.refusal(HTTPStatus.BAD_REQUEST))
        except LoginFailed:
            self._hold(connection)
            raise
        return response

    def _note_misdirected(self, redirect: Misdirected) -> None:
        with contextlib.suppress(StrayCallback, LoginFailed):
            self._request.answered_by(redirect.query)
            host = printable(redirect.host, 60)
            self._note(f"a response to this login sent to {host!r} instead of here")

    def _note(self, stray: str) -> None:
        if not self.strays:
            console.current().say(f"Ignored {stray}; still waiting.")
        self.strays.append(stray)

    def _close_overdue(self) -> None:
        now = time.monotonic()
        for connection in [one for one in self._connections if one.closes_at <= now]:
            self._close(connection)

    def _hold(self, connection: Connection) -> None:
        self._release(connection)
        self.held = HeldBrowser(connection.socket, self._listener, self._style)

    def _close(self, connection: Connection) -> None:
        self._release(connection)
        connection.socket.close()

    def _release(self, connection: Connection) -> None:
        self._selector.unregister(connection.socket)
        self._connections.remove(connection)

    # The keyboard

    def _read_keyboard(self) -> AuthorizationResponse | None:
        if self._keyboard is None:
            return None
        lines = self._keyboard.read_lines()
        if lines is None:
            self._close_keyboard()
            return None
        self._pasted += lines
        text = "\n".join(self._pasted)
        if is_address(text) and self._keyboard.rest:
            return None  # a long URL in several lines, the last of which is to come
        pasted, self._pasted = [text] if is_address(text) else self._pasted, []
        answers = map(self._parse_paste, pasted)
        return next((answer for answer in answers if answer is not None), None)

    def _parse_paste(self, pasted: str) -> AuthorizationResponse | None:
        try:
            return parse_paste(pasted, self._request)
        except WrongPaste as wrong:
            console.current().say(f"{wrong} Still waiting.")
            return None

    def _close_keyboard(self) -> None:
        keyboard, self._keyboard = self._keyboard, None
        if keyboard is not None:
            keyboard.close()
