"""Folders that are not ours alone, and file systems that do not do what they are told."""

from __future__ import annotations

import os
import ssl
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from click_auth import Account, ApiKeyProvider, Auth, AuthError, StorageUnavailable
from click_auth.files import make_private_folder
from click_auth.locks.account_lock import wait_for_others
from click_auth.stores.provider_memory import FolderCache
from click_auth.testing import logged_in
from hostile.world import World
from stores.children import run

THEIRS = 54321
posix = pytest.mark.skipif(os.name == "nt", reason="links and modes are POSIX's")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)


def mode(path: Path) -> int:
    """Return the permission bits of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def refused(act: Callable[[], object]) -> str:
    """Return what the person reads where *act* is refused for want of a place to store."""
    with pytest.raises(AuthError) as caught:
        act()
    assert caught.value.exit_code in (4, 6)
    return caught.value.format_message()


@as_root
@pytest.mark.parametrize("owner_of_target", [0, THEIRS])
@pytest.mark.parametrize("place", ["", "locks", "cache"])
def test_a12_a_link_of_somebody_else_stands_for_no_folder_of_ours(
    world: World, place: str, owner_of_target: int
) -> None:
    """Neither read nor written through, whoever owns what it points to."""
    logged_in(world.auth(), server=world.server, expires_in=-5)
    path, target = world.config / place, world.folder / "target"
    path.rename(target) if path.exists() else target.mkdir(0o700)
    os.chown(target, owner_of_target, owner_of_target)
    os.utime(target, (1, 1))
    path.symlink_to(target)
    os.lchown(path, THEIRS, THEIRS)
    before = sorted(target.rglob("*"))
    acts = (world.auth().access_token, world.auth().refresh, world.auth().accounts)
    if place == "cache":
        world.auth().access_token()
    else:
        assert "another user" in refused(acts[0]) + refused(acts[1])
    if not place:
        assert "another user" in refused(acts[2])
    assert sorted(target.rglob("*")) == before
    assert target.stat().st_mtime == 1
    assert len(world.server.posts("token")) == (place == "cache")


@as_root
def test_a12_nobody_waits_for_whoever_holds_a_lock_in_the_folder_of_another(world: World) -> None:
    """What a lock file says is not read through a link of somebody else."""
    target = world.folder / "target"
    target.mkdir()
    world.config.mkdir(0o700)
    (world.config / "locks").symlink_to(target)
    os.lchown(world.config / "locks", THEIRS, THEIRS)
    with pytest.raises(StorageUnavailable, match="another user"):
        wait_for_others(world.config, "ada", time.monotonic() + 60)


@as_root
def test_a12_a_link_of_our_own_to_a_folder_of_ours_is_followed(world: World) -> None:
    """Dotfile managers do that with whole folders, too."""
    target = world.home / "dotfiles"
    target.mkdir(0o700)
    world.config.symlink_to(target)
    logged_in(world.auth(), server=world.server, expires_in=-5)
    assert world.auth().access_token()
    assert (target / "auth.json").exists()
    os.chown(target, THEIRS, THEIRS)
    assert "another user" in refused(world.auth().access_token)


@as_root
@pytest.mark.parametrize("deep", ["", "a", "a/b/c"])
def test_b12_root_makes_nothing_in_the_home_of_somebody_else(world: World, deep: str) -> None:
    """Wherever the nearest folder that is there belongs to another: an error with the way out."""
    os.chown(world.home, THEIRS, THEIRS)
    place = str(world.home / ".config" / deep)
    for command in ("login", "refresh", "logout"):
        done = world.run("auth", command, HOSTILE_STORAGE="plaintext", TODO_CONFIG_DIR=place)
        assert list(world.home.iterdir()) == []
        if command == "login":
            assert done.status == 6
            assert "without sudo" in done.err
            assert "TODO_CONFIG_DIR" in done.err


@as_root
def test_b12_what_sudo_has_left_is_named_with_its_owner(world: World) -> None:
    """A person whose folder is root's now reads whose it is, and how to get it back."""
    for folder in (world.home / "deep" / "todo", world.home / "todo"):
        folder.mkdir(0o700, parents=True)
        (folder / "auth.json").write_text('{"version": 1, "accounts": {}}')
    (world.home / "deep").chmod(0o700)
    for each in (world.home, *world.home.parents[:-2]):
        each.chmod(0o755)
    os.chown(world.home, THEIRS, THEIRS)
    script = """
import os, sys
from click_auth import ApiKeyProvider, Auth, AuthError, StorageUnavailable
import click_auth.stores.token_store, click_auth.stores.document
import pathlib, shlex, pwd
os.setgid(54321), os.setuid(54321)
for folder in sys.argv[1:]:
    try:
        Auth("todo", ApiKeyProvider(), folder=folder).accounts()
    except StorageUnavailable as error:
        print(error.format_message())
"""
    folders = [world.home / "todo", world.home / "deep" / "todo"]
    near, far = run(script, *map(str, folders)).splitlines()
    assert f"{folders[0]} belongs to another user (root)" in near
    assert f"sudo chown -R {THEIRS} {folders[0]}" in near
    assert "permission denied" in far
    assert f"sudo chown -R {THEIRS} {world.home / 'deep'}`" in far


