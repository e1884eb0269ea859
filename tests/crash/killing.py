"""What befalls a worker: death at its N-th write, a full disk, no locks, another time.

Nothing of click-auth is replaced: writes are counted where Python hands them to the operating
system, and refused locks are refused there.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from collections.abc import Callable, Mapping
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = {
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir"),
    *("os.truncate", "os.chmod", "os.link", "os.symlink"),
}


class Reaper:
    """Counts this process's writes in some folders, and strikes when it is about to make one.

    A write of bytes counts twice: before it, and when half of them are written. Each write is
    noted in *log* first, so that the log's last line says where the process died.
    """

    def __init__(
        self, folders: tuple[str, ...], log: str, at: int | None, strike: signal.Signals
    ) -> None:
        self._folders = folders
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._at, self._strike = at, strike
        self._count = 0
        self._write, self._fsync = os.write, os.fsync

    def arm(self) -> None:
        """Begin to count."""
        sys.addaudithook(self._audited)
        os.write, os.fsync = self._half_written, self._synced  # type: ignore[assignment]

    def _step(self, what: str) -> None:
        self._count += 1
        self._write(self._log, f"{what}\n".encode())
        if self._count == self._at:
            os.kill(os.getpid(), self._strike)

    def _audited(self, event: str, details: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = details
            if isinstance(path, (str, bytes, os.PathLike)) and flags & _WRITING:
                self._touched("open", path)
        elif event in _CHANGES:
            self._touched(event.partition(".")[2], details[0])

    def _touched(self, what: str, where: Any) -> None:
        name = "" if isinstance(where, int) else os.fsdecode(where)
        if not name or name.startswith(self._folders):
            self._step(f"{what} {os.path.basename(name)}".strip())  # noqa: PTH119 - pathlib is late

    def _half_written(self, descriptor: int, content: bytes) -> int:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return self._write(descriptor, content)
        self._step("write")
        half = self._write(descriptor, content[: len(content) // 2])
        self._step("write, half done")
        return half + self._write(descriptor, content[half:])

    def _synced(self, descriptor: int) -> None:
        self._step("fsync")
        self._fsync(descriptor)


def befall(environ: Mapping[str, str]) -> None:
    """Do to this process what its environment says."""
    for name, fate in _FATES.items():
        if name in environ:
            fate(environ[name], environ)


def _count_writes(log: str, environ: Mapping[str, str]) -> None:
    at = environ.get("CRASH_AT")
    folders = tuple(environ["CRASH_FOLDERS"].split(os.pathsep))
    strike = signal.Signals[environ.get("CRASH_WITH", "SIGKILL")]
    Reaper(folders, log, None if at is None else int(at), strike).arm()


def _refuse_locks(_: str, environ: Mapping[str, str]) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    fcntl.flock = fcntl.lockf = refuse


def _limit_files(size: str, environ: Mapping[str, str]) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))


def _lose_privileges(_: str, environ: Mapping[str, str]) -> None:
    """Obey the modes of files, root though this may be: it keeps its name and no capability."""
    import ctypes

    if os.geteuid() == 0:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        nothing = (ctypes.c_uint32 * 6)()
        assert ctypes.CDLL(None).capset(header, nothing) == 0


def _shift_clock(seconds: str, environ: Mapping[str, str]) -> None:
    import time

    import time_machine

    time_machine.travel(time.time() + float(seconds), tick=True).start()


_FATES: Mapping[str, Callable[[str, Mapping[str, str]], None]] = {
    "CRASH_CLOCK": _shift_clock,
    "CRASH_NO_LOCKS": _refuse_locks,
    "CRASH_FILE_SIZE": _limit_files,
    "CRASH_UNPRIVILEGED": _lose_privileges,
    "CRASH_LOG": _count_writes,
}
