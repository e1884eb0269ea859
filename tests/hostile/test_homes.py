"""Homes that are not as homes should be: odd variables, odd names, odd things in our places."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from click_auth import Account, AuthError, KeyringTokenStore, TokenBundle
from click_auth.testing import logged_in
from hostile.world import World

posix = pytest.mark.skipif(os.name == "nt", reason="links, FIFOs and modes are POSIX's")
STATUS = ("auth", "status", "--json", "--offline")
UNSET = ("HOME", "TODO_CONFIG_DIR", "XDG_CONFIG_HOME")

PLACES = {
    "missing, with spaces, in unicode": {"XDG_CONFIG_HOME": "{home}/not created yet/дом/家"},
    "relative": {"XDG_CONFIG_HOME": "settings"},
    "tilde": {"TODO_CONFIG_DIR": "~/of todo"},
    "empty": {"XDG_CONFIG_HOME": "", "TODO_CONFIG_DIR": ""},
}


@posix
@pytest.mark.parametrize("place", PLACES)
def test_fs_15_where_the_folder_may_be(world: World, place: str) -> None:
    """A login there works, is found again by the next command, and stays within the home."""
    environ = {name: text.format(home=world.home) for name, text in PLACES[place].items()}
    bare = {"TODO_CONFIG_DIR": "", "HOSTILE_STORAGE": "plaintext", "PYTHONUTF8": "0"}
    world.log_in(**{**bare, **environ})
    (record,) = world.home.rglob("auth.json")
    assert "~" not in str(record.relative_to(world.home))
    assert record.parent.stat().st_mode & 0o077 == 0
    done = world.run(*STATUS, **{**bare, **environ})
    assert json.loads(done.out)["account"]["id"] == "ada"


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="takes another uid")
def test_fs_15_nobody_has_no_home(world: World) -> None:
    """Without HOME and without an entry among the users: an error that says what to set."""
    environ = {name: value for name, value in world.environ.items() if name not in UNSET}
    source = (
        "import os, pwd\nfrom click_auth import ApiKeyProvider, Auth, AuthError\n"
        "from click_auth.stores import token_store\n"
        "import click_auth.account, click_auth.doctor.examination\n"
        "os.setuid(54321)\n"
        "try:\n    Auth('todo', ApiKeyProvider()).accounts()\n"
        "except AuthError as error:\n    print(error.code, error.format_message())\n"
        "print(Auth('todo', ApiKeyProvider()).doctor().ok)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source],
        check=False,
        env=environ,
        cwd=world.home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "AUTH_BAD_SETTING Can't find your home folder. Set TODO_CONFIG_DIR"
    )
    assert list(world.home.iterdir()) == []


@posix
def test_fs_15_without_home_the_users_own_is_taken(world: World) -> None:
    """HOME unset: the folder of the person who runs it, which the system knows."""
    from click_auth.environment import Environment

    environ = {name: value for name, value in world.environ.items() if name not in UNSET}
    source = "from click_auth.environment import Environment; print(Environment('todo').folder)"
    done = subprocess.run(
        [sys.executable, "-c", source], env=environ, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_absolute()
    assert "~" not in done.stdout
    assert Environment("todo", {"TODO_CONFIG_DIR": "~/x"}).folder == str(Path.home() / "x")


def directory(path: Path) -> None:
    """Make a folder with something in it."""
    path.mkdir(0o700)
    (path / "kept").write_text("kept")


def endless(path: Path) -> None:
    """Make a link to a device without an end."""
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    """Make a link to itself."""
    path.symlink_to(path)


def nowhere(path: Path) -> None:
    """Make a link to nothing."""
    path.symlink_to(path.with_name("nothing-there") / "at-all")


KINDS: dict[str, Callable[[Path], object]] = {
    "folder": directory,
    "fifo": os.mkfifo if hasattr(os, "mkfifo") else directory,
    "device": endless,
    "loop": loop,
    "nowhere": nowhere,
}
OURS = ("auth.json", "auth.json.lock", "locks", "locks/user-ada.lock", "cache")


@posix
@pytest.mark.parametrize("place", OURS)
@pytest.mark.parametrize("kind", KINDS)
def test_fs_09_something_else_is_where_we_write(world: World, place: str, kind: str) -> None:
    """Reading, renewing and logging in end in time, with what was asked for or a typed error."""
    logged_in(world.auth(), server=world.server)
    path = world.config / place
    path.parent.mkdir(0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    KINDS[kind](path)
    outside = sorted(world.folder.iterdir())
    for act in ("access_token", "refresh", "current_account"):
        ended_in_time(getattr(world.auth(), act))
    ended_in_time(lambda: logged_in(world.auth(), "bob"))
    assert sorted(world.folder.iterdir()) == outside
    if kind == "folder":
        assert (path / "kept").read_text() == "kept"
    assert len(world.server.posts("token")) <= 1


def ended_in_time(act: Callable[[], object]) -> None:
    """Do it: it may fail with a typed error that names a path, and waits for nobody's patience."""
    began, codes = time.monotonic(), ("AUTH_STORE", "AUTH_REFRESH", "NOT_AUTH")
    try:
        act()
    except AuthError as error:
        if not error.code.startswith(codes):
            raise
    assert time.monotonic() - began < 30


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="plays sudo")
def test_fs_09_sudo_leaves_nothing_of_its_own(world: World) -> None:
    """Root in the home of somebody else: an error, and no file there that belongs to root."""
    logged_in(world.auth(), server=world.server, expires_in=-5)
    theirs = 54321
    for each in (world.home, *world.home.rglob("*")):
        os.chown(each, theirs, theirs)
    for arguments in (("auth", "token"), ("auth", "login"), ("auth", "logout")):
        done = world.run(*arguments, HOSTILE_STORAGE="plaintext")
        assert (done.status, done.out) == (6, ""), done.err
        assert "another user" in done.err
    assert {each.stat().st_uid for each in world.home.rglob("*")} == {theirs}


