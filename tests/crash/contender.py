"""`python -m crash.contender JOURNAL`: a process that holds locks, one for each line it is told.

`hold PATH` holds a lock for a moment and notes in the journal when it enters and leaves; `die
PATH` leaves the lock of a process that was killed in its hold. Each is answered with a line.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from crash import killing

PATIENCE_SECONDS = 60.0
HOLD_SECONDS = 0.002


def hold(path: Path, journal: int) -> None:
    """Hold the lock at *path*, and say so before and after."""
    with exclusive(path, PATIENCE_SECONDS):
        os.write(journal, f"enter {os.getpid()}\n".encode())
        time.sleep(HOLD_SECONDS)
        os.write(journal, f"leave {os.getpid()}\n".encode())


def die(path: Path) -> None:
    """Leave the lock at *path* to a process that is no more."""
    child = os.fork()
    if child == 0:
        with exclusive(path, PATIENCE_SECONDS):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def main(journal_path: str) -> None:
    """Do what the lines of stdin say."""
    journal = os.open(journal_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for line in sys.stdin:
        order, _, path = line.strip().partition(" ")
        if order == "die":
            die(Path(path))
        else:
            hold(Path(path), journal)
        print("done", flush=True)


if __name__ == "__main__":
    killing.befall(os.environ)

    from click_auth.locks.account_lock import exclusive

    main(sys.argv[1])
