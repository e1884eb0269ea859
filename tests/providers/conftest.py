from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.wire import Scripted


@pytest.fixture(params=["httpx", "httpx2"])
def module(request: pytest.FixtureRequest) -> str:
    """Name each module that may speak for the library."""
    return str(request.param)


@pytest.fixture
def server() -> Iterator[Scripted]:
    """Run a server that answers as it is told."""
    with Scripted() as running:
        yield running
