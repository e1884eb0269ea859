"""The terminal as a door: the address or the code pasted there while the listener waits.

What is pasted is not shown: it is a credential for as long as the login lasts. Nothing here
blocks and nothing runs on a thread, so closing never hangs and never eats later input.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Protocol, TextIO
from urllib.parse import unquote

from click_auth.providers.authorization import StrayCallback
from click_auth.terminal import in_foreground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse

_LONGEST_LINE = 64 * 1024
_SHORTEST_CODE = 6
_CHUNK = 4096
_BACKGROUND_SECONDS = 0.1
_ENDS, _ERASES, _KILLS, _INTERRUPT = "\r\n", "\b\x7f", "\x15", "\x03"
_BRACKETS = re.compile(r"\x1b\[20[01]~")
_QUERY = re.compile(r"(?:^|[?&])(?:code|state|error)=")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")


class WrongPaste(Exception):
    """What was pasted is of no use, and why: one sentence."""


def answer_in(text: str, request: AuthorizationRequest) -> AuthorizationResponse | None:
    """Return the response that a person pasted, None for an empty line.

    *text* is the whole address of the redirect, its query, or the bare code. Raises `WrongPaste`
    for everything else, and `LoginFailed` when it is the answer and the answer is no.
    """
    line = _BRACKETS.sub("", text).strip()
    if not line:
        return None
    try:
        if re.match(r"https?:", line, re.IGNORECASE):
            return request.answered_by(_query_of("".join(line.split()), request.redirect_uri))
        if _QUERY.search(line):
            return request.answered_by(line.partition("#")[0].removeprefix("?"))
    except StrayCallback as stray:
        raise WrongPaste(f"That is {stray}.") from None
    return request.answered_with(_bare_code(line, request))


def _query_of(address: str, redirect_uri: str) -> str:
    before, _, query = address.partition("#")[0].partition("?")
    if before != redirect_uri.partition("?")[0]:
        raise WrongPaste(f"The address to paste begins with {redirect_uri}; it comes at the end.")
    return query


def _bare_code(line: str, request: AuthorizationRequest) -> str:
    """Return the code. It does not say who sent it: not enough where that was promised."""
    if len(line) < _SHORTEST_CODE or not all("!" <= character <= "~" for character in line):
        raise WrongPaste("That is neither the address that you were sent to nor a code.")
    if request.iss_required:
        raise WrongPaste("This server needs the whole address, not only the code.")
    return unquote(line) if _ESCAPED.search(line) else line


class Keyboard:
    """A terminal that is read without blocking and without echo.

    `fileno` can be waited for, None where nothing but asking again and again helps.
    """

    fileno: int | None = None

    def __init__(self) -> None:
        self._line = ""

    def lines(self) -> list[str] | None:
        """Return the lines finished since the last call, None when no more can come."""
        typed = self._typed()
        return None if typed is None else list(self.feed(typed))

    def close(self) -> None:
        """Give the terminal back as it was. Unread input is thrown away, not passed on."""

    def hide(self) -> None:
        """Show nothing of what is typed: after Ctrl-Z and `fg` the shell has changed that."""

    def feed(self, characters: str) -> Iterator[str]:
        """Yield the lines that *characters* finish; what goes on for too long is dropped."""
        for character in characters:
            if character in _ENDS:
                yield self._line
                self._line = ""
            elif character in _ERASES:
                self._line = self._line[:-1]
            elif character == _KILLS:
                self._line = ""
            elif len(self._line) < _LONGEST_LINE:
                self._line += character

    def _typed(self) -> str | None:
        return None


def open_keyboard(stdin: TextIO | None) -> Keyboard | None:
    """Return the terminal behind *stdin*, None when there is none or it is somebody else's now."""
    with contextlib.suppress(OSError, ValueError):
        if stdin is not None and stdin.isatty():
            return _opened(stdin.fileno())
    return None


class Keys(Protocol):
    """What Windows' `msvcrt` says about the console's keys."""

    def kbhit(self) -> bool:
        """Return whether a key was pressed and not read yet."""

    def getwch(self) -> str:
        """Return that key, without echo; Ctrl-C is one, too."""


class Console(Keyboard):
    """The Windows console, whose keys no selector knows."""

    def __init__(self, keys: Keys) -> None:
        super().__init__()
        self._keys = keys

    def close(self) -> None:
        """Throw away what was pressed and not read."""
        self._typed()

    def _typed(self) -> str | None:
        pressed = ""
        while self._keys.kbhit():
            pressed += self._keys.getwch()
        if _INTERRUPT in pressed:
            raise KeyboardInterrupt
        return pressed


if sys.platform == "win32":
    import msvcrt

    def _opened(_fileno: int) -> Keyboard | None:
        return Console(msvcrt)

else:
    import termios

    class _Terminal(Keyboard):
        """A POSIX terminal, taken out of line mode, which cuts lines: on macOS at 1,024 bytes."""

        def __init__(self, fileno: int) -> None:
            super().__init__()
            self.fileno, self._descriptor = fileno, fileno
            self._before = termios.tcgetattr(fileno)
            self._quiet = termios.tcgetattr(fileno)
            self._quiet[3] &= ~(termios.ICANON | termios.ECHO)
            self.hide()

        def hide(self) -> None:
            if in_foreground(self._descriptor):
                with contextlib.suppress(termios.error):
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, self._quiet)

        def _typed(self) -> str | None:
            if not in_foreground(self._descriptor):
                time.sleep(_BACKGROUND_SECONDS)  # reading would stop the process
                return ""
            try:
                return os.read(self._descriptor, _CHUNK).decode("latin-1") or None
            except OSError:
                return None

        def close(self) -> None:
            if in_foreground(self._descriptor):
                with contextlib.suppress(termios.error):
                    termios.tcflush(self._descriptor, termios.TCIFLUSH)
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)

    def _opened(fileno: int) -> Keyboard | None:
        return _Terminal(fileno) if in_foreground(fileno) else None