IMITATIONS = {
    "refused": """
def refuse(*_, **__): raise PermissionError(1, "Operation not permitted")
os.chmod = os.fchmod = refuse
pathlib.Path.chmod = lambda self, *_, **__: refuse()
""",
    "ignored": """
os.chmod = os.fchmod = pathlib.Path.chmod = lambda *_, **__: None
def wide(real):
    def looked(*args, **more):
        facts = real(*args, **more)
        return os.stat_result((facts.st_mode | 0o777, *facts[1:]))
    return looked
os.stat, os.lstat, os.fstat = map(wide, (os.stat, os.lstat, os.fstat))
pathlib.Path.stat = wide(pathlib.Path.stat)
""",
}


@posix
@pytest.mark.parametrize("imitation", IMITATIONS)
def test_b13_b14_a_file_system_without_modes_stops_nothing(world: World, imitation: str) -> None:
    """Two logins and a read go well, nothing untrue is said, and the doctor says it once."""
    script = f"""
import os, pathlib, sys
{IMITATIONS[imitation]}
from click_auth import Auth, ApiKeyProvider
from click_auth.stores.provider_memory import FolderCache
from click_auth.testing import logged_in
folder = pathlib.Path(sys.argv[1])
auth = Auth("todo", ApiKeyProvider(), storage="plaintext", folder=folder)
for user in ("ada", "bob"):
    logged_in(auth, user)
FolderCache(folder / "cache").save("https://id.example", {{}})
sys.stderr = sys.stdout
logged_in(auth, "ada"), auth.access_token("bob")
FolderCache(folder / "cache").load("https://id.example")
print([check.name for check in auth.doctor().checks if "modes" in (check.hint or "")])
"""
    out = run(script, str(world.config))
    assert out == ("['folder']\n" if imitation == "ignored" else "[]\n")
    assert mode(world.config) == 0o700
    assert mode(world.config / "auth.json") == 0o600


@posix
def test_b14_what_was_open_is_said_once_it_is_closed(world: World) -> None:
    """A folder that is tightened is named with the mode that it had, and then no more."""
    logged_in(world.auth())
    world.config.chmod(0o755)
    first = world.invoke("auth", "account", "use", "ada", storage="plaintext")
    again = world.invoke("auth", "account", "use", "ada", storage="plaintext")
    assert f"{world.config} was open to other users (mode 0755); it is 0700 now." in first.err
    assert "open to other" not in again.err
    assert mode(world.config) == 0o700


@posix
@pytest.mark.parametrize("kind", ["sticky", "home", "root", "linked home"])
def test_s6_a_folder_that_others_need_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A sticky folder, a home and the root stay as they are, and the variable is named."""
    monkeypatch.setenv("HOME", str(world.home))
    world.home.chmod(0o755)
    (world.home / ".profile").touch()
    folder = {"home": world.home, "root": Path("/"), "linked home": world.folder / "link"}.get(kind)
    if folder is None:
        folder = world.folder / "shared"
        folder.mkdir()
        folder.chmod(0o1777)
    elif kind == "linked home":
        folder.symlink_to(world.home)
    before = mode(folder)
    auth = Auth("todo", ApiKeyProvider(), storage="plaintext")
    with auth.override(environ={"TODO_CONFIG_DIR": str(folder)}):
        said = refused(lambda: auth.login(token="t", browser=False))
        check = next(each for each in auth.doctor().checks if each.name == "folder")
    assert "TODO_CONFIG_DIR" in said
    assert (check.verdict, "TODO_CONFIG_DIR" in str(check.hint)) == ("fail", True)
    assert mode(folder) == before
    assert not (folder / "auth.json").exists()
    assert not (folder / "locks").exists()


@posix
def test_s6_a_home_with_nothing_else_in_it_is_used_and_keeps_its_mode(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may have one folder for everything; its mode is not ours to change."""
    monkeypatch.setenv("HOME", str(world.config))
    world.config.mkdir()
    world.config.chmod(0o755)
    logged_in(world.auth(), server=world.server)
    assert world.auth().access_token()
    assert mode(world.config) == 0o755
    assert mode(world.config / "auth.json") == 0o600


