"""An authorization server for each test, and time for whichever installs an environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from click_auth.testing import AuthorizationServer
from frameworks.hosts import PATIENCE
from frameworks.person import Person


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test here the time that an installation may take: whichever is first installs."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(2 * PATIENCE))


@pytest.fixture
def make_person(tmp_path: Path) -> Iterator[Callable[..., Person]]:
    """Make somebody who runs a program: `make_person(python, source)`."""
    with AuthorizationServer() as server:

        def make(python: Path, source: str | Path, **environ: str) -> Person:
            program = source if isinstance(source, Path) else tmp_path / "program.py"
            if not isinstance(source, Path):
                program.write_text(source, encoding="utf-8")
            return Person(server, tmp_path, [python, program], environ)

        yield make
