"""Every kind of client and grant that the certified server knows, each from login to logout."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from integration.provider import RunningProvider
from integration.todo import COMMAND_SECONDS, Todo
from integration.walk import walk

CLIENTS: dict[str, dict[str, Any]] = {
    "client_secret_basic": {"client_id": "todo-basic", "client_secret": "todo-basic-secret"},
    "client_secret_post": {
        "client_id": "todo-post",
        "client_secret": "todo-post-secret",
        "token_endpoint_auth_method": "client_secret_post",
    },
    "pushed requests": {
        "client_id": "todo-par",
        "client_metadata": {"require_pushed_authorization_requests": True},
    },
    "registered by itself": {"client_id": None, "client_metadata": {"client_name": "Todo"}},
    "localhost": {"redirect_uris": ["http://localhost/callback"]},
    "endpoints by hand": {"issuer": None},
}


@pytest.mark.parametrize("name", CLIENTS)
def test_login_refresh_and_logout(name: str, todo: Todo, provider: RunningProvider) -> None:
    """The server takes the client as configured for login, refresh, API call and revocation."""
    arguments = CLIENTS[name]
    if name == "endpoints by hand":
        arguments = arguments | {
            "authorization_endpoint": f"{provider.issuer}/auth",
            "token_endpoint": f"{provider.issuer}/token",
            "revocation_endpoint": f"{provider.issuer}/token/revocation",
            "userinfo_endpoint": f"{provider.issuer}/me",
        }
    person = todo.having(PROVIDER=json.dumps(arguments))

    assert person.log_in(walk)[0]["account"]["id"] == "ada"
    before = person.run("auth", "token").stdout
    person.json("auth", "refresh")
    after = person.run("auth", "token").stdout
    assert after != before
    assert person.run("me").stdout == "ada\n"
    assert person.json("auth", "logout")["revoked"] is True
    assert not provider.is_active(after)


def test_the_device_grant(todo: Todo, provider: RunningProvider) -> None:
    """The code that the terminal shows, entered on the server's own page, ends the wait."""
    command = [sys.executable, str(todo.program), "auth", "login", "--device"]
    with subprocess.Popen(
        command,
        env=dict(todo.environment),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")
        code = next(found[0] for line in said if (found := re.search(r"\w{4}-\w{4}", line)))
        walk(f"{provider.issuer}/device", user_code=code)
        process.communicate(timeout=COMMAND_SECONDS)

    assert process.returncode == 0
    assert todo.run("me").stdout == "ada\n"


def test_client_credentials_in_ci(todo: Todo, provider: RunningProvider) -> None:
    """Id and secret in the environment: a token without an account, good at the server."""
    job = todo.having(TODO_CLIENT_ID="todo-job", TODO_CLIENT_SECRET="todo-job-secret")

    assert provider.is_active(job.run("auth", "token").stdout)
    status = job.json("auth", "status")
    assert (status["source"], status["account"]) == ("client_credentials", None)
