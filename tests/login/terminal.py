"""A person's terminal: a program runs on it, the test types and reads."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

BOUND_SECONDS = 60.0


class Terminal:
    """Runs *argv* on a new pseudo-terminal; its stdout may be a pipe instead.

    Without *columns* it does not say how wide it is.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str] | None = None,
        *,
        pipe: bool = False,
        columns: int = 0,
    ) -> None:
        self.shown = ""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 0, columns, 0, 0))
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=subprocess.PIPE if pipe else slave,
            stderr=slave,
            env=environ,
            start_new_session=True,
            preexec_fn=_own_terminal,  # noqa: PLW1509 - the child does nothing but this before exec
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.hang_up()

    def resize(self, columns: int) -> None:
        """Make the window narrower, or wider."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 0, columns, 0, 0))

    def hang_up(self) -> None:
        """Close the window."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def type(self, text: str | bytes) -> None:
        """Press these keys."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self._master, data[:1024]) :]

    def read_until(self, text: str) -> str:
        """Return everything shown so far, once *text* is in it."""
        deadline = time.monotonic() + BOUND_SECONDS
        while text not in self.shown:
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown!r}"
            assert self._read(), f"it ended without {text!r}: {self.shown!r}"
        return self.shown

    def end(self) -> int:
        """Wait until the program has ended; return its exit status."""
        deadline = time.monotonic() + BOUND_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still running: {self.shown!r}"
            self._read(0.05)
        while self._read(1.0, only_what_is_there=True):  # at once where nobody else is left
            pass
        return self.process.wait()

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> float:
        """Send a signal (Ctrl-C as a key); return how long the program took to end, in seconds."""
        began = time.monotonic()
        if number is signal.SIGINT:
            self.type("\x03")
        else:
            self.process.send_signal(number)
        self.end()
        return time.monotonic() - began

    @property
    def screen(self) -> list[str]:
        """The lines that are left to look at, once what was drawn over or erased is not."""
        lines, column = [""], 0
        for part in re.split(r"(\r|\n|\x1b\[K)", self.shown):
            if part == "\n":
                lines.append("")
            if part in {"\r", "\n"}:
                column = 0
            elif part == "\x1b[K":
                lines[-1] = lines[-1][:column]
            else:
                lines[-1] = lines[-1][:column] + part + lines[-1][column + len(part) :]
                column += len(part)
        return lines

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed, and reads lines."""
        flags = termios.tcgetattr(self._master)[3]
        return bool(flags & termios.ECHO) and bool(flags & termios.ICANON)

    def _read(self, seconds: float = 0.2, *, only_what_is_there: bool = False) -> bool:
        """Read what there is; return False once nothing more can come."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return not only_what_is_there
        try:
            part = os.read(self._master, 65536)
        except OSError:  # Linux: the last one on the terminal has left
            time.sleep(0.01)
            return False
        self.shown = (self.shown + part.decode(errors="replace")).replace("\r\n", "\n")
        return bool(part)


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
