"""The keyboard of a terminal, read without blocking and without echo, and what is pasted there.

Nothing runs on a thread, so closing never hangs and never eats later input.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import unquote

from click_auth.console import console
from click_auth.console.console import LONGEST_LINE, in_foreground, is_terminal
from click_auth.errors import LoginFailed
from click_auth.providers.authorization import OtherIssuer, StrayCallback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse

_CHUNK = 4096
_POLL_SECONDS = 0.1
_MOST_QUESTIONS = 3
_ENDS, _ERASES, _KILLS, _INTERRUPT, _END_OF_FILE = "\r\n", "\b\x7f", "\x15", "\x03", "\x04"
# Keys, focus and mouse events, the brackets of a paste, titles: what a terminal sends by itself.
_SEQUENCES = re.compile(
    r"\x1b(?:\[M.{3}|\[[0-?]*[ -/]*[@-~]|O[ -~]|\]\d*;[^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\)?"
)

_SHORTEST_CODE = 6
_AMPERSANDS = re.compile(r"&(?:amp;|#38;|#x26;)+|\\u0026", re.IGNORECASE)
_NOT_IN_URLS = re.compile(r'(?:[^!-~]|["<>\\`])+')  # nor in a query as browsers show it
# Parameters are of a URL whose scheme was not copied: no code looks like that.
_ADDRESS = re.compile(r"\W*(?:https?:|localhost[:/]|127\.\d|\[::1)|\S*[?&]\w+=", re.IGNORECASE)
_STARTS = re.compile(r"[?#]|^(?=\w+=)")
_QUERY = re.compile(r"(?:^|&)(?:code|state|error)=")
_HERE = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?![^:/])")
_ISSUER_HERE = re.compile(
    r"(?<=iss=)http(?::|%3A)(?://|%2F%2F)(?:localhost|127\.0\.0\.1|(?:\[|%5B)(?:::|%3A%3A)1(?:]|%5D))"
    r"(?=%3A|%2F|[:/&]|$)",
    re.IGNORECASE,
)
_AFTERWARDS = ".,;:!)]'*"
_MOST_QUERIES = 20  # of one word: a URL within a URL within a URL
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")


def ask(prompt: str, stdin: TextIO | None, *, hidden: bool) -> str:
    """Return what the person typed on *stdin*, or one line of it where it is no terminal.

    Blocks. Raises `LoginFailed` when nothing comes.
    """
    line = answer = ""
    at_terminal = is_terminal(stdin)
    for _ in range(_MOST_QUESTIONS if at_terminal else 1):
        if at_terminal:
            console.current().event("ask", f"{prompt}:", prompt=prompt, hidden=hidden)
        with contextlib.suppress(OSError, ValueError):
            if hidden and at_terminal:
                line = _read_hidden_line(stdin)
            elif stdin is not None:
                line = stdin.readline(LONGEST_LINE + 1)
        answer = line.strip()
        if answer or not line:  # an empty line is no answer, the end of the input is one
            break
    if answer and len(line) <= LONGEST_LINE and "\n" not in answer:
        return answer
    raise LoginFailed(
        f"{prompt}: {'it must be one line, and not too long' if answer else 'none given'}.",
        hints=["Type it, or pipe it in on one line."],
    )


def strip_control(text: str) -> str:
    """Return *text* without what no person has typed: control sequences and the like."""
    plain = _SEQUENCES.sub("", text)
    return "".join(each for each in plain if each.isprintable() or each.isspace())


def _read_hidden_line(stdin: TextIO | None) -> str:
    """Return the line that a person types unseen on the terminal *stdin*, with its end.

    Empty after Ctrl-D, and where the terminal is another job's. However long the line is, it
    comes whole, up to `LONGEST_LINE`: in line mode a terminal would cut it in silence. What is
    pasted as several lines comes as several.
    """
    keyboard = open_keyboard(stdin)
    if keyboard is None:
        return ""
    with contextlib.closing(keyboard):
        keyboard.hide()  # in here, where a Ctrl-C is sure to undo it
        while (lines := keyboard.read_lines()) == []:
            time.sleep(_POLL_SECONDS)
    if not lines or lines[0] == _END_OF_FILE:
        return ""
    return strip_control("\n".join([*lines, keyboard.rest]))


class Keyboard:
    """A terminal that is read without blocking and without echo.

    It is asked again and again: Windows' console cannot be waited for, nor macOS' /dev/tty.
    """

    def __init__(self) -> None:
        self._line = ""
        self._pasted: list[str] = []

    @property
    def rest(self) -> str:
        """What stands behind the last line that was finished."""
        return strip_control(self._line).strip()

    def hide(self) -> None:
        """Show nothing of what is typed from now on, until it is closed."""

    def read_lines(self) -> list[str] | None:
        """Return the lines finished since the last call, None when no more can come."""
        pressed = self._read()
        return None if pressed is None else list(self.feed(pressed))

    def read_pastes(self) -> list[str]:
        """Return what was pasted and finished since the last call: the lines of a URL as one."""
        self._pasted += self.read_lines() or []
        text = "\n".join(self._pasted)
        if _may_be_address(text) and self.rest:
            return []  # a long URL in several lines, the last of which is to come
        pasted, self._pasted = self._pasted, []
        return [text] if _may_be_address(text) else pasted

    def close(self) -> None:
        """Give the terminal back as it was. Unread input is thrown away, not passed on."""

    def feed(self, characters: str) -> Iterator[str]:
        """Yield the lines that *characters* finish; what goes on for too long is dropped."""
        for character in characters:
            if character in _ENDS:
                yield self._line
                self._line = ""
            elif character == _END_OF_FILE and not self._line:
                yield character
            elif character in _ERASES:
                self._line = self._line[:-1]
            elif character == _KILLS:
                self._line = ""
            elif len(self._line) < LONGEST_LINE:
                self._line += character

    def _read(self) -> str | None:
        return None


def open_keyboard(stdin: TextIO | None) -> Keyboard | None:
    """Return the terminal behind *stdin*, None when there is none or it is somebody else's now."""
    with contextlib.suppress(OSError, ValueError):
        if stdin is not None and is_terminal(stdin):
            return _open(stdin.fileno(), getattr(stdin, "encoding", None) or "utf-8")
    return None


