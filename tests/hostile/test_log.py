"""What the debug log tells of whole `todo` processes, and that it tells no secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from click_auth.testing import Client
from hostile.canaries import CLIENT, CLIENT_SECRET, Canaries
from hostile.world import World

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "debug-log.md"
TOKEN = "canary-of-the-environment"

# What needs a terminal, a second process or another server has tests of its own.
ELSEWHERE = ("login by both", "response: pasted", "no token for", "refresh of ada: another")


class Log:
    """The log of several commands, each line as a page would show it: no address, no figure."""

    def __init__(self, world: World) -> None:
        self.canaries = Canaries(world)
        self.text = ""
        self._servers = {
            world.server.api_url: "https://api.todo.example",
            world.server.issuer: "https://id.todo.example",
        }

    def add(self, *arguments: str, status: int = 0, **environ: str) -> list[str]:
        """Run a command, and return what it logged."""
        done = self.canaries.run(*arguments, **environ)
        assert done.status == status, done.err
        logged = "\n".join(
            line.partition("click_auth: ")[2]
            for line in done.err.splitlines()
            if line.startswith("click_auth: ")
        )
        for server, shown in self._servers.items():
            logged = logged.replace(server, shown)
        self.text += logged + "\n"
        return without_figures(logged)


def without_figures(text: str) -> list[str]:
    """Return the lines of *text* with N for each number."""
    return re.sub(r"\d+", "N", text).splitlines()


@pytest.fixture
def log(world: World) -> Log:
    """A log that is empty yet."""
    world.server.add_client(Client(CLIENT, ("http://127.0.0.1/callback",), CLIENT_SECRET))
    return Log(world)


def test_a_log_tells_the_story_and_no_secret(log: Log) -> None:
    """Login, refusal and refresh, by account and by variable: each request, decision and call."""
    server = log.canaries.world.server
    logged = log.add("auth", "login")
    assert "login by redirect: a browser opens" in logged
    assert "response: http://N.N.N.N:N/callback" in logged
    assert "POST https://id.todo.example/token: N, N ms" in logged
    assert "keyring: write user-ada/refresh: done, N ms" in logged
    assert "stored ada: system" in logged
    server.expire_access_tokens()
    logged = log.add("me")
    story = [
        "account: ada (the default one, or the only one)",
        "keyring: read user-ada: done, N ms",
        "GET https://api.todo.example/me: N, N ms",
        "refresh of ada: the service rejected the token",
        "POST https://id.todo.example/token: N, N ms",
        "renewed ada, generation N",
        "GET https://api.todo.example/me: N, N ms",
    ]
    assert [line for line in logged if line in story and "read" not in line] == [
        line for line in story if "read" not in line
    ]
    assert story[1] in logged
    assert re.findall(r"/me: (\d+)", log.text)[-2:] == ["401", "200"]
    assert log.add("me", TODO_ACCOUNT="ada")[0] == "account: ada (named by TODO_ACCOUNT)"
    logged = log.add("me", TODO_TOKEN=TOKEN, status=4)
    assert logged[0] == "credential: TODO_TOKEN, ahead of every stored account"
    assert TOKEN not in log.text
    assert log.canaries.sightings() == []


def test_a_keyring_that_is_locked_is_in_the_log(log: Log) -> None:
    """The slot, and what the keyring did instead."""
    log.add("auth", "login")
    log.canaries.world.lock_keyring()
    logged = log.add("auth", "token", status=6)
    assert "keyring: read user-ada: locked, N ms" in logged


def test_a_request_without_an_answer_is_in_the_log(log: Log) -> None:
    """A server that is away, and an API that hangs up."""
    world = log.canaries.world
    log.add("auth", "login")
    world.server.faults.drop_answer["api"] = 9
    assert "GET https://api.todo.example/me: no response, N ms" in log.add("me", status=5)
    world.server.faults.status["token"] = (503, "")
    logged = log.add("auth", "refresh", status=5)
    assert "refresh of ada: it was asked for" in logged
    assert re.search(r"/token: 503, \d+ ms", log.text)


def test_the_page_shows_lines_that_are_logged(log: Log) -> None:
    """Each line on the page is one that the library logs, but for its names and numbers."""
    log.add("auth", "login")
    for environ in ({}, {"TODO_ACCOUNT": "ada"}):
        log.add("me", **environ)
    log.add("auth", "status", "--user", "ada", TODO_TOKEN=TOKEN)
    log.add("me", TODO_TOKEN=TOKEN, status=4)
    log.add("auth", "refresh")
    log.add("auth", "token", "--min-ttl", "2h")
    log.canaries.world.server.expire_access_tokens()
    log.add("me")
    log.add("auth", "login", "--device", BROWSER="true")
    log.canaries.world.lock_keyring()
    log.add("auth", "token", status=6)
    shown = "".join(
        re.findall(r"^```text\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    )
    missing = set(without_figures(shown)) - set(without_figures(log.text))
    assert {line for line in missing if not line.startswith(ELSEWHERE)} == set()
