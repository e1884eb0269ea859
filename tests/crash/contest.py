"""Many processes that want the same lock, over and over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from crash.place import TESTS


@dataclass
class Contest:
    """Contenders that wait for orders, and the journal of who held when."""

    contenders: list[subprocess.Popen[str]]
    journal: Path

    def leave_dead(self, path: Path) -> None:
        """Make a lock at *path* whose holder was killed in its hold."""
        self._order(self.contenders[:1], f"die {path}")
        assert path.exists()

    def everybody_holds(self, path: Path) -> None:
        """Let all contenders hold the lock at *path*, each once, begun at the same moment."""
        self._order(self.contenders, f"hold {path}")

    def holds(self) -> int:
        """Return how often the lock was held; fail if two ever held it at once."""
        lines = self.journal.read_text("ascii").splitlines()
        entered, left = lines[::2], lines[1::2]
        assert all(line.startswith("enter ") for line in entered)
        assert left == [line.replace("enter", "leave") for line in entered]
        return len(entered)

    def _order(self, contenders: list[subprocess.Popen[str]], line: str) -> None:
        for each in contenders:
            stdin = _there(each.stdin)
            stdin.write(line + "\n")
            stdin.flush()
        assert [_there(each.stdout).readline() for each in contenders] == ["done\n"] * len(
            contenders
        )


@contextmanager
def contest(size: int, journal: Path, **environ: str) -> Iterator[Contest]:
    """Start *size* contenders, for the length of a block."""
    paths = [str(TESTS), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **environ}
    contenders = [
        subprocess.Popen(
            [sys.executable, "-m", "crash.contender", str(journal)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
        )
        for _ in range(size)
    ]
    try:
        yield Contest(contenders, journal)
    finally:
        for each in contenders:
            each.communicate(timeout=60)


def _there(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