@posix
def test_s6_a_folder_with_other_things_in_it_keeps_its_mode(world: World) -> None:
    """A project's folder stays open to those who use it; what is ours in it is private."""
    world.config.mkdir()
    (world.config / "config.toml").write_text("theirs")
    world.config.chmod(0o755)
    logged_in(world.auth(), server=world.server, expires_in=-5)
    assert world.auth().access_token()
    assert mode(world.config) == 0o755
    assert mode(world.config / "auth.json") == 0o600
    assert mode(world.config / "locks") == 0o700


@posix
@pytest.mark.parametrize("command", ["logout", "refresh", "token", "account use ada"])
def test_m9_lk_08_a_read_only_folder_has_the_right_words(world: World, command: str) -> None:
    """No refresh is said to be under way; the code is that of storage, with a way out."""
    logged_in(world.auth(), expires_in=-5)
    before = world.record_bytes()
    world.config.chmod(0o500)
    try:
        done = world.run_unprivileged("auth", *command.split(), HOSTILE_STORAGE="plaintext")
    finally:
        world.config.chmod(0o700)
    assert (done.status, done.out) == (6, ""), done.err
    assert "Another process" not in done.err
    assert "permission denied" in done.err
    assert "TODO_CONFIG_DIR" in done.err
    assert world.record_bytes() == before


def test_m9_a_logout_needs_no_lock_that_cannot_be_made(world: World) -> None:
    """Something is in the place of `locks`: the record goes, and nothing untrue is said."""
    logged_in(world.auth())
    (world.config / "locks").write_text("in the way")
    done = world.invoke("auth", "logout", "--no-revoke", storage="plaintext")
    assert (done.status, "Another process" in done.err) == (0, False), done.err
    assert list(world.auth().accounts()) == []


@posix
def test_m9_lk_08_a_valid_token_needs_no_lock(world: World) -> None:
    """Where nothing can be written it is used, also when less than asked for is left."""
    logged_in(world.auth(), expires_in=1000)
    world.config.chmod(0o500)
    try:
        line = ("auth", "token", "--min-ttl", "30m")
        done = world.run_unprivileged(*line, HOSTILE_STORAGE="plaintext")
    finally:
        world.config.chmod(0o700)
    assert done.status == 0, done.err
    assert done.out


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place that takes no folder")
@pytest.mark.parametrize("place", ["/proc/x", "/proc/x/y", "/sys/x"])
def test_m9_the_doctor_sees_a_folder_that_cannot_be_made(place: str) -> None:
    """It fails there, as the login does, and names the variable."""
    auth = Auth("todo", ApiKeyProvider(), storage="plaintext")
    with auth.override(environ={"TODO_CONFIG_DIR": place}):
        check = next(each for each in auth.doctor().checks if each.name == "folder")
        assert refused(lambda: auth.login(token="t", browser=False))
    assert check.verdict == "fail"
    assert place in check.value
    assert "TODO_CONFIG_DIR" in str(check.hint)


@posix
def test_d11_without_a_home_that_can_be_written_the_variable_is_named(world: World) -> None:
    """A login on a root file system that takes nothing says what to set, before a browser opens."""
    home = world.folder / "fixed"
    home.mkdir(0o500)
    environ = {"HOME": str(home), "TODO_CONFIG_DIR": "", "XDG_CONFIG_HOME": str(home / ".config")}
    done = world.run_unprivileged("auth", "login", HOSTILE_STORAGE="plaintext", **environ)
    assert done.status == 6
    assert "TODO_CONFIG_DIR" in done.err
    assert world.server.journal.snapshot() == []


