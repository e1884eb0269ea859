"""`python -m crash.lockless SOURCE MOUNTPOINT`: SOURCE again, without file locks (FUSE)."""

# The kernel hands over paths as strings and files as numbers.
# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH208
from __future__ import annotations

import errno
import os
import sys
from typing import Any

import mfusepy  # type: ignore[import-untyped]

_UTIME_NOW = (1 << 30) - 1


class Lockless(mfusepy.Operations):  # type: ignore[misc]
    """What a folder holds, passed through, but that every lock is refused with ENOLCK."""

    use_ns = True

    def __init__(self, source: str) -> None:
        self._source = source

    def _at(self, path: str) -> str:
        return self._source + path

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        facts = os.lstat(self._at(path))
        names = ("st_ino", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size")
        times = {f"st_{each}time": getattr(facts, f"st_{each}time_ns") for each in "acm"}
        return {**{name: getattr(facts, name) for name in names}, **times}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._at(path))]

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self._at(path), mode)

    def rmdir(self, path: str) -> None:
        os.rmdir(self._at(path))

    def unlink(self, path: str) -> None:
        os.unlink(self._at(path))

    def rename(self, old: str, new: str) -> None:
        os.rename(self._at(old), self._at(new))

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self._at(path), mode)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        if times is None or _UTIME_NOW in times:
            os.utime(self._at(path))
        else:
            os.utime(self._at(path), ns=times)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(self._at(path) if fh is None else fh, length)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags & ~(os.O_EXCL | os.O_CREAT))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        os.fsync(fh)

    def release(self, path: str, fh: int) -> None:
        os.close(fh)

    def flock(self, path: str, fh: int, op: int) -> int:
        raise mfusepy.FuseOSError(errno.ENOLCK)

    def lock(self, path: str, fh: int, cmd: int, lock: Any) -> int:
        raise mfusepy.FuseOSError(errno.ENOLCK)


if __name__ == "__main__":
    mfusepy.FUSE(Lockless(sys.argv[1]), sys.argv[2], foreground=True, nothreads=True)