class WindowsConsole(Keyboard):
    """The Windows console, whose keys no selector knows. *msvcrt* is the module of that name."""

    def __init__(self, msvcrt: Any) -> None:
        super().__init__()
        self._msvcrt = msvcrt

    def close(self) -> None:
        """Throw away what was pressed and not read."""
        self._read()

    def _read(self) -> str | None:
        pressed = ""
        while self._msvcrt.kbhit():
            pressed += self._msvcrt.getwch()
        if _INTERRUPT in pressed:
            raise KeyboardInterrupt
        return pressed


if sys.platform == "win32":
    import msvcrt

    def _open(_fileno: int, _encoding: str) -> Keyboard | None:
        return WindowsConsole(msvcrt)

else:
    import termios

    class _PosixTerminal(Keyboard):
        """A POSIX terminal, taken out of line mode, which cuts lines: on macOS at 1,024 bytes."""

        def __init__(self, fileno: int, encoding: str) -> None:
            super().__init__()
            self._fileno = fileno
            self._decode = codecs.getincrementaldecoder(encoding)("replace").decode
            self._before, self._hidden = termios.tcgetattr(fileno), termios.tcgetattr(fileno)
            self._hidden[3] &= ~(termios.ICANON | termios.ECHO)

        def hide(self) -> None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._fileno, termios.TCSANOW, self._hidden)

        def _read(self) -> str | None:
            if not in_foreground(self._fileno):  # reading would stop the process
                return ""
            self.hide()  # after Ctrl-Z and `fg` the shell has changed that
            pressed = ""
            with contextlib.suppress(OSError, ValueError):
                while select.select([self._fileno], [], [], 0)[0]:
                    chunk = os.read(self._fileno, _CHUNK)
                    if not chunk:
                        return pressed or None
                    pressed += self._decode(chunk)
                return pressed
            return pressed or None

        def close(self) -> None:
            if in_foreground(self._fileno):
                with contextlib.suppress(termios.error):
                    termios.tcsetattr(self._fileno, termios.TCSANOW, self._before)
                    termios.tcflush(self._fileno, termios.TCIFLUSH)

    def _open(fileno: int, encoding: str) -> Keyboard | None:
        return _PosixTerminal(fileno, encoding) if in_foreground(fileno) else None


