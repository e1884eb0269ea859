"""The lock for file systems that lock no files."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from click_auth.locks import lock_file
from click_auth.locks.account_lock import LockBusy, exclusive
from click_auth.locks.lock_file import host_id

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock is POSIX's")

SOON = 0.1


@pytest.fixture(autouse=True)
def no_locks_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the file system one that locks no files."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)


def test_holder_is_alone(tmp_path: Path) -> None:
    """While it is held nobody else gets it; afterwards the file is gone."""
    path = tmp_path / "a.lock"
    with exclusive(path, SOON):
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(LockBusy), exclusive(path, SOON):
            pytest.fail("two holders")
    assert list(tmp_path.iterdir()) == []


def test_lk_04_dead_process_of_this_machine_is_proof(tmp_path: Path) -> None:
    """The lock of a process that is gone is taken over."""
    path = tmp_path / "a.lock"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(30)
    path.write_text(f"{gone.pid} {host_id()} -\n")
    with exclusive(path, 30.0):
        pass


def test_lk_04_number_that_went_to_a_stranger_is_proof(tmp_path: Path) -> None:
    """A process id that another process has by now does not keep the lock."""
    path = tmp_path / "a.lock"
    path.write_text(f"{os.getpid()} {host_id()} 1\n")
    with exclusive(path, 30.0):
        pass


@pytest.mark.parametrize(
    "signature",
    [f"{os.getppid()} {host_id()} -", "1 another-host 1", "junk"],
    ids=["alive", "another host", "unreadable"],
)
def test_lk_04_nothing_is_taken_without_proof(tmp_path: Path, signature: str) -> None:
    """A live process, another machine and an unreadable file keep the lock."""
    path = tmp_path / "a.lock"
    path.write_text(signature)
    with pytest.raises(LockBusy), exclusive(path, 0.2):
        pytest.fail("robbed")
    assert path.read_text() == signature


def test_heart_beats_while_it_is_held(tmp_path: Path) -> None:
    """A holder's file gets younger, so that waiters on other machines see a sign of life."""
    path = tmp_path / "a.lock"
    with exclusive(path, SOON):
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 30
        while path.stat().st_mtime == 1 and time.monotonic() < deadline:
            time.sleep(lock_file.BEAT_SECONDS / 10)
        assert path.stat().st_mtime > 1


def test_lk_01_file_that_nobody_signed_is_proof(tmp_path: Path) -> None:
    """Whoever was killed before they could sign keeps others out for some seconds only."""
    path = tmp_path / "a.lock"
    path.touch()
    with exclusive(path, lock_file.QUIET_SECONDS + 30.0):
        assert path.read_text().split()[0] == str(os.getpid())
    assert list(tmp_path.iterdir()) == []


def test_lk_04_heart_that_has_not_beaten_for_a_minute_is_proof(tmp_path: Path) -> None:
    """What another machine has left is taken over, by the clock of the file system."""
    path = tmp_path / "a.lock"
    path.write_text("1 another-host 1")
    moment = time.time() - 2 * lock_file.DEAD_AFTER_SECONDS
    os.utime(path, (moment, moment))
    with exclusive(path, lock_file.QUIET_SECONDS + 30.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_takeover_that_was_killed_is_waited_for_in_bounds(tmp_path: Path) -> None:
    """A waiter that was killed while it took a lock over delays others no longer than they wait."""
    path = tmp_path / "a.lock"
    path.write_text("999999999 " + host_id() + " -")
    guard = tmp_path / "a.lock.takeover"
    guard.touch()
    with pytest.raises(LockBusy), exclusive(path, 0.2):
        pytest.fail("robbed")
    os.utime(guard, (1, 1))
    with exclusive(path, 30.0):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rf_18_forked_child_does_not_release_it(tmp_path: Path) -> None:
    """A child that leaves the block of its parent leaves the parent's hold alone."""
    path = tmp_path / "a.lock"
    with exclusive(path, SOON):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            assert path.exists()
    if not child:
        os._exit(0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rf_18_child_forked_between_two_beats_is_not_held_up(tmp_path: Path) -> None:
    """A child has no beating thread and waits for none; it leaves the block all the same."""
    with exclusive(tmp_path / "a.lock", SOON):
        child = os.fork()
        if child:
            assert ended(child) == 0
    if not child:
        os._exit(0)


def ended(child: int) -> int:
    """Return how a child has ended; one that hangs is killed."""
    deadline = time.monotonic() + 30
    while (status := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(status[1])
