from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest

from click_auth import voice
from click_auth.environment import Environment
from click_auth.errors import LoginFailed
from click_auth.login.ui import TerminalUI
from login.terminal import Terminal
from login.waiting import (
    ANSWER,
    BOUND_SECONDS,
    CODE,
    Recorder,
    Waiting,
    at_once,
    request_for,
)


def ui_with(environ: Mapping[str, str] | None = None, **options: Any) -> TerminalUI:
    """Return a UI in a bare environment."""
    return TerminalUI("todo", Environment("todo", environ or {}), **options)


@pytest.mark.parametrize(
    "environ, options, has_browser",
    [
        ({}, {"browser": lambda url: True}, True),
        ({"TODO_NO_BROWSER": "1"}, {"browser": lambda url: True}, True),
        ({}, {"browser": lambda url: True, "allow_browser": False}, False),
        ({"BROWSER": sys.executable}, {}, True),
        ({"BROWSER": sys.executable, "TODO_NO_BROWSER": "1"}, {}, False),
        ({"BROWSER": sys.executable, "TODO_NO_BROWSER": "0"}, {}, True),
        ({"SSH_CONNECTION": "1"}, {}, False),
    ],
)
def test_whether_there_is_a_browser(
    environ: dict[str, str],
    options: dict[str, Any],
    has_browser: bool,
) -> None:
    """`--no-browser` beats everything, an override the environment, the variable the search."""
    assert ui_with(environ, **options).has_browser is has_browser


def test_the_url_comes_first_in_full_on_its_own_line() -> None:
    """Before any browser is tried, so that it is there when the browser is not."""
    heard = Recorder()
    seen: list[str] = []

    def browser(url: str) -> bool:
        seen.append(heard.text)
        return True

    url = "https://id.example/" + "x" * 3000
    with voice.speaking(heard):
        assert ui_with(browser=browser).open_page(url)
    assert url in seen[0].splitlines()


@pytest.mark.parametrize(
    "environ, options, says",
    [
        ({}, {"browser": lambda url: True}, "should be showing it now"),
        ({}, {"browser": lambda url: False}, "could not be started"),
        ({}, {"allow_browser": False}, "No browser was started: it was not wanted"),
        ({"TODO_NO_BROWSER": "1"}, {}, "No browser was started: TODO_NO_BROWSER is set"),
        ({"SSH_TTY": "x"}, {}, "No browser was started: this is an SSH session without a display"),
    ],
)
def test_ti_05_a_person_learns_what_became_of_the_browser(
    environ: dict[str, str], options: dict[str, Any], says: str
) -> None:
    """One line says whether to look at the browser or to open the address oneself."""
    with voice.speaking(Recorder()) as heard:
        ui_with(environ, **options).open_page("https://id.example/")
    assert isinstance(heard, Recorder)
    assert says in heard.text


def test_ti_05_an_opener_that_ends_badly_is_reported_once() -> None:
    """The wait goes on, and the person knows that nothing will open by itself."""
    environ = {"BROWSER": f"{sys.executable} -c 'raise SystemExit(3)'"}
    with Waiting(ui={"browser": None, "environ": environ}) as login:
        deadline = time.monotonic() + BOUND_SECONDS
        while "it ended with 3" not in login.voice.text:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.5)
        assert login.voice.text.count("it ended with 3") == 1
        assert login.is_waiting


@pytest.mark.parametrize(
    "uri, target", [("http://127.0.0.1/callback", "127.0.0.1"), ("http://[::1]/callback", "[::1]")]
)
def test_over_ssh_the_way_to_the_listener_is_shown(uri: str, target: str) -> None:
    """The exact `ssh -L` line, with the port that is really listened on, on its own line."""
    environ = {"SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22"}
    with Waiting(uri, ui={"browser": None, "environ": environ}) as login:
        command = f"ssh -L {login.port}:{target}:{login.port} "
        assert any(line.startswith(command) for line in login.voice.text.splitlines())


def test_without_browser_and_terminal_the_listener_still_waits() -> None:
    """Another program may have read the address and relayed it."""
    with Waiting(ui={"browser": None, "stdin": io.StringIO()}) as login, login.connect() as relay:
        relay.sendall(login.head(f"/callback{ANSWER}"))
        assert login.response().code == CODE
    assert "paste" not in dict(login.voice.events)


