from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from click_auth.http import REFUSE_NETWORK
from click_auth.stores import REFUSE_KEYRING, REFUSE_RECORDS
from click_auth.testing.plugin import KeyringGuard, RealKeyringTouched, applications_folder

REFUSED = (REFUSE_KEYRING, REFUSE_RECORDS, REFUSE_NETWORK)


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> KeyringGuard:
    """Stand before a keyring library that has not chosen a backend yet."""
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    monkeypatch.setitem(sys.modules, "keyring.core", ModuleType("keyring.core"))
    return KeyringGuard()


def test_a_touch_is_refused_and_remembered(guard: KeyringGuard) -> None:
    """The operation fails, and so does the check after it, once, however the failure was taken."""
    with pytest.raises(RealKeyringTouched, match="get_password"):
        guard.refuse_keyring("get_password")

    with pytest.raises(RealKeyringTouched, match="isolated_auth"):
        guard.check()
    guard.check()


def test_an_allowed_block_lets_everything_pass(
    guard: KeyringGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside of allowed() neither this process nor its children are refused."""
    monkeypatch.setenv(REFUSE_KEYRING, "1")

    with guard.allowed():
        guard.refuse_keyring("set_password")
        assert REFUSE_KEYRING not in os.environ

    guard.check()
    assert os.environ[REFUSE_KEYRING] == "1"


@pytest.mark.parametrize(
    "backend, refused",
    [
        ("keyring.backends.SecretService.Keyring", True),
        ("keyrings.alt.file.PlaintextKeyring", True),
        ("keyring.backends.null.Keyring", False),
        ("keyring.backends.fail.Keyring", False),
        ("tests.fakes.Keyring", False),
    ],
)
def test_a_backend_of_the_tests_is_not_the_real_keyring(
    guard: KeyringGuard, monkeypatch: pytest.MonkeyPatch, backend: str, *, refused: bool
) -> None:
    """A backend that was chosen for the tests may be used, by variable or in place."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    if refused:
        with pytest.raises(RealKeyringTouched):
            guard.refuse_keyring("get_password")
        with pytest.raises(RealKeyringTouched):
            guard.check()
    else:
        guard.refuse_keyring("get_password")

    class Fake:
        """A keyring in memory."""

    monkeypatch.setattr(sys.modules["keyring.core"], "_keyring_backend", Fake(), raising=False)
    guard.refuse_keyring("get_password")


def test_the_plugin_is_light_and_can_be_taken_back() -> None:
    """Guarding loads no heavy library; remove() ends it."""
    program = f"""
import os, sys
import pytest
before = set(sys.modules)
from click_auth.testing.plugin import KeyringGuard
from click_auth import http, stores
guard = KeyringGuard()
guard.install()
assert os.environ[{REFUSE_KEYRING!r}] == "1"
assert stores.keyring_guard == guard.refuse_keyring
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
assert loaded == {{"click_auth"}}, loaded
assert len([name for name in sys.modules if name.startswith("click_auth")]) == 5
guard.remove()
assert stores.keyring_guard is None and {REFUSE_KEYRING!r} not in os.environ
assert http.network_guard is None and {REFUSE_NETWORK!r} not in os.environ
"""
    environ = {name: value for name, value in os.environ.items() if name not in REFUSED}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100, env=environ)


@pytest.mark.parametrize("config", [None, "somewhere"])
def test_real_records_are_where_click_puts_them(
    monkeypatch: pytest.MonkeyPatch, config: str | None
) -> None:
    """The folder that is guarded is Click's, though Click is not asked."""
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    if config is not None:
        monkeypatch.setenv("XDG_CONFIG_HOME", config)

    assert applications_folder() == Path(click.get_app_dir("any")).parent


PAGE = """
import os
import subprocess
import sys

import pytest

from click_auth import Account, ApiKeyProvider, Auth, KeyringTokenStore, StorageUnavailable
from click_auth.testing import logged_in


def store(folder):
    KeyringTokenStore("todo", folder=folder).set(Account(id="ada"), "t")


def test_touches(tmp_path):
    store(tmp_path)


def test_touches_and_takes_it_well(tmp_path):
    try:
        store(tmp_path)
    except Exception:
        pass


@pytest.mark.real_keyring
def test_means_it():
    assert "CLICK_AUTH_REFUSE_KEYRING" not in os.environ


def test_is_isolated(isolated_auth):
    auth = isolated_auth(Auth("todo", ApiKeyProvider()), environ={"X": "y"})
    with logged_in(auth):
        assert auth.current_account().id == "ada"
    assert auth.current_account() is None
"""


