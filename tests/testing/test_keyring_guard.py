from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from click_auth.stores import REFUSE_KEYRING, REFUSE_RECORDS
from click_auth.testing.plugin import KeyringGuard, RealKeyringTouched, applications_folder


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
from click_auth import stores
guard = KeyringGuard()
guard.install()
assert os.environ[{REFUSE_KEYRING!r}] == "1"
assert stores.keyring_guard == guard.refuse_keyring
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
assert loaded == {{"click_auth"}}, loaded
assert len([name for name in sys.modules if name.startswith("click_auth")]) == 4
guard.remove()
assert stores.keyring_guard is None and {REFUSE_KEYRING!r} not in os.environ
"""
    environ = {name: value for name, value in os.environ.items() if name != REFUSE_KEYRING}
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
    for name in (REFUSE_KEYRING, REFUSE_RECORDS):
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
