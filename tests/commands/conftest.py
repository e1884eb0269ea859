from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import pytest

from click_auth import Auth, MemoryTokenStore, OAuthProvider
from click_auth.testing import AuthorizationServer, FakeBrowser
from runner import CliRunner, Result


class Todo:
    """A `todo` command line with every standard command, in this process."""

    def __init__(self, server: AuthorizationServer, tmp_path: Any, **settings: Any) -> None:
        self.server = server
        self.browser = FakeBrowser()
        provider = settings.pop("provider", None) or OAuthProvider(
            client_id="todo-cli",
            issuer=server.issuer,
            scopes=("tasks:read",),
            api_url=server.api_url,
            identify=lambda api: api.get("/me").raise_for_status().json(),
        )
        self.environ = {"TODO_CONFIG_DIR": str(tmp_path / "config")}
        settings.setdefault("store", MemoryTokenStore())
        self.auth = Auth("todo", provider, **settings)

        @click.group()
        def cli() -> None:
            """Keep track."""

        self.cli = cli
        self.group = self.auth.group()
        cli.add_command(self.group)

    def run(self, *arguments: str, stdin: str | None = None, **environ: str) -> Result:
        """Run `todo ARGUMENTS`."""
        with self.auth.override(environ={**self.environ, **environ}, browser=self.browser):
            runner = CliRunner()
            return runner.invoke(self.cli, arguments, input=stdin, prog_name="todo")


@pytest.fixture
def make_todo(auth_server: AuthorizationServer, tmp_path: Any) -> Callable[..., Todo]:
    """Make a `todo` with settings of one's own."""
    return lambda **settings: Todo(auth_server, tmp_path, **settings)


@pytest.fixture
def todo(make_todo: Callable[..., Todo]) -> Todo:
    """A `todo` with nobody logged in."""
    return make_todo()
