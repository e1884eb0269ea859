"""The pytest plugin: `auth_server`, `isolated_auth`, and no way to the developer's credentials.

Every test run of whoever has click-auth installed loads this module, so that everything heavy,
Click included, is imported when a fixture is used.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from click_auth import stores

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from click_auth import Auth
    from click_auth.testing import AuthorizationServer

_MARK = "real_keyring"
_HARMLESS = ("keyring.backends.null", "keyring.backends.fail")


class RealKeyringTouched(Exception):
    """Click-auth was about to touch the real keyring, or a real record file, in a test."""


class KeyringGuard:
    """Stands before keyring and record files from `install()` to `remove()`, a whole test run.

    It refuses as long as no `allowed()` block is open. Child processes are refused by
    environment variables that the guarded modules know. A real record file is one where
    applications keep theirs on this machine, as it was when the guard was installed.
    """

    def __init__(self) -> None:
        self._refused: list[str] = []
        self._allowed = False
        self._patch = pytest.MonkeyPatch()

    def install(self) -> None:
        """Guard both; no library is loaded for this."""
        self._patch.setenv(stores.REFUSE_KEYRING, "1")
        self._patch.setenv(stores.REFUSE_RECORDS, str(applications_folder()))
        self._patch.setattr(stores, "keyring_guard", self.refuse_keyring)
        self._patch.setattr(stores, "record_guard", self.refuse_record_file)

    def remove(self) -> None:
        """Take everything back."""
        self._patch.undo()

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let everything pass inside of the block, in child processes too."""
        with pytest.MonkeyPatch.context() as patch:
            for name in (stores.REFUSE_KEYRING, stores.REFUSE_RECORDS):
                patch.delenv(name, raising=False)
            patch.setattr(self, "_allowed", True)
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
        self._refuse(f"the real record file {path}")

    def _refuse(self, what: str) -> None:
        if not self._allowed:
            self._refused.append(what)
            raise RealKeyringTouched(_explain([what]))


_GUARD: pytest.StashKey[KeyringGuard] = pytest.StashKey()


@pytest.fixture
def auth_server() -> Iterator[AuthorizationServer]:
    """Run an authorization server with a to-do API, for one test."""
    from click_auth.testing.server import AuthorizationServer

    with AuthorizationServer() as server:
        yield server


@pytest.fixture
def isolated_auth(tmp_path: Path) -> Iterator[Callable[..., Auth]]:
    """Cut an `Auth` off from this machine until the test ends: `isolated_auth(auth)`.

    Call it as often as you like. What else it takes is said at `click_auth.testing.isolated`.
    """
    from click_auth.testing.isolation import isolated

    with ExitStack() as until_the_end:

        def isolate(auth: Auth, **options: Any) -> Auth:
            block = isolated(auth, tmp_path / "click-auth", **options)
            return until_the_end.enter_context(block)

        yield isolate


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, and close the way to keyring and record files."""
    config.addinivalue_line("markers", f"{_MARK}: the test may touch real credentials")
    config.stash[_GUARD] = guard = KeyringGuard()
    guard.install()
    config.add_cleanup(guard.remove)  # also where another plugin's configuration fails


@pytest.hookimpl(hookwrapper=True)  # pluggy 1.0, which pytest 7.0 has, knows no other wrapper
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, None]:
    """Let marked tests pass, with their fixtures."""
    is_marked = item.get_closest_marker(_MARK) is not None
    with item.config.stash[_GUARD].allowed() if is_marked else nullcontext():
        yield


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fail a test that touched the keyring, even where the program took it well."""
    item.config.stash[_GUARD].check()


# The same for what its fixtures do afterwards.
pytest_runtest_teardown = pytest_runtest_call


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
    return (
        f"click-auth was about to touch {', '.join(refused)}; isolate it with "
        "the fixture isolated_auth, or mark the test real_keyring"
    )
