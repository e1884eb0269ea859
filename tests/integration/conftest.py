"""The real parts, started for the tests that need them; a missing one fails the test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.machine import PATIENCE
from integration.provider import RunningProvider, oidc_provider
from integration.secret_service import secret_service
from integration.todo import Todo


def pytest_configure(config: pytest.Config) -> None:
    """Have a place for packages and pictures also when pytest is run without nox."""
    os.environ.setdefault("CLICK_AUTH_NODE", str(config.rootpath / ".nox" / "node"))
    os.environ.setdefault("CLICK_AUTH_SCREENSHOTS", str(config.rootpath / ".nox" / "screenshots"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test here the time that an installation may take: whichever is first installs."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(2 * PATIENCE))


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[RunningProvider]:
    """An authorization server of its own for each test."""
    with oidc_provider(tmp_path) as running:
        yield running


@pytest.fixture
def todo(provider: RunningProvider, tmp_path: Path) -> Iterator[Todo]:
    """A person whose keyring is unlocked, as on a desktop."""
    with secret_service(tmp_path / "session") as environment:
        yield Todo({**environment, "ISSUER": provider.issuer}, tmp_path)


@pytest.fixture
def screenshots() -> Path:
    """Where pictures of our pages are kept for a person to look at."""
    return Path(os.environ["CLICK_AUTH_SCREENSHOTS"])
