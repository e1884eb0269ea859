"""A process that holds a lock: what the lock tests start, stop and kill."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

from typing_extensions import Self

HOLD = """
import sys
from pathlib import Path
from click_auth.locks.account_lock import exclusive
with exclusive(Path(sys.argv[1]), 60.0):
    print("held", flush=True)
    sys.stdin.readline()
print("released", flush=True)
"""


class Holder:
    """Another process that holds *path* until it is told to let go."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._stdout.readline() == "held\n"

    @property
    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def let_go(self) -> None:
        self.process.communicate("\n", timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)
