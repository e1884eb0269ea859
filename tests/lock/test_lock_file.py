"""What a look at the lock file tells those who wait, without taking it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from click_auth.locks.account_lock import LockBusy, exclusive
from click_auth.locks.lock_file import host_id, open_or_create, read_holder, wait_for_holder
from lock.holding import Holder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there the file stays")


def in_a_minute() -> float:
    """Return a deadline that is never reached."""
    return time.monotonic() + 60


def waited(path: Path, then: Callable[[], object]) -> bool:
    """Wait for whoever holds *path*; *then* is done once it is certain that we wait."""
    with ThreadPoolExecutor(1) as pool:
        looker_on = pool.submit(threading.get_ident).result(30)
        outcome = pool.submit(wait_for_holder, path, time.monotonic() + 60)
        while not outcome.done() and not is_waiting(looker_on):
            time.sleep(0.001)
        then()
        return outcome.result(60)


def is_waiting(thread: int) -> bool:
    """Whether *thread* has seen that somebody has signed, and waits."""
    frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not wait_for_holder.__code__:
        frame = frame.f_back
    return frame is not None and frame.f_locals.get("has_waited") is True


def test_a_living_holder_is_waited_for(tmp_path: Path) -> None:
    """A waiter looks on until the holder lets go, and is told that there was one."""
    path = tmp_path / "a.lock"
    with Holder(path) as holder:
        assert waited(path, holder.let_go)
    assert not path.exists()


def test_lk_01_a_holder_that_is_killed_meanwhile_is_waited_for_no_longer(tmp_path: Path) -> None:
    """The wait ends with the process that has signed, though its file stays."""
    path = tmp_path / "a.lock"

    def kill() -> None:
        holder.process.kill()
        holder.process.wait(30)

    with Holder(path) as holder:
        assert waited(path, kill)
    assert path.exists()


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "junk",
        "1 another-host 1",
        f"{os.getpid()} {host_id()} 1",
        f"999999999999999999999 {host_id()} -",
    ],
    ids=["unsigned", "unreadable", "another host", "a stranger's number", "no number"],
)
def test_in_doubt_nobody_is_waited_for(tmp_path: Path, signature: str) -> None:
    """What is not known to be a living process of this machine is left to the kernel's lock."""
    path = tmp_path / "a.lock"
    path.write_text(signature)
    assert not wait_for_holder(path, time.monotonic() + 1)
    assert path.read_text() == signature


def test_nobody_is_waited_for_where_there_is_no_file(tmp_path: Path) -> None:
    """No file, no wait, and none is made."""
    assert not wait_for_holder(tmp_path / "a.lock", in_a_minute())
    assert list(tmp_path.iterdir()) == []


def test_lk_01_a_dead_process_is_not_waited_for(tmp_path: Path) -> None:
    """The file that a killed holder has left holds nobody up."""
    path = tmp_path / "a.lock"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(30)
    path.write_text(f"{gone.pid} {host_id()} -\n")
    assert not wait_for_holder(path, in_a_minute())


def test_the_wait_ends_at_its_deadline(tmp_path: Path) -> None:
    """A holder that does not finish is still there when the patience is at its end."""
    path = tmp_path / "a.lock"
    with Holder(path):
        assert wait_for_holder(path, time.monotonic() + 0.05)
        assert path.exists()


def test_who_has_only_made_the_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Whoever holds the lock is named in its file, not who has made it and may yet give up."""
    path = tmp_path / "a.lock"
    with open_or_create(path).file:
        assert not wait_for_holder(path, in_a_minute())
        with exclusive(path, 0.0):  # somebody is faster than whoever made the file
            with pytest.raises(LockBusy), exclusive(path, 0.0):
                pytest.fail("two holders")
            holder = read_holder(path)
            assert holder is not None
            assert holder.process == os.getpid()
    assert not path.exists()
