"""The keyboard of a terminal: what is typed or pasted, read without blocking and without echo.

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

from click_auth.console import console
from click_auth.console.terminal import LONGEST_LINE, in_foreground, is_terminal
from click_auth.errors import LoginFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 4096
_POLL_SECONDS = 0.1
_MOST_QUESTIONS = 3
_ENDS, _ERASES, _KILLS, _INTERRUPT, _END_OF_FILE = "\r\n", "\b\x7f", "\x15", "\x03", "\x04"
# Keys, focus and mouse events, the brackets of a paste, titles: what a terminal sends by itself.
_SEQUENCES = re.compile(
    r"\x1b(?:\[M.{3}|\[[0-?]*[ -/]*[@-~]|O[ -~]|\]\d*;[^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\)?"
)


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
                line = read_hidden_line(stdin)
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


def read_hidden_line(stdin: TextIO | None) -> str:
    """Return the line that a person types unseen on the terminal *stdin*, with its end.

    Blocks. Empty after Ctrl-D, and where the terminal is another job's. However long the line is,
    it comes whole, up to `LONGEST_LINE`: in line mode a terminal would cut it in silence. What is
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