def test_a_test_that_touches_the_keyring_fails(tmp_path: Path) -> None:
    """It fails even if the program went on without a keyring; marked and isolated tests pass."""
    (tmp_path / "test_page.py").write_text(PAGE, encoding="utf-8")
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    environ.pop("PYTHON_KEYRING_BACKEND", None)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert "2 failed, 2 passed" in done.stdout, done.stdout
    assert "was about to touch the real keyring" in done.stdout


RECORDS_PAGE = """
import os
import subprocess
import sys

import pytest

from click_auth import ApiKeyProvider, Auth

PROGRAM = "from click_auth import ApiKeyProvider, Auth; Auth('todo', ApiKeyProvider()).accounts()"
auth = Auth("todo", ApiKeyProvider(api_url="https://api.example"))


def test_forgets_to_isolate():
    auth.current_account()


def test_forgets_and_takes_it_well():
    try:
        auth.access_token()
    except Exception:
        pass


def test_forgets_and_writes():
    auth.login(token="a-token")


def test_forgets_it_in_a_child():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


@pytest.mark.real_keyring
def test_means_it():
    assert auth.current_account().id == "ada"
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


def test_has_a_home_of_its_own(tmp_path, monkeypatch):
    for name in ("HOME", "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    assert Auth("todo", ApiKeyProvider()).current_account() is None
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


def test_has_a_folder_of_its_own(tmp_path):
    assert Auth("todo", ApiKeyProvider(), folder=tmp_path).current_account() is None


def test_is_isolated(isolated_auth):
    assert isolated_auth(auth).current_account() is None
"""


