"""A browser was opened: the screen names the server, and has the whole URL when it is needed."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from login.terminal import Terminal
from login.waiting import CODE

PROGRAM = str(Path(__file__).parent / "waiting_program.py")
URL = "https://id.example/authorize?redirect_uri="
WAITING = "Waiting for the browser... "
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")


def login(environ: dict[str, str] | None = None, **wishes: Any) -> Terminal:
    """Run a login at a terminal of 80 columns."""
    argv = [sys.executable, PROGRAM, json.dumps({"opens": True, "timeout": 60, **wishes})]
    return Terminal(argv, {**os.environ, "TERM": "xterm", **(environ or {})}, columns=80)


def test_an_opened_browser_leaves_the_name_of_the_server() -> None:
    """One line; where the answer comes soon the URL is never shown."""
    with login() as person:
        person.read_until(WAITING)
        assert "id.example in your browser" in person.shown
        person.type(f"{CODE}\n")
        assert person.end() == 0
    assert URL not in person.shown


def test_the_whole_url_comes_after_a_while() -> None:
    """Once, and on a line of its own, above the time that is left."""
    began = time.monotonic()
    with login(whole_url_seconds=1.0) as person:
        person.read_until(URL)
        assert time.monotonic() - began > 1.0
        person.read_until("0:57 left")
        person.type(f"{CODE}\n")
        assert person.end() == 0
    assert person.shown.count(URL) == 1
    assert [line for line in person.screen if line.startswith(URL)]


def test_it_is_ten_seconds() -> None:
    """Nobody who has a browser needs it sooner."""
    began = time.monotonic()
    with login() as person:
        person.read_until(URL)
    assert time.monotonic() - began > 10.0


@pytest.mark.parametrize("wish", [{"opens": False}, {"opens": None}], ids=str)
def test_without_a_browser_the_whole_url_is_there_at_once(wish: dict[str, Any]) -> None:
    """Where it could not be started, and with `--no-browser`."""
    with login(**wish) as person:
        person.read_until(WAITING)
        person.interrupt()
    assert [line for line in person.screen if line.startswith(URL)]
    assert person.shown.count(URL) == 1


def test_a_browser_that_fails_late_brings_the_whole_url() -> None:
    """As soon as that is known, with how it ended."""
    failing = {"BROWSER": f"{sys.executable} -c 'raise SystemExit(3)'"}
    with login(failing, opens="$BROWSER") as person:
        person.read_until(URL)
        person.interrupt()
    assert person.shown.count("exit status 3") == 1


def test_a_pipe_and_a_program_get_the_whole_url_at_once() -> None:
    """Whoever reads stderr from a file, or as JSON, may have to relay it."""
    shell = f'{sys.executable} {PROGRAM} \'{{"opens": true, "timeout": 1}}\' 2>&1 | cat'
    with Terminal(["sh", "-c", shell], dict(os.environ)) as person:
        person.end()
    assert f"\n{URL}" in person.shown
    with login(machine=True, timeout=1) as person:
        person.end()
    first, second = map(json.loads, person.shown.splitlines()[:2])
    assert first["event"] == "open_url"
    assert first["url"].startswith(URL)
    assert second == {"event": "browser", "opened": True, "reason": None}
