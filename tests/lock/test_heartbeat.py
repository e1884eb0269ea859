"""The lock for file systems that lock no files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from click_auth import heartbeat
from click_auth.heartbeat import LockBusy, beating_lock


def soon(seconds: float = 0.1) -> float:
    """Return a deadline."""
    return time.monotonic() + seconds


def test_holder_is_alone(tmp_path: Path) -> None:
    """While it is held nobody else gets it; afterwards the file is gone."""
    path = tmp_path / "a.lock"
    with beating_lock(path, soon()):
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(LockBusy), beating_lock(path, soon()):
            pytest.fail("two holders")
    assert list(tmp_path.iterdir()) == []


def test_lk_04_dead_process_of_this_machine_is_proof(tmp_path: Path) -> None:
    """The lock of a process that is gone is taken over."""
    path = tmp_path / "a.lock"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(30)
    path.write_text(f"{gone.pid} {socket.gethostname()} -\n")
    with beating_lock(path, soon(5.0)):
        pass


def test_lk_04_number_that_went_to_a_stranger_is_proof(tmp_path: Path) -> None:
    """A process id that another process has by now does not keep the lock."""
    path = tmp_path / "a.lock"
    path.write_text(f"{os.getpid()} {socket.gethostname()} 1\n")
    with beating_lock(path, soon(5.0)):
        pass


@pytest.mark.parametrize(
    "signature",
    [f"{os.getppid()} {socket.gethostname()} -", "1 another-host 1", "junk"],
    ids=["alive", "another host", "unreadable"],
)
def test_lk_04_nothing_is_taken_without_proof(tmp_path: Path, signature: str) -> None:
    """A live process, another machine and an unreadable file keep the lock."""
    path = tmp_path / "a.lock"
    path.write_text(signature)
    with pytest.raises(LockBusy), beating_lock(path, soon(0.2)):
        pytest.fail("robbed")
    assert path.read_text() == signature


def test_heart_beats_while_it_is_held(tmp_path: Path) -> None:
    """A holder's file gets younger, so that waiters on other machines see a sign of life."""
    path = tmp_path / "a.lock"
    with beating_lock(path, soon()):
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 30
        while path.stat().st_mtime == 1 and time.monotonic() < deadline:
            time.sleep(heartbeat.BEAT_SECONDS / 10)
        assert path.stat().st_mtime > 1
