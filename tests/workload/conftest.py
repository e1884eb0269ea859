from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from click_auth import Auth, OAuthProvider
from workload.parties import AUDIENCE, MARKS, Job, Services


@pytest.fixture
def services() -> Iterator[Services]:
    """Run both endpoints on a loopback address."""
    with Services() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def auth(services: Services, tmp_path: Path) -> Auth:
    """A `todo` whose server trusts the jobs of a CI system."""
    provider = OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint=f"{services.url}/authorize",
        token_endpoint=f"{services.url}/token",
        api_url=services.url,
        scopes=("tasks:read", "offline_access"),
        workload_audience=AUDIENCE,
    )
    return Auth("todo", provider, storage="plaintext", folder=tmp_path / "todo")


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin outside of every CI system."""
    for name in (*MARKS, "TODO_ID_TOKEN_FILE", "TODO_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, services: Services, tmp_path: Path) -> Job:
    """Make this process a job of a CI system."""
    return Job(monkeypatch, services, tmp_path)
