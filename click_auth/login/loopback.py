"""The loopback redirect listener (RFC 8252 section 7.3), without a thread of its own.

It lives on the selector of whoever waits for the answer, so that nothing a visitor does, or
leaves undone, holds up another visitor, the terminal, or Ctrl-C. Nothing is logged.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from click_auth.errors import LoginFailed
from click_auth.login import pages
from click_auth.login.callback import Misdirected, Refused, query_of
from click_auth.providers.authorization import StrayCallback

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.login.listener import Listener
    from click_auth.providers.authorization import AuthorizationResponse

_VISIT_SECONDS = 5.0
_LINGER_SECONDS = 1.0
_DELIVERY_SECONDS = 2.0
_HOLD_SECONDS = 15.0
_REST_SECONDS = 0.05
_MOST_VISITORS = 32
_CHUNK = 16 * 1024
_MOST_SPILLED = 1024 * 1024


class Visitor:
    """One connection: what it has said so far, and until when it may stay."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)  # noqa: FBT003
        self.connection = connection
        self.head: bytes = b""
        self.answered: bool = False
        self.spilled: int = 0
        self.leaves_at: float = time.monotonic() + _VISIT_SECONDS

    def hear(self) -> bytes | None:
        """Return what came, nothing when the visitor has left, None when there was no need."""
        try:
            return self.connection.recv(_CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def answer(self, reply: bytes) -> None:
        """Send *reply*, which fits into any send buffer, and the end of the stream."""
        self.answered = True
        self.leaves_at = time.monotonic() + _LINGER_SECONDS
        with contextlib.suppress(OSError):
            self.connection.send(reply)
            self.connection.shutdown(socket.SHUT_WR)


class Held:
    """The browser that brought the answer; it is kept waiting until the outcome is known."""

    def __init__(self, connection: socket.socket, seconds: float = _HOLD_SECONDS) -> None:
        self._connection: socket.socket | None = connection
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._deliver, [pages.undecided()])
        self._timer.daemon = True
        self._timer.start()

    def tell(self, reply: bytes) -> None:
        """Send the outcome. Only the first call does anything; blocks for 2 s at most."""
        self._timer.cancel()
        self._deliver(reply)
        self._timer.join(_DELIVERY_SECONDS)

    def _deliver(self, reply: bytes) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is None:
            return
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_DELIVERY_SECONDS)
            connection.sendall(reply)
            connection.shutdown(socket.SHUT_WR)


class Loopback:
    """Answers whoever visits the *listener*, until one of them brings the answer.

    *accept* turns the query of a redirect into the response that it is. What it raises decides:
    after a `StrayCallback` the wait goes on, a `LoginFailed` ends it. Either way of ending leaves
    the browser in `held`. *misdirected* is told of a redirect under a name that is not ours.
    """

    def __init__(
        self,
        listener: Listener,
        selector: selectors.BaseSelector,
        accept: Callable[[str], AuthorizationResponse],
        misdirected: Callable[[Misdirected], None],
    ) -> None:
        self.held: Held | None = None
        self._misdirected = misdirected
        self._listener = listener
        self._selector = selector
        self._accept = accept
        self._visitors: list[Visitor] = []
        for one in listener.sockets:
            selector.register(one, selectors.EVENT_READ, partial(self._admit, one))

    def tick(self) -> None:
        """Show out those whose time is up."""
        now = time.monotonic()
        for visitor in [one for one in self._visitors if one.leaves_at <= now]:
            self._dismiss(visitor)

    def close(self) -> None:
        """Close the port and every connection but the held one."""
        for visitor in list(self._visitors):
            self._dismiss(visitor)
        self._listener.close()

    def _admit(self, listening: socket.socket) -> None:
        if len(self._visitors) >= _MOST_VISITORS:
            self._dismiss(self._visitors[0])
        try:
            connection, _ = listening.accept()
        except OSError:
            time.sleep(_REST_SECONDS)  # out of descriptors: others are given back soon
            return
        visitor = Visitor(connection)
        self._visitors.append(visitor)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._serve, visitor))

    def _serve(self, visitor: Visitor) -> AuthorizationResponse | None:
        said = visitor.hear()
        if said == b"":
            self._dismiss(visitor)
        elif said is not None and visitor.answered:
            # Thrown away: closing on unread bytes would recall the answer.
            visitor.spilled += len(said)
            if visitor.spilled > _MOST_SPILLED:
                self._dismiss(visitor)
        elif said is not None:
            visitor.head += said
            return self._answer(visitor)
        return None

    def _answer(self, visitor: Visitor) -> AuthorizationResponse | None:
        response: AuthorizationResponse | None = None
        try:
            query = query_of(visitor.head, self._listener.path, self._listener.authorities)
            response = None if query is None else self._accept(query)
        except Refused as refused:
            if isinstance(refused, Misdirected):
                self._misdirected(refused)
            reply = pages.refusal(refused.status)
            to_head = visitor.head.startswith(b"HEAD ")
            visitor.answer(reply[: reply.index(b"\r\n\r\n") + 4] if to_head else reply)
        except StrayCallback:
            visitor.answer(pages.refusal(HTTPStatus.BAD_REQUEST))
        except LoginFailed:
            self._hold(visitor)
            raise
        if response is not None:
            self._hold(visitor)
        return response

    def _hold(self, visitor: Visitor) -> None:
        self._release(visitor)
        self.held = Held(visitor.connection)

    def _dismiss(self, visitor: Visitor) -> None:
        self._release(visitor)
        visitor.connection.close()

    def _release(self, visitor: Visitor) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(visitor.connection)
        with contextlib.suppress(ValueError):
            self._visitors.remove(visitor)
