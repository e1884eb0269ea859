"""The pytest plugin: `auth_server`, `isolated_auth`, and no way to the developer's credentials.

Every test run of whoever has click-auth installed loads this module, so what is heavy is
imported when a fixture is used.
"""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from click_auth.testing.isolation import IsolateAuth
    from click_auth.testing.keyring_guard import KeyringGuard
    from click_auth.testing.server import AuthorizationServer

_MARK = "real_keyring"
_GUARD: pytest.StashKey[KeyringGuard] = pytest.StashKey()


@pytest.fixture
def auth_server() -> Iterator[AuthorizationServer]:
    """Run an authorization server with a to-do API, for one test."""
    from click_auth.testing.server import AuthorizationServer

    with AuthorizationServer() as server:
        yield server


@pytest.fixture
def isolated_auth(tmp_path: Path) -> Iterator[IsolateAuth]:
    """Cut an `Auth` off from this machine until the test ends: `isolated_auth(auth)`."""
    from click_auth.testing.isolation import IsolateAuth

    with ExitStack() as until_the_end:
        yield IsolateAuth(tmp_path, until_the_end)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, and close the way to keyring and record files."""
    from click_auth.testing.keyring_guard import KeyringGuard

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
