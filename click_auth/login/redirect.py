"""One wait for one answer, at every door at once: the loopback listener and the terminal."""

from __future__ import annotations

import contextlib
import selectors
import time
from typing import TYPE_CHECKING

from click_auth.console.text import printable
from click_auth.errors import LoginFailed
from click_auth.login.loopback import Loopback
from click_auth.login.paste import WrongPaste, answer_in, is_address
from click_auth.providers.authorization import StrayCallback

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from click_auth.login.callback import Misdirected
    from click_auth.login.listener import Listener
    from click_auth.login.loopback import Held
    from click_auth.login.paste import Keyboard
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse

_TICK_SECONDS = 0.2  # the keyboard wakes no selector, nor does Ctrl-C on Windows


class Doors:
    """The doors of one login. A context manager: leaving it closes all of them.

    `strays` are the reasons why visitors were turned away; `held` is the browser that brought
    the answer and still waits for a page.
    """

    def __init__(
        self,
        listener: Listener,
        request: AuthorizationRequest,
        keyboard: Keyboard | None,
        say: Callable[[str], None],
    ) -> None:
        self.strays: list[str] = []
        self._request = request
        self._say = say
        self._selector = selectors.DefaultSelector()
        self._loopback = Loopback(listener, self._selector, self._accept, self._misdirected)
        self._keyboard = keyboard
        self._pasted: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_keyboard()
        self._loopback.close()
        self._selector.close()

    @property
    def takes_paste(self) -> bool:
        """Whether the terminal is one of the doors."""
        return self._keyboard is not None

    @property
    def held(self) -> Held | None:
        """The browser that brought the answer, None when it was pasted or did not come."""
        return self._loopback.held

    def first_answer(
        self, seconds: float, *ticks: Callable[[], None]
    ) -> AuthorizationResponse | None:
        """Return whichever answer comes first, None when none came within *seconds*.

        Blocks, and calls *ticks* several times a second. Raises `LoginFailed` when the answer is
        no.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready = [key.data for key, _ in self._selector.select(min(left, _TICK_SECONDS))]
            for serve in (*ready, self._typed):
                answer: AuthorizationResponse | None = serve()
                if answer is not None:
                    return answer
            for tick in (self._loopback.tick, *ticks):
                tick()
        return None

    def _accept(self, query: str) -> AuthorizationResponse:
        try:
            return self._request.answered_by(query)
        except StrayCallback as stray:
            self._turned_away(str(stray))
            raise

    def _misdirected(self, redirect: Misdirected) -> None:
        with contextlib.suppress(StrayCallback, LoginFailed):
            self._request.answered_by(redirect.query)
            host = printable(redirect.host, 60)
            self._turned_away(f"the answer to this login, as it was sent to {host!r}, not to here")

    def _turned_away(self, reason: str) -> None:
        if not self.strays:
            self._say(f"Ignored {reason}; still waiting.")
        self.strays.append(reason)

    def _typed(self) -> AuthorizationResponse | None:
        if self._keyboard is None:
            return None
        lines = self._keyboard.lines()
        if lines is None:
            self._close_keyboard()
            return None
        self._pasted += lines
        text = "\n".join(self._pasted)
        if is_address(text) and self._keyboard.rest:
            return None  # a long address in several lines, the last of which is to come
        pasted, self._pasted = [text] if is_address(text) else self._pasted, []
        answers = (self._answer_in(each) for each in pasted)
        return next((answer for answer in answers if answer is not None), None)

    def _answer_in(self, text: str) -> AuthorizationResponse | None:
        try:
            return answer_in(text, self._request)
        except WrongPaste as wrong:
            self._say(f"{wrong} Still waiting.")
            return None

    def _close_keyboard(self) -> None:
        keyboard, self._keyboard = self._keyboard, None
        if keyboard is not None:
            keyboard.close()