def test_s22_a_folder_with_a_tilde_is_in_the_home(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Auth(folder="~/.todo")` and the variable mean the home, wherever a command runs."""
    monkeypatch.setenv("HOME", str(world.home))
    monkeypatch.setenv("USERPROFILE", str(world.home))
    monkeypatch.chdir(world.folder)
    logged_in(Auth("todo", ApiKeyProvider(), storage="plaintext", folder="~/.todo"))
    assert (world.home / ".todo" / "auth.json").exists()
    auth = Auth("todo", ApiKeyProvider(), storage="plaintext")
    with auth.override(environ={"TODO_CONFIG_DIR": "~/.todo"}):
        assert auth.access_token()
    assert not (world.folder / "~").exists()


@pytest.mark.parametrize("folder", ["todo", "./todo", "../todo", Path("todo"), ""])
def test_s22_a_relative_folder_is_refused(folder: str | Path) -> None:
    """Credentials would lie wherever a command happens to run."""
    with pytest.raises(ValueError, match="absolute"):
        Auth("todo", ApiKeyProvider(), folder=folder)


@pytest.mark.parametrize("folder", ["todo", "../todo", "~nobody-of-this-name/todo"])
def test_s22_a_relative_variable_is_a_bad_setting(folder: str) -> None:
    """The error names the variable."""
    auth = Auth("todo", ApiKeyProvider())
    with auth.override(environ={"TODO_CONFIG_DIR": folder}), pytest.raises(AuthError) as caught:
        auth.accounts()
    assert caught.value.code == "AUTH_BAD_SETTING"
    assert "TODO_CONFIG_DIR" in caught.value.format_message()


def test_s28_a_document_counts_under_the_certificates_that_it_came_under(tmp_path: Path) -> None:
    """What came without a check, or under a debugging CA, is not used without it."""
    trusted: list[str | None] = ["debugging CA"]
    cache = FolderCache(tmp_path / "cache", trusted=lambda: trusted[0])
    cache.save("https://id.example", {"issuer": "evil"})
    assert cache.load("https://id.example") == {"issuer": "evil"}
    trusted[0] = ""
    assert cache.load("https://id.example") is None
    trusted[0] = None
    cache.save("https://id.example", {"issuer": "evil"})
    assert cache.load("https://id.example") is None
    trusted[0] = ""
    assert cache.load("https://id.example") is None


@pytest.mark.parametrize(
    "before, after",
    [
        ({"verify": False}, {}),
        ({}, {"verify": False}),
        ({"verify": False}, {"verify": False}),
        ({"verify": "CA"}, {}),
    ],
)
def test_s28_discovery_is_repeated_where_another_trust_applies(
    world: World, before: dict[str, object], after: dict[str, object]
) -> None:
    """The second command asks for the metadata anew: its own certificates say whom to believe."""
    import certifi

    logged_in(world.auth(), server=world.server)
    for given in (before, after):
        context = ssl.create_default_context(cafile=certifi.where())
        options = {"verify": context} if given == {"verify": "CA"} else given
        world.auth(http_options=options).refresh()
    asked = [entry for entry in world.server.journal if "well-known" in entry.path]
    assert len(asked) == 2


def test_s28_under_the_same_certificates_discovery_is_asked_once(world: World) -> None:
    """The cache is of use still."""
    logged_in(world.auth(), server=world.server)
    for _ in range(2):
        world.auth().refresh()
    assert len([entry for entry in world.server.journal if "well-known" in entry.path]) == 1


def test_make_private_folder_returns_the_mode_that_it_changed(tmp_path: Path) -> None:
    """None where there was nothing to change."""
    assert make_private_folder(tmp_path / "new") is None
    (tmp_path / "new").chmod(0o755)
    assert make_private_folder(tmp_path / "new") == (0o755 if os.name != "nt" else None)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable, match="not a folder"):
        make_private_folder(tmp_path / "file")


def test_s5_what_a_service_says_without_end_bricks_nothing(world: World) -> None:
    """The account is kept without it, and everything else goes on."""
    bodies = [{"id": "bob"}, {"id": "ada", "bio": "x" * 33_600_000}]
    for body in bodies:
        provider = ApiKeyProvider(identify=lambda _client, body=body: body)
        auth = Auth("todo", provider, storage="plaintext", folder=world.config)
        auth.login(token="t")
    assert [each.account.id for each in auth.accounts()] == ["bob", "ada"]
    assert len(world.record_bytes()) < 10_000
    assert auth.access_token("bob") == "t"
    assert auth.logout(all=True).removed == ("bob", "ada")


@pytest.mark.parametrize("field", ["id", "label"])
def test_s5_an_endless_name_is_no_name(world: World, field: str) -> None:
    """A login with it fails, and nothing is stored."""
    body = {"id": "ada", field: "x" * 100_000}
    provider = ApiKeyProvider(identify=lambda _client: body)
    auth = Auth("todo", provider, storage="plaintext", folder=world.config)
    with pytest.raises(AuthError, match="who is logged in"):
        auth.login(token="t")
    assert list(auth.accounts()) == []


def test_s5_nothing_is_written_that_would_not_be_read(world: World) -> None:
    """An application that stores too much of an account is refused; the others stay."""
    auth = world.auth()
    logged_in(auth, "bob")
    before = world.record_bytes()
    huge = Account(id="ada", bio="x" * 33_600_000)
    assert "larger" in refused(lambda: logged_in(auth, account=huge))
    assert world.record_bytes() == before


@pytest.mark.parametrize("size", [33_600_000, 1 << 40])
def test_s5_a_login_repairs_a_file_that_is_too_large(world: World, size: int) -> None:
    """It is set aside, private, however large, and said; logout says what to do."""
    logged_in(world.auth())
    with (world.config / "auth.json").open("r+b") as file:
        file.truncate(size)
    (world.config / "auth.json").chmod(0o644)
    done = world.invoke("auth", "token", storage="plaintext")
    assert (done.status, "next login" in done.err) == (6, True)
    logged_in(world.auth(), "bob")
    assert world.auth().access_token("bob")
    (aside,) = world.config.glob("auth.json.broken-*")
    assert aside.stat().st_size == size
    assert os.name == "nt" or mode(aside) == 0o600


def test_s5_a_repair_that_fails_leaves_the_damaged_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the new file cannot be written the old one is in its place again."""
    logged_in(world.auth())
    (world.config / "auth.json").write_text("{")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "no space" in refused(lambda: logged_in(world.auth(), "bob"))
    assert (world.config / "auth.json").read_text() == "{"
    assert list(world.config.glob("auth.json.broken-*")) == []


@as_root
@pytest.mark.parametrize("kind", ["TODO_TOKEN", "store"])
def test_b15_d6_without_a_home_what_needs_none_works(world: World, kind: str) -> None:
    """The environment's token is used by every command; only what stores says what to set."""
    source = """
import os, sys
os.environ.pop("HOME", None), os.environ.pop("XDG_CONFIG_HOME", None)
import click
from click_auth import Auth, AuthError, OAuthProvider
import click_auth.auth, click_auth.context, click_auth.bearer, click_auth.status
import click_auth.api_client, click_auth.stores.provider_memory, click_auth.login.flow
import click_auth.commands.status, click_auth.stores.token_store
import httpx, httpcore, encodings.idna, getpass
os.chdir("/")
os.setuid(54321)
auth = Auth("todo", OAuthProvider(client_id="todo-cli", issuer=sys.argv[1], api_url=sys.argv[2],
    identify=lambda api: api.get("/me").raise_for_status().json()))
try:
    with auth.client() as api:
        print(api.get("/me").status_code)
    print(auth.status().state, bool(auth.access_token()))
    auth.group()(["status", "--offline"], prog_name="todo auth", standalone_mode=False)
    auth.login(token="t")
except AuthError as error:
    print(error.code, error.format_message())
"""
    token = world.server.issue("ada", scopes=("tasks:read",))["access_token"]
    environ = {"TODO_TOKEN": token} if kind == "TODO_TOKEN" else {"TODO_TOKEN": ""}
    out = run(source, world.server.issuer, world.server.api_url, **environ)
    complaint = "AUTH_BAD_SETTING Can't find your home folder. Set TODO_CONFIG_DIR"
    *worked, said = out.splitlines()
    assert worked[:2] == (["200", "ok True"] if kind == "TODO_TOKEN" else [])
    assert ("the environment (TODO_TOKEN)" in out) == (kind == "TODO_TOKEN")
    assert said.startswith(complaint)
