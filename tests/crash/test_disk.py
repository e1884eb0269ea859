"""No room, or no permission: what is there stays, and nothing is spent that cannot be kept."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crash import filed_keyring
from crash.place import CrashPlace

NOTHING = 0
SECRETS_ONLY = 120  # bytes: a token has room, a record file has not


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[], None]]:
    """Mount a disk of 256 KiB at *folder*, and yield what fills it."""
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", str(folder)],
        capture_output=True,
        check=False,
    ).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield lambda: _fill(folder / "filling")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as filling:
        while True:
            filling.write(bytes(1024))


@pytest.fixture
def disk(place: CrashPlace, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Put the folder of the records on a small disk; call the fixture to fill it."""
    with small_disk(tmp_path / "disk") as fill:
        place.folder = tmp_path / "disk" / "todo"
        yield fill


def content(place: CrashPlace) -> bytes:
    """Return the record file as it is."""
    return (place.folder / "auth.json").read_bytes()


@pytest.mark.parametrize("storage", ["plaintext", "system"])
def test_fs_10_full_disk(place: CrashPlace, disk: Callable[[], None], storage: str) -> None:
    """On a full disk a refresh is an error before the server is asked; then it works again."""
    place.storage = storage
    place.log_in()
    before = content(place)
    disk()
    assert place.run("token") == {"error": "AUTH_STORE_WRITE_FAILED"}
    assert place.run("login", "ada") == {"error": "AUTH_STORE_WRITE_FAILED"}
    assert place.server.posts("token") == []
    assert content(place) == before
    assert place.leftovers() == []
    (place.folder.parent / "filling").unlink()
    assert "ok" in place.run("token")


def test_fs_10_disk_that_fills_up_during_the_request(
    place: CrashPlace, disk: Callable[[], None]
) -> None:
    """The new token serves this command, aloud; the old file is intact and the keyring is ahead."""
    place.storage = "system"
    place.log_in()
    before = content(place)
    place.server.faults.hooks["token"] = lambda _request: disk()
    process = place.start("token")
    stdout, stderr = process.communicate(timeout=60)
    assert '"ok"' in stdout
    assert "couldn't be stored" in stderr
    assert content(place) == before
    (place.folder.parent / "filling").unlink()
    place.server.faults.clear()
    assert place.next_command(sent=None) == "ok"
    assert place.server.reuse_count == 0
    assert place.leftovers() == []


@pytest.mark.parametrize("storage", ["plaintext", "system"])
def test_fs_10_lk_09_file_size_limit(place: CrashPlace, storage: str) -> None:
    """The same where files may not grow, root or not: a typed error, and no request."""
    place.storage = storage
    place.log_in()
    before = content(place)
    assert place.run("token", CRASH_FILE_SIZE="0") == {"error": "AUTH_STORE_WRITE_FAILED"}
    assert place.run("login", "ada", CRASH_FILE_SIZE="0") == {"error": "AUTH_STORE_WRITE_FAILED"}
    assert place.server.posts("token") == []
    assert content(place) == before
    assert place.leftovers() == []
    assert place.next_command(sent=None) == "ok"


def limited_when_asked(place: CrashPlace, size: int) -> tuple[str, str]:
    """Run a refresh whose files may only have *size* bytes once the server was asked."""
    started: list[subprocess.Popen[str]] = []

    def limit(_request: object) -> None:
        limits = (size, resource.RLIM_INFINITY)
        resource.prlimit(started[0].pid, resource.RLIMIT_FSIZE, limits)

    place.server.faults.hooks["token"] = limit
    started.append(place.start("token"))
    stdout, stderr = started[0].communicate(timeout=60)
    assert "Traceback" not in stderr
    place.server.faults.clear()
    return stdout, stderr


def test_fs_10_limit_that_comes_during_the_request(place: CrashPlace) -> None:
    """Where the keyring still takes the tokens, the session survives though the record is old."""
    place.storage = "system"
    place.log_in()
    before = content(place)
    stdout, stderr = limited_when_asked(place, SECRETS_ONLY)
    assert '"ok"' in stdout
    assert "couldn't be stored" in stderr
    assert content(place) == before
    assert place.next_command(sent=None) == "ok"
    assert place.leftovers() == []


def test_fs_10_nothing_can_be_kept_at_all(place: CrashPlace) -> None:
    """The command goes on with the token that it has got, and says what the next one may need."""
    place.log_in()
    before = content(place)
    stdout, stderr = limited_when_asked(place, NOTHING)
    assert '"ok"' in stdout
    assert "may have to log in again" in stderr
    assert content(place) == before
    assert place.next_command(place.stored_refresh_token()) == "AUTH_REFRESH_EXPIRED"


def test_keyring_that_refuses_after_the_request(place: CrashPlace) -> None:
    """Both tokens go to the record file, aloud, and the next command works."""
    place.storage = "fallback"
    place.log_in()
    refusal = place.keyring / filed_keyring.REFUSAL
    place.server.faults.hooks["token"] = lambda _request: refusal.touch()
    process = place.start("token")
    stdout, stderr = process.communicate(timeout=60)
    assert '"ok"' in stdout
    assert "auth.json" in stderr
    assert place.record()["storage"] == "plaintext"
    assert place.next_command(sent=None) == "ok"
    assert place.server.reuse_count == 0


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
@pytest.mark.parametrize("storage", ["plaintext", "system"])
def test_fs_11_lk_08_read_only_folder(place: CrashPlace, storage: str) -> None:
    """In a folder that may not be written reads work; what must write fails before it asks."""
    place.storage = storage
    place.log_in()
    before = content(place)
    unprivileged = {"CRASH_UNPRIVILEGED": "1"}
    place.folder.chmod(0o500)
    try:
        assert place.run("token", **unprivileged) == {"error": "AUTH_STORE_WRITE_FAILED"}
        assert place.run("login", "ada", **unprivileged) == {"error": "AUTH_STORE_WRITE_FAILED"}
        assert place.server.journal.snapshot() == []
    finally:
        place.folder.chmod(0o700)
    assert content(place) == before
    place.log_in(expires_in=3600)
    place.folder.chmod(0o500)
    try:
        assert place.run("tokens", "1", **unprivileged)["ok"] == [place.auth().access_token()]
    finally:
        place.folder.chmod(0o700)
    assert place.leftovers() == []
