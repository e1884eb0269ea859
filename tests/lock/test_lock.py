"""One holder at a time: the promises LK of the hostile world."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from click_auth import (
    KeyringTokenStore,
    MemoryTokenStore,
    StorageUnavailable,
    TokenStore,
    Unreachable,
)
from click_auth.locks.account_lock import LockBusy, account_lock, exclusive, lock_timeout
from lock.holding import Holder


def test_lk_01_killed_holder_delays_nobody(tmp_path: Path) -> None:
    """A lock whose holder was killed is taken over at once, in place."""
    path = tmp_path / "a.lock"
    with Holder(path) as holder:
        holder.process.send_signal(signal.SIGKILL)
        holder.process.wait(30)
        assert path.exists()
        with exclusive(path, 0.0):
            assert path.read_text().split()[0] == str(os.getpid())
    assert not path.exists()


def test_stopped_holder_is_never_robbed(tmp_path: Path) -> None:
    """A holder that is stopped, not dead, keeps its lock, and goes on holding it."""
    path = tmp_path / "a.lock"
    with Holder(path) as holder:
        holder.process.send_signal(signal.SIGSTOP)
        with pytest.raises(LockBusy), exclusive(path, 0.2):
            pytest.fail("two holders")
        holder.process.send_signal(signal.SIGCONT)
        holder.let_go()
    with exclusive(path, 0.0):
        pass


def test_lk_06_release_spares_a_successor(tmp_path: Path) -> None:
    """A holder whose file was deleted meanwhile does not unlink the file of whoever came next."""
    path = tmp_path / "a.lock"
    with exclusive(path, 1.0):
        path.unlink()
        with Holder(path):
            successor = path.stat().st_ino
            assert path.stat().st_ino == successor
    with Holder(path) as holder:
        ours = path.stat().st_ino
        holder.let_go()
        assert not path.exists()
    assert ours


def test_lk_06_replaced_file_is_left_alone(tmp_path: Path) -> None:
    """A file that somebody put in the place of ours is still there after the release."""
    path = tmp_path / "a.lock"
    with exclusive(path, 1.0):
        path.unlink()
        path.write_text("somebody else's")
    assert path.read_text() == "somebody else's"


@pytest.mark.parametrize("moment", [0, 4_000_000_000], ids=["1970", "2096"])
def test_lk_07_age_of_the_file_has_no_effect(tmp_path: Path, moment: int) -> None:
    """A lock file from the past or the future is a lock file: free when nobody holds it."""
    path = tmp_path / "a.lock"
    path.touch()
    os.utime(path, (moment, moment))
    with exclusive(path, 0.0):
        pass
    with Holder(path):
        os.utime(path, (moment, moment))
        with pytest.raises(LockBusy), exclusive(path, 0.05):
            pytest.fail("two holders")


def test_lk_08_folder_where_no_lock_can_be_made(tmp_path: Path) -> None:
    """Where the folder of locks cannot be made, the error names the path."""
    (tmp_path / "locks").write_text("a file in the way")
    with pytest.raises(StorageUnavailable, match=r"user-ada\.lock") as caught:  # noqa: SIM117
        with account_lock(tmp_path, "ada"):
            pytest.fail("held without a file")
    assert caught.value.code == "AUTH_STORE_WRITE_FAILED"


def test_lk_09_descriptors_are_closed_when_a_wait_ends_in_vain(tmp_path: Path) -> None:
    """A waiter that gives up leaves no descriptor open."""
    path = tmp_path / "a.lock"
    with Holder(path):
        for _ in range(20):
            with pytest.raises(LockBusy), exclusive(path, 0.0):
                pytest.fail("two holders")
        opened = map(os.path.realpath, Path("/proc/self/fd").iterdir())
        assert str(path.resolve()) not in opened


def test_lk_11_mode_content_and_message(tmp_path: Path) -> None:
    """The file is private, names its holder, and the error of a waiter names them too."""
    with account_lock(tmp_path, "ada"):
        path = tmp_path / "locks" / "user-ada.lock"
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        with lock_timeout(0.0), pytest.raises(LockBusy, match=str(os.getpid())):  # noqa: SIM117
            with account_lock(tmp_path, "ada"):
                pytest.fail("two holders")


def test_lk_12_released_by_an_exception(tmp_path: Path) -> None:
    """An error in the hold releases it; the next try works at once."""
    path = tmp_path / "a.lock"
    with pytest.raises(KeyboardInterrupt), exclusive(path, 0.0):
        raise KeyboardInterrupt
    with exclusive(path, 0.0):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="an open file stays there")
def test_what_a_lock_gives_says_when_it_is_held_no_more(tmp_path: Path) -> None:
    """`check` raises once somebody has taken the file away."""
    locked: Any = KeyringTokenStore("todo", folder=tmp_path).lock("ada")
    with locked as held:
        held.check()
        (tmp_path / "locks" / "user-ada.lock").unlink()
        with pytest.raises(Unreachable, match="was lost"):
            held.check()


def test_a_lock_in_memory_is_never_lost() -> None:
    """It gives something to `check` like any other: of our store, and of one without a folder."""
    store = MemoryTokenStore()
    locks: list[Any] = [store.lock("ada"), TokenStore.lock(store, "ada")]
    for lock in locks:
        with lock as held:
            held.check()


def test_link_to_somebody_elses_file_is_not_followed(tmp_path: Path) -> None:
    """A lock file that is a link is refused, and what it points to is untouched."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "a.lock").symlink_to(precious)
    with pytest.raises(StorageUnavailable), exclusive(tmp_path / "a.lock", 0.0):
        pytest.fail("followed a link")
    assert precious.read_text() == "precious"


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    """Threads of one process hold the lock one at a time."""
    path, inside, seen = tmp_path / "a.lock", [], []

    def hold() -> None:
        for _ in range(20):
            with exclusive(path, 30.0):
                inside.append(1)
                seen.append(len(inside))
                time.sleep(0.0002)
                inside.pop()

    threads = [threading.Thread(target=hold) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 120


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rf_18_forked_child_does_not_inherit_the_hold(tmp_path: Path) -> None:
    """A child forked in the hold holds nothing, and cannot release what its parent holds."""
    path = tmp_path / "a.lock"
    with exclusive(path, 0.0):
        child = os.fork()
        if child == 0:
            try:
                with exclusive(path, 0.0):
                    os._exit(1)
            except LockBusy:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert path.exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_release_frees_the_lock_though_a_child_keeps_the_descriptor(tmp_path: Path) -> None:
    """A released lock is free even while a forked child still runs."""
    path = tmp_path / "a.lock"
    read_end, write_end = os.pipe()
    with exclusive(path, 0.0):
        child = os.fork()
        if child == 0:
            os.close(write_end)
            os.read(read_end, 1)
            os._exit(0)
    try:
        with exclusive(path, 0.0):
            pass
    finally:
        os.close(write_end)
        os.close(read_end)
        os.waitpid(child, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="flock is POSIX's")
def test_lk_10_held_file_is_left_alone_where_locks_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file system has no locks, the file that a holder has created keeps others out."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    path = tmp_path / "a.lock"
    with exclusive(path, 1.0):
        with pytest.raises(LockBusy), exclusive(path, 0.05):
            pytest.fail("two holders")
        assert path.exists()
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file sizes")
def test_lk_09_no_place_for_temporary_files(tmp_path: Path) -> None:
    """On a full disk the lock can still be taken: its file needs no room."""
    script = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from click_auth.locks.account_lock import exclusive
with exclusive(Path(sys.argv[1]), 0.0):
    print("held")
"""
    command = [sys.executable, "-c", script, str(tmp_path / "a.lock")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.stdout == "held\n", answer.stderr
    assert list(tmp_path.iterdir()) == []