class WrongPaste(Exception):
    """What was pasted is of no use, and why: one sentence."""


def parse_paste(text: str, request: AuthorizationRequest) -> AuthorizationResponse | None:
    """Return the response that a person pasted, None for nothing but empty lines.

    *text* holds the URL of the redirect or its query, with whatever else stands around it, or
    is the bare code. The state and the code verifier bind the response to this login, so where the
    browser says that it was does not matter. Raises `WrongPaste` for everything else, the response
    of another issuer included, and `LoginFailed` when it is the response and the server says no.
    """
    line = _AMPERSANDS.sub("&", strip_control(text)).strip()
    here = _HERE.match(request.issuer or "")  # what renames this machine does so everywhere
    wrong: str | None = None
    for query in _find_queries(line, request.state):
        try:
            return request.answered_by(_ISSUER_HERE.sub(here[0], query) if here else query)
        except StrayCallback as stray:  # noqa: PERF203 - each of them may be the one
            wrong = wrong or f"That is {stray}."
        except OtherIssuer as other:
            wrong = wrong or other.message
    if wrong is None and _ADDRESS.match(line):
        wrong = f"Paste the URL your browser ends up on; it starts with {request.redirect_uri}."
    if wrong is not None:
        raise WrongPaste(wrong)
    return request.answered_with(_parse_code(line.strip("'\"<>`"), request)) if line else None


def _find_queries(text: str, state: str) -> Iterator[str]:
    """Yield what may be the query of the redirect, the likeliest first.

    A URL may be wrapped into lines, stand among words, in quotes or in HTML, be encoded to
    travel within another URL, or be there twice.
    """
    junk = re.compile(rf"(?<=state={re.escape(state)})[^&]*")  # what was typed right behind it
    lines = [line.strip() for line in text.splitlines()]
    forms = [text, "".join(lines), _NOT_IN_URLS.sub("", text)]
    if not any(map(_NOT_IN_URLS.search, lines)):  # wrapped: one of them alone may end too early
        forms.reverse()
    for form in forms:
        for readable in (form, unquote(form), unquote(unquote(form))):
            for word in _NOT_IN_URLS.split(readable):
                starts = [found.end() for found in _STARTS.finditer(word)]
                for start in starts[:_MOST_QUERIES]:
                    query = word[start:].partition("#")[0].rstrip(_AFTERWARDS)
                    if _QUERY.search(query):
                        yield junk.sub("", query)


def _may_be_address(text: str) -> bool:
    """Whether *text* may be a URL or a piece of one, and is more than a code."""
    return "=" in text or _ADDRESS.match(text) is not None


def _parse_code(line: str, request: AuthorizationRequest) -> str:
    """Return the code. It does not say who sent it: not enough where that was promised."""
    if len(line) < _SHORTEST_CODE or not all("!" <= character <= "~" for character in line):
        raise WrongPaste("That doesn't look like the redirect URL or a code.")
    if request.iss_required:
        raise WrongPaste("This server needs the whole URL, not just the code.")
    return unquote(line) if _ESCAPED.search(line) else line
