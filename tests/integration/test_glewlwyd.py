"""glewlwyd, the strict one: one redirect URI, a nonce, errors without a body, `slow_down`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from click_auth.account import refresh_slot_name, slot_name
from integration.glewlwyd import CONFIDENTIAL, DEVICE_INTERVAL, Glewlwyd, glewlwyd
from integration.todo import COMMAND_SECONDS, Todo

NOT_REVOKED = "The server did not confirm the revocation; the token may still be valid."


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Glewlwyd]:
    """A server of its own for each test."""
    with glewlwyd(tmp_path) as running:
        yield running


@pytest.fixture
def ada(todo: Todo, provider: Glewlwyd) -> Todo:
    """Ada, whose application is a public client."""
    return using(todo, provider)


def using(todo: Todo, provider: Glewlwyd, **client: Any) -> Todo:
    """Return the person of *todo* with another client."""
    uris = {"redirect_uris": [provider.redirect_uri]}
    arguments = {"scopes": ["openid"], "authorize_params": {}, **uris, **client}
    return todo.having(PROVIDER=json.dumps(arguments))


def test_login_refresh_and_logout(ada: Todo, provider: Glewlwyd) -> None:
    """A public client may not revoke: the logout says so, and is one all the same."""
    answer, _ = ada.log_in(provider.authorize)
    account = answer["account"]
    assert account["label"] == "Ada"
    first = ada.slot(refresh_slot_name(account["id"]))

    ada.json("auth", "refresh")
    second = ada.slot(refresh_slot_name(account["id"]))
    assert second not in {"", first}
    token = ada.run("auth", "token").stdout
    assert provider.honours(token)

    logout = ada.run("auth", "logout", "--json")
    assert logout.returncode == 0
    assert json.loads(logout.stdout) == {"ok": True, "removed": [account["id"]], "revoked": False}
    assert NOT_REVOKED in logout.stderr
    assert provider.honours(token)
    assert ada.run("auth", "token").returncode == 4
    assert ada.slot(refresh_slot_name(account["id"])) == ""


def test_a_confidential_client_revokes(todo: Todo, provider: Glewlwyd) -> None:
    """With its secret, login, refresh and logout are confirmed by the server."""
    person = using(todo, provider, **CONFIDENTIAL)
    account = person.log_in(provider.authorize)[0]["account"]["id"]
    person.json("auth", "refresh")
    tokens = person.slot(slot_name(account)), person.slot(refresh_slot_name(account))
    assert all(provider.is_active(token) for token in tokens)

    assert person.json("auth", "logout")["revoked"] is True
    assert not any(provider.is_active(token) for token in tokens)


def test_an_error_without_a_body_keeps_the_login(ada: Todo, provider: Glewlwyd) -> None:
    """A 400 that says nothing could mean anything: try later, and keep the tokens.

    Here it means that the grant is dead, by the replay of a rotated refresh token.
    """
    account = ada.log_in(provider.authorize)[0]["account"]["id"]
    stolen = ada.slot(refresh_slot_name(account))
    ada.json("auth", "refresh")
    newest = ada.slot(refresh_slot_name(account))
    replay = provider.refresh(stolen)
    assert (replay.status_code, replay.text) == (400, "")

    refresh = ada.run("auth", "refresh", "--json")
    assert refresh.returncode == 5
    error = json.loads(refresh.stderr.splitlines()[-1])["error"]
    assert error["code"] == "AUTH_REFRESH_TRANSIENT"
    assert "status 400" in error["message"]
    assert ada.slot(refresh_slot_name(account)) == newest
    assert provider.honours(ada.run("auth", "token").stdout)


def test_a_request_without_its_nonce_is_refused(ada: Todo, provider: Glewlwyd) -> None:
    """The server insists on it, and what it answers then ends the login with one line."""
    with ada.login() as login:
        url = httpx.URL(login.url)
        provider.authorize(str(url.copy_remove_param("nonce")))
        code, stdout, stderr = login.finish()

    assert (code, stdout) == (1, "")
    assert "Error: The server rejected the login: invalid_request" in stderr


def test_the_device_grant_slows_down(ada: Todo, provider: Glewlwyd) -> None:
    """Polling as often as was allowed at first: one `slow_down`, then five seconds more apart."""
    command = [sys.executable, str(ada.program), "auth", "login", "--device", "--json"]
    with subprocess.Popen(
        command,
        env={**ada.environment, "TODO_AUTH_DEBUG": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        events = (json.loads(line) for line in process.stderr)
        try:
            code = next(event["user_code"] for event in events if event["event"] == "device_code")
            process.send_signal(signal.SIGSTOP)  # its first poll comes when the server is slower
            provider.slow_devices_down(3 * DEVICE_INTERVAL)
            process.send_signal(signal.SIGCONT)
            answers = [next(polls(events)) for _ in range(2)]
            refused_at = time.monotonic()
            provider.allow_device(code, "todo-cli")
            answers.append(next(polls(events)))
            waited = time.monotonic() - refused_at
            stdout, _ = process.communicate(timeout=COMMAND_SECONDS)
        finally:
            process.kill()

    assert answers == [400, 400, 200]
    assert waited > 3 * DEVICE_INTERVAL  # by this clock, which may have started late
    account = json.loads(stdout)["account"]
    assert account["label"] == "Ada"
    ada.json("auth", "refresh")
    assert provider.honours(ada.run("auth", "token").stdout)


def polls(events: Iterator[dict[str, Any]]) -> Iterator[int]:
    """Yield the status of each answer of the token endpoint."""
    for event in events:
        said = re.search(r"/token: (\d+),", event.get("message", ""))
        if said is not None:
            yield int(said[1])
