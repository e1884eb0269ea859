"""The pytest plugin: `auth_server`, `isolated_auth`, and no way to the developer's credentials.

Every test run of whoever has click-auth installed loads this module, so that everything heavy,
Click included, is imported when a fixture is used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from click_auth import http, stores, testing

if TYPE_CHECKING:
    from click_auth import Auth

_MARKS = {
    "real_keyring": "the test may touch real credentials, and other machines",
    "real_network": "the test may reach other machines through click-auth",
}
_HARMLESS = ("keyring.backends.null", "keyring.backends.fail")
_REFUSED = (stores.REFUSE_KEYRING, stores.REFUSE_RECORDS, http.REFUSE_NETWORK)
_WHAT_TO_WRITE = """Write `def test_...(isolated_auth, auth_server)`, and in it first
`isolated_auth(auth, server=auth_server)`; or `@pytest.mark.real_keyring`, or `real_network`."""
_ENVIRON = dict(os.environ)  # before any conftest.py puts a folder of its own in place


class RealKeyringTouched(Exception):
    """Click-auth was about to touch the real keyring, a real record file, or another machine."""


class KeyringGuard:
    """Stands before keyring, record files and network from `install()` to `remove()`.

    It refuses as long as no `allowed()` block is open. Child processes are refused by
    environment variables that the guarded modules know. A real record file is one in
    *record_folders*, which are beginnings of paths.
    """

    def __init__(self, record_folders: tuple[str, ...] = ()) -> None:
        self._record_folders = record_folders
        self._refused: list[str] = []
        self._allowed = False
        self._patch = pytest.MonkeyPatch()

    def install(self) -> None:
        """Guard all three; no library is loaded for this."""
        self._patch.setenv(stores.REFUSE_KEYRING, "1")
        self._patch.setenv(stores.REFUSE_RECORDS, os.pathsep.join(self._record_folders))
        self._patch.setenv(http.REFUSE_NETWORK, "1")
        self._patch.setattr(stores, "keyring_guard", self.refuse_keyring)
        self._patch.setattr(stores, "record_guard", self.refuse_record_file)
        self._patch.setattr(http, "network_guard", self._refuse)

    def remove(self) -> None:
        """Take everything back."""
        self._patch.undo()

    @contextmanager
    def allowed(self, mark: str = "real_keyring") -> Iterator[None]:
        """Let what *mark* names pass inside of the block, in child processes too."""
        is_everything = mark == "real_keyring"
        with pytest.MonkeyPatch.context() as patch:
            for name in _REFUSED if is_everything else (http.REFUSE_NETWORK,):
                patch.delenv(name, raising=False)
            patch.setattr(http, "network_guard", None)
            patch.setattr(self, "_allowed", is_everything)
            yield

    def check(self) -> None:
        """Raise `RealKeyringTouched` if anything was refused since the last check."""
        refused, self._refused = self._refused, []
        if refused:
            raise RealKeyringTouched(_explain(refused))

    def refuse_keyring(self, operation: str) -> None:
        """Refuse an operation, unless it is allowed or a test's own backend would do it."""
        if _is_real():
            self._refuse(f"the real keyring ({operation})")

    def refuse_record_file(self, path: str) -> None:
        """Refuse a real record file, unless it is allowed."""
        if path.startswith(self._record_folders):
            self._refuse(f"the real record file {path}")

    def _refuse(self, what: str) -> None:
        if not self._allowed:
            self._refused.append(what)
            raise RealKeyringTouched(_explain([what]))


_GUARD: pytest.StashKey[KeyringGuard] = pytest.StashKey()


@pytest.fixture
def auth_server() -> Iterator[testing.AuthorizationServer]:
    """Run an authorization server with a to-do API, for one test."""
    with testing.AuthorizationServer() as server:
        yield server


@pytest.fixture
def isolated_auth(tmp_path: Path) -> Iterator[Callable[..., Auth]]:
    """Cut an `Auth` off from this machine until the test ends: `isolated_auth(auth)`.

    Call it as often as you like. What else it takes is said at `click_auth.testing.isolated`.
    """
    with ExitStack() as until_the_end:

        def isolate(auth: Auth, **options: Any) -> Auth:
            block = testing.isolated(auth, tmp_path / "click-auth", **options)
            return until_the_end.enter_context(block)

        yield isolate


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known, and close the way to keyring, record files and network."""
    for mark, meaning in _MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")
    config.stash[_GUARD] = guard = KeyringGuard(record_folders(config.rootpath))
    guard.install()
    config.add_cleanup(guard.remove)  # also where another plugin's configuration fails


@pytest.hookimpl(hookwrapper=True)  # pluggy 1.0, which pytest 7.0 has, knows no other wrapper
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, None]:
    """Let marked tests pass, with their fixtures."""
    mark = next((mark for mark in _MARKS if item.get_closest_marker(mark)), None)
    with item.config.stash[_GUARD].allowed(mark) if mark else nullcontext():
        yield


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fail a test that touched the keyring, even where the program took it well."""
    item.config.stash[_GUARD].check()


# The same for what its fixtures do afterwards.
pytest_runtest_teardown = pytest_runtest_call


def record_folders(root: Path) -> tuple[str, ...]:
    """Return how paths of this person's record files begin: for Auth(folder=) and variables, too.

    What lies in the project at *root* or among temporary files is a test's own.
    """
    temporary = next(filter(None, map(_ENVIRON.get, ("TMPDIR", "TEMP", "TMP"))), "/tmp")  # noqa: S108 - tempfile asks the disk
    own = [f"{each}{os.sep}" for each in (root, Path(temporary))]
    named = (value for name, value in _ENVIRON.items() if name.endswith("_CONFIG_DIR") and value)
    folders = [f"{Path(value).expanduser()}{os.sep}" for value in named]
    folders.append(f"{Path('~').expanduser()}{os.sep}.")
    rest = (x for x in folders if not any(x.startswith(one) or one.startswith(x) for one in own))
    return (f"{applications_folder()}{os.sep}", *rest)


def applications_folder() -> Path:
    """Return where `click.get_app_dir` puts folders, without Click."""
    home = Path("~").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", home))
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    return Path(os.environ.get("XDG_CONFIG_HOME", home / ".config"))


def _is_real() -> bool:
    """Whether keyring would use a backend of its own, not one that a test has put in place."""
    backend = getattr(sys.modules.get("keyring.core"), "_keyring_backend", None)
    chosen = os.environ.get("PYTHON_KEYRING_BACKEND", "")
    module = chosen if backend is None else type(backend).__module__
    own = not module or module.startswith(("keyring.", "keyrings."))
    return own and not module.startswith(_HARMLESS)


def _explain(refused: list[str]) -> str:
    return f"click-auth was about to touch {', '.join(refused)}. {_WHAT_TO_WRITE}"
