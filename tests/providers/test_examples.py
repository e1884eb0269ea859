"""The two examples of providers that are not OAuth, as whole programs against a small service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from providers.wire import Scripted, reply, say

EXAMPLES = Path(__file__).parents[2] / "examples"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(server: Scripted, tmp_path: Path) -> Run:
    """Return what runs an example that talks to *server* and keeps its files to itself."""
    environ = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path), PYTHONIOENCODING="utf-8")
    for app in ("WEATHER", "NOTES"):
        environ[f"{app}_API_URL"] = server.url
        environ[f"{app}_CONFIG_DIR"] = str(tmp_path)
        environ[f"{app}_AUTH_STORAGE"] = "plaintext"

    def example(
        name: str, *arguments: str, stdin: str = "", code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
        done = subprocess.run(
            command,
            env=environ,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    return example


def test_a_service_with_api_keys(server: Scripted, run: Run) -> None:
    """A key from stdin is checked with the API, kept, and sent in its own header."""
    server.on = {
        "/me": say({"id": 7, "label": "ada"}),
        "/now": say({"place": "Oslo", "sky": "clear", "degrees": -3}),
    }
    assert "ada" in run("apikey", "auth", "login", stdin="canary-key\n").stderr
    assert run("apikey", "now", "Oslo").stdout == "Oslo: clear, -3 °C\n"
    assert run("apikey", "auth", "token").stdout == "canary-key"
    assert [request.headers["x-api-key"] for request in server.seen] == ["canary-key"] * 2
    assert all("authorization" not in request.headers for request in server.seen)
    run("apikey", "auth", "logout")
    run("apikey", "now", "Oslo", code=4)


def session(number: int, lives: int = 3600) -> bytes:
    """Return a session of the service."""
    return say({"session": f"session-{number}", "renewal": f"renewal-{number}", "lives": lives})


def test_a_service_with_magic_links(server: Scripted, run: Run) -> None:
    """A code from an e-mail becomes a session, which is renewed and ended."""
    server.on = {
        "/login/start": say({}),
        "/login/finish": session(1, lives=0),
        "/me": say({"id": "u1", "email": "ada@todo.example"}),
        "/session/renew": session(2),
        "/notes": say([{"text": "Buy milk"}]),
        "/session/end": say({}),
    }
    command = ("auth", "login", "--user", "ada@todo.example")
    said = run("magic_link", *command, stdin="123456\n").stderr
    assert "A code is on its way to ada@todo.example." in said
    assert run("magic_link", "list").stdout == "Buy milk\n"
    run("magic_link", "auth", "logout")
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
    server: Scripted, run: Run, answer: bytes, code: int, word: str
) -> None:
    """A wrong code and a sick service are errors of one line."""
    server.on = {"/login/start": say({}), "/login/finish": answer}
    command = ("auth", "login", "--user", "ada@todo.example")
    done = run("magic_link", *command, stdin="000000\n", code=code)
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