def test_m6_a_test_that_forgets_to_isolate_does_not_read_the_developers_records(
    tmp_path: Path,
) -> None:
    """The record file of this machine is refused, to children too; one's own folders are not."""
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    environ |= {"APPDATA": str(tmp_path / "config")}
    for name in REFUSED:
        environ.pop(name, None)
    login = (
        "from click_auth import Account, ApiKeyProvider, Auth, TokenBundle\n"
        "auth = Auth('todo', ApiKeyProvider(), storage='plaintext')\n"
        "bundle = TokenBundle('a-canary')\n"
        "auth.store.set_bundle(Account(id='ada'), bundle, promote_default=True)"
    )
    subprocess.run([sys.executable, "-c", login], check=True, timeout=100, env=environ)
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "test_page.py").write_text(RECORDS_PAGE, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."],
        cwd=suite,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert "4 failed, 4 passed" in done.stdout, done.stdout
    assert "was about to touch the real record file" in done.stdout
    assert "isolated_auth" in done.stdout
    assert "a-canary" not in done.stdout + done.stderr


FOLDERS_PAGE = """
import os
import subprocess
import sys
from unittest import mock

from click_auth import ApiKeyProvider, Auth

PROGRAM = "from click_auth import ApiKeyProvider, Auth; Auth('todo', ApiKeyProvider()).accounts()"


def test_reads_a_folder_of_the_home():
    Auth("other", ApiKeyProvider(), folder="~/.todo").current_account()


def test_reads_the_folder_of_a_variable():
    Auth("todo", ApiKeyProvider()).current_account()


def test_reads_it_in_a_child():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


def test_clears_the_environment():
    folder = os.path.expanduser("~/.todo")
    with mock.patch.dict(os.environ, clear=True):
        Auth("other", ApiKeyProvider(), folder=folder).current_account()


def test_has_a_folder_in_the_project():
    folder = os.path.join(os.getcwd(), ".todo")
    assert Auth("todo", ApiKeyProvider(), folder=folder).current_account() is None


def test_has_a_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TODO_CONFIG_DIR", str(tmp_path))
    assert Auth("todo", ApiKeyProvider()).current_account() is None
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
"""

NETWORK_PAGE = """
import asyncio
import os
import subprocess
import sys
from unittest import mock

import httpx
import pytest

from click_auth import Auth, MemoryTokenStore, OAuthProvider, Unreachable
from click_auth.testing import Answer, logged_in

AWAY = "https://192.0.2.1"  # RFC 5737: nobody's
PROGRAM = '''
from click_auth import Auth, MemoryTokenStore, OAuthProvider
provider = OAuthProvider(client_id="todo", issuer="https://192.0.2.1", http_timeout=0.5)
try:
    Auth("todo", provider, store=MemoryTokenStore(), folder="/nowhere/todo").login()
except AssertionError as error:
    print(error)
'''


def auth_at(folder, **facts):
    provider = OAuthProvider(client_id="todo-cli", http_timeout=0.5, **facts)
    auth = Auth("todo", provider, store=MemoryTokenStore(), folder=folder)
    logged_in(auth)
    return auth


@pytest.fixture
def auth(tmp_path):
    return auth_at(tmp_path, issuer=AWAY, api_url=f"{AWAY}/api")


def test_asks_the_server(auth):
    auth.login()


def test_asks_the_api(auth):
    with auth.client(timeout=0.5) as api:
        api.get("/me")


def test_asks_the_api_and_takes_it_well(auth):
    try:
        with auth.client(timeout=0.5) as api:
            api.get("/me")
    except BaseException:
        pass


def test_asks_the_api_asynchronously(auth):
    async def ask():
        async with httpx.AsyncClient(auth=auth.bearer(), timeout=0.5) as api:
            await api.get(f"{AWAY}/api")

    asyncio.run(ask())


def test_follows_a_redirect(auth_server, tmp_path):
    auth = auth_at(tmp_path, issuer=AWAY, api_url=auth_server.api_url)
    auth_server.faults.hooks["api"] = lambda request: Answer.redirect(AWAY)
    with auth.client(follow_redirects=True, timeout=0.5) as api:
        api.get("/me")


def test_clears_the_environment(auth):
    with mock.patch.dict(os.environ, clear=True):
        auth.login()


def test_is_isolated_without_a_server(isolated_auth, auth):
    isolated_auth(auth)
    with logged_in(auth), auth.client(timeout=0.5) as api:
        api.get("/me")


def test_starts_a_child():
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert "isolated_auth(auth, server=auth_server)" in told.stdout, told.stderr


@pytest.mark.real_network
def test_means_it(auth):
    with pytest.raises(Unreachable), auth.client(timeout=0.1) as api:
        api.get("/me")
    assert "CLICK_AUTH_REFUSE_KEYRING" in os.environ


def test_has_a_server_here(auth_server, tmp_path):
    auth = auth_at(tmp_path, issuer=auth_server.issuer, api_url=auth_server.api_url)
    with logged_in(auth, server=auth_server), auth.client() as api:
        assert api.get("/me").status_code == 200


def test_has_a_transport(auth):
    with auth.client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as api:
        assert api.get("/me").status_code == 200


def test_is_isolated(isolated_auth, auth, auth_server):
    isolated_auth(auth, server=auth_server)
    with logged_in(auth, server=auth_server), auth.client() as api:
        assert api.get("/me").status_code == 200
"""


def run_suite(folder: Path, page: str, **environ: str) -> str:
    """Return what pytest says of a suite of one page, run by a developer with a home."""
    suite, temporary, home = folder / "suite", folder / "temporary", folder / "home"
    for each in (suite, temporary, home / ".todo"):
        each.mkdir(parents=True)
    (suite / "test_page.py").write_text(page, encoding="utf-8")
    (suite / "pytest.ini").touch()
    inherited = {name: value for name, value in os.environ.items() if name not in REFUSED}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."],
        cwd=suite,
        env={**inherited, "HOME": str(home), "TMPDIR": str(temporary), **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the home is somewhere else there")
def test_folders_that_a_developer_has_chosen_are_refused_too(tmp_path: Path) -> None:
    """One in the home, one that a variable names; those of the project and of a test are not."""
    said = run_suite(tmp_path, FOLDERS_PAGE, TODO_CONFIG_DIR=str(tmp_path / "dotfiles"))
    assert "4 failed, 2 passed" in said, said
    assert f"the real record file {tmp_path / 'home/.todo/auth.json'}" in said
    assert f"the real record file {tmp_path / 'dotfiles/auth.json'}" in said
    assert "isolated_auth(auth, server=auth_server)" in said


def test_no_test_reaches_another_machine(tmp_path: Path) -> None:
    """Neither the library's requests nor a client's; what stays on this machine may go on."""
    said = run_suite(tmp_path, NETWORK_PAGE)
    assert "7 failed, 5 passed" in said, said
    assert "192.0.2.1" in said
    assert "isolated_auth(auth, server=auth_server)" in said
    assert "real_network" in said


@pytest.mark.parametrize("place", ["conftest.py", "early.py"])
def test_s18_another_plugins_refusal_stays_its_own(tmp_path: Path, place: str) -> None:
    """Whether it refuses before or after us: its message, its exit code, no error of ours."""
    refusing = (
        "import pytest\ndef pytest_configure(config):\n    raise pytest.UsageError('set X')\n"
    )
    (tmp_path / place).write_text(refusing, encoding="utf-8")
    (tmp_path / "test_page.py").write_text("def test(): pass\n", encoding="utf-8")
    early = [] if place == "conftest.py" else ["-p", "early"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *early, "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "set X" in done.stdout + done.stderr
    assert "KeyError" not in done.stdout + done.stderr
