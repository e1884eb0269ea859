"""The two examples of providers that are not OAuth, as whole programs against a small service."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from click_auth.testing.isolation import IsolateAuth
from providers.wire import Scripted, reply, say

EXAMPLES = Path(__file__).parents[2] / "examples"


def loaded(name: str) -> ModuleType:
    """Return an example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(module: ModuleType, *arguments: str, stdin: str = "") -> Result:
    """Run a command of an example to a good end."""
    result = CliRunner().invoke(module.cli, arguments, input=stdin)
    assert result.exit_code == 0, result.output
    return result


def test_a_service_with_api_keys(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, isolated_auth: IsolateAuth
) -> None:
    """A key from stdin is checked with the API, kept, and sent in its own header."""
    monkeypatch.setenv("WEATHER_API_URL", server.url)
    server.on = {
        "/me": say({"id": 7, "label": "ada"}),
        "/now": say({"place": "Oslo", "sky": "clear", "degrees": -3}),
    }
    weather = loaded("apikey")
    isolated_auth(weather.auth)
    assert "ada" in run(weather, "auth", "login", stdin="canary-key\n").stderr
    assert run(weather, "now", "Oslo").stdout == "Oslo: clear, -3 °C\n"
    assert run(weather, "auth", "token").stdout == "canary-key"
    assert [request.headers["x-api-key"] for request in server.seen] == ["canary-key"] * 2
    assert all("authorization" not in request.headers for request in server.seen)
    run(weather, "auth", "logout")
    assert CliRunner().invoke(weather.cli, ["now", "Oslo"]).exit_code == 4


def session(number: int, lives: int = 3600) -> bytes:
    """Return a session of the service."""
    return say({"session": f"session-{number}", "renewal": f"renewal-{number}", "lives": lives})


@pytest.fixture
def notes(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, isolated_auth: IsolateAuth
) -> ModuleType:
    """Make the program whose service is *server*."""
    monkeypatch.setenv("NOTES_API_URL", server.url)
    module = loaded("magic_link")
    isolated_auth(module.auth)
    return module


def test_a_service_with_magic_links(server: Scripted, notes: ModuleType) -> None:
    """A code from an e-mail becomes a session, which is renewed and ended."""
    server.on = {
        "/login/start": say({}),
        "/login/finish": session(1, lives=0),
        "/me": say({"id": "u1", "email": "ada@todo.example"}),
        "/session/renew": session(2),
        "/notes": say([{"text": "Buy milk"}]),
        "/session/end": say({}),
    }
    said = run(notes, "auth", "login", "--user", "ada@todo.example", stdin="123456\n").stderr
    assert "A code is on its way to ada@todo.example." in said
    assert run(notes, "list").stdout == "Buy milk\n"
    run(notes, "auth", "logout")
    sent: dict[str, Any] = {request.path: request for request in server.seen}
    assert json.loads(sent["/login/finish"].body) == {"email": "ada@todo.example", "code": "123456"}
    assert json.loads(sent["/session/renew"].body) == {"renewal": "renewal-1"}
    assert sent["/notes"].headers["authorization"] == "Bearer session-2"
    assert json.loads(sent["/session/end"].body) == {"renewal": "renewal-2"}


@pytest.mark.parametrize(
    "answer, code, word",
    [(reply("", 403), 1, "not the code"), (reply("", 500), 5, "could not be asked")],
)
def test_a_service_with_magic_links_that_says_no(
    server: Scripted, notes: ModuleType, answer: bytes, code: int, word: str
) -> None:
    """A wrong code and a sick service are errors of one line."""
    server.on = {"/login/start": say({}), "/login/finish": answer}
    command = ["auth", "login", "--user", "ada@todo.example"]
    result = CliRunner().invoke(notes.cli, command, input="000000\n")
    assert result.exit_code == code
    assert word in result.stderr
    assert result.stdout == ""