STRANGE = (
    "../../x",
    "/etc/passwd",
    "a/../../b",
    "..",
    ".",
    "CON",
    "con",
    "nul.txt",
    "NUL\0NUL",
    "line\nbreak",
    "x" * 300,
    "x" * 299 + "y",
    "Ünïcödé",
    "u\u0308",
    "\u00fc",
    "-rf",
    "~",
    "a@b",
    "a%40b",
)


def test_fs_16_accounts_are_never_paths(world: World) -> None:
    """Nineteen odd accounts: each gets its own token back, and no file is made elsewhere."""
    store = KeyringTokenStore("todo", folder=world.config, storage="plaintext")
    for name in STRANGE:
        account = Account(id=name)
        with store.lock(account.key):
            store.set_bundle(account, TokenBundle(f"token-of-{account.key}"))
            (lock,) = (world.config / "locks").iterdir()
            assert lock.name.startswith("user-")
            assert len(os.fsencode(lock.name)) < 140
    assert [store.active(Account(id=name).key) for name in STRANGE] == [
        f"token-of-{Account(id=name).key}" for name in STRANGE
    ]
    assert {each.parent for each in world.files()} == {world.config}
    assert [
        each.name for each in world.folder.iterdir() if each.name not in ("home", "keyring")
    ] == []


@pytest.mark.parametrize("name", ["../../x", "/abs", "..", "CON", "nul\0", "x" * 300, "a b", "ü"])
def test_fs_16_applications_are_never_paths(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The folder of an application with an odd name is one folder where settings lie."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(world.home))
    monkeypatch.setenv("HOME", str(world.home))
    monkeypatch.setenv("APPDATA", str(world.home))
    store = KeyringTokenStore(name, storage="plaintext")
    store.set_bundle(Account(id="ada"), TokenBundle("token"))
    (record,) = world.home.rglob("auth.json")
    assert len(record.relative_to(world.home).parts) <= 4
    assert KeyringTokenStore(name, storage="plaintext").active() == "token"