def test_programs_get_events() -> None:
    """Under `--json` each line is an object, and the one to relay is `open_url`."""
    with Waiting(timeout=7) as login:
        events = dict(login.voice.events)
    assert list(events) == ["open_url", "browser", "waiting"]
    assert events["open_url"] == {"url": request_for(login.uri).url}
    assert events["browser"] == {"opened": True, "reason": None}
    assert events["waiting"] == {"redirect_uri": login.uri, "timeout": 7}


def test_events_are_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """As a program reads them, with no line that is anything else."""
    with voice.speaking(voice.Machine()):
        ui_with(allow_browser=False).open_page("https://id.example/")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [json.loads(line)["event"] for line in shown.err.splitlines()] == ["open_url", "browser"]


@pytest.mark.parametrize("given", ["the-key\n", "  the-key  \nmore\n", "the-key"])
@pytest.mark.parametrize("hidden", [True, False])
def test_sx_10_without_a_terminal_one_line_of_stdin_is_taken(given: str, hidden: bool) -> None:
    """Nothing prompts, and the line is trimmed."""
    with voice.speaking(Recorder()) as heard:
        assert ui_with(stdin=io.StringIO(given)).ask("API key", hidden=hidden) == "the-key"
    assert isinstance(heard, Recorder)
    assert not heard.lines


def test_nothing_on_stdin_is_an_error_with_a_way_out() -> None:
    """End of file, an empty line and a closed stdin are all the same."""
    closed = io.StringIO("x")
    closed.close()
    for stdin in (io.StringIO(""), io.StringIO("\n"), closed):
        ui = ui_with(stdin=stdin)
        assert not ui.has_terminal
        with pytest.raises(LoginFailed, match="API key: nothing came") as caught:
            ui.ask("API key", hidden=True)
        assert caught.value.hints


ASKING = """
import sys
from click_auth.environment import Environment
from click_auth.login.ui import TerminalUI
try:
    answer = TerminalUI("todo", Environment("todo")).ask("API key", hidden=sys.argv[1] == "hidden")
    print("length", len(answer), flush=True)
except KeyboardInterrupt:
    sys.exit(130)
"""


def wait_for_echo(person: Terminal, how: str) -> None:
    """Wait until the terminal is as the question wants it: what is typed before is thrown away."""
    deadline = time.monotonic() + BOUND_SECONDS
    while person.echoes is (how == "hidden"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("how, shown", [("hidden", 0), ("open", 1)])
def test_sx_10_a_person_is_asked_on_the_terminal(how: str, shown: int) -> None:
    """A hidden answer is not echoed."""
    with Terminal([sys.executable, "-c", ASKING, how], dict(os.environ)) as person:
        person.read_until("API key:")
        wait_for_echo(person, how)
        person.type("the-key\n")
        person.read_until("length 7")
        assert person.end() == 0
        assert person.shown.count("the-key") == shown


@pytest.mark.parametrize("how", ["hidden", "open"])
def test_lb_21_ctrl_c_at_a_question(how: str) -> None:
    """It ends the program as an interrupt, and the terminal echoes again."""
    with Terminal([sys.executable, "-c", ASKING, how], dict(os.environ)) as person:
        person.read_until("API key:")
        wait_for_echo(person, how)
        assert person.interrupt() < at_once()
        assert person.process.returncode == 130
        assert person.echoes


@pytest.mark.parametrize(
    "error, says",
    [
        (LoginFailed("The server said no."), "The server said no."),
        (OSError(), "Nothing was stored."),
    ],
)
def test_a_login_that_fails_later_tells_the_browser(error: Exception, says: str) -> None:
    """Whatever leaves the block is a failure, but only our own errors are quoted."""
    with Waiting(ends_with=error) as login:
        page = login.get(ANSWER)
    assert says.encode() in page
    assert b"The login failed" in page


def test_a_login_that_ends_without_a_word_leaves_a_neutral_page() -> None:
    """Nobody called `finish`: the page claims nothing."""
    with Waiting() as login, login.connect() as browser:
        browser.sendall(login.head(f"/callback{ANSWER}"))
        login.response()
        login._may_finish.set()
        assert b"Almost there" in browser.recv(65536)
