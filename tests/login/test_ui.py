from __future__ import annotations

import io
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from click_auth.console import console
from click_auth.console.console import can_redraw, is_terminal
from click_auth.environment import Environment
from click_auth.errors import LoginFailed
from click_auth.login.keyboard import open_keyboard
from click_auth.login.ui import TerminalUI
from click_auth.providers.authorization import AuthorizationRequest
from click_auth.testing import AuthorizationServer, FakeBrowser
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

PROGRAM = str(Path(__file__).parent / "waiting_program.py")


def ui_with(environ: Mapping[str, str] | None = None, **options: Any) -> TerminalUI:
    """Return a UI in a bare environment."""
    return TerminalUI(Environment("todo", environ or {}), **options)


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
    with console.use_console(heard):
        assert ui_with(browser=browser).open_page(url)
    assert url in seen[0].splitlines()


@pytest.mark.parametrize(
    "environ, options, says",
    [
        ({}, {"browser": lambda url: True}, "Your browser should open"),
        ({}, {"browser": lambda url: False}, "Couldn't open a browser"),
        ({}, {"allow_browser": False}, "(--no-browser)"),
        ({"TODO_NO_BROWSER": "1"}, {}, "(TODO_NO_BROWSER is set)"),
        ({"SSH_TTY": "x"}, {}, "(SSH session without a display)"),
    ],
)
def test_ti_05_a_person_learns_what_became_of_the_browser(
    environ: dict[str, str], options: dict[str, Any], says: str
) -> None:
    """One line says whether to look at the browser or to open the address oneself."""
    with console.use_console(Recorder()) as heard:
        ui_with(environ, **options).open_page("https://id.example/")
    assert isinstance(heard, Recorder)
    assert says in heard.text


def test_ti_05_an_opener_that_ends_badly_is_reported_once() -> None:
    """The wait goes on, and the person knows that nothing will open by itself."""
    environ = {"BROWSER": f"{sys.executable} -c 'raise SystemExit(3)'"}
    with Waiting(ui={"browser": None, "environ": environ}) as login:
        deadline = time.monotonic() + BOUND_SECONDS
        while " exit status 3)" not in login.console.text:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.5)
        assert login.console.text.count(" exit status 3)") == 1
        assert login.is_waiting


@pytest.mark.parametrize(
    "uri, target", [("http://127.0.0.1/callback", "127.0.0.1"), ("http://[::1]/callback", "[::1]")]
)
@pytest.mark.parametrize(
    "connection, user, at, there",
    [
        ("10.0.0.1 50000 10.0.0.2 22", "ada", "", "ada@10.0.0.2"),
        ("10.0.0.1 50000 10.0.0.2 2222", "ada", "-p 2222 ", "ada@10.0.0.2"),
        ("2001:db8::1 5 2001:db8::2 22", "ada.l", "", "ada.l@2001:db8::2"),
        ("10.0.0.1 50000 10.0.0.2 22", "-oProxyCommand=x", "", "10.0.0.2"),
        ("10.0.0.1 50000 10.0.0.2 22", "$(touch x)", "", "10.0.0.2"),
        ("a b -oProxyCommand=x;id 22", "ada", "", f"ada@{socket.gethostname()}"),
        ("1", "ada", "", f"ada@{socket.gethostname()}"),
    ],
)
def test_d7_s20_over_ssh_the_way_to_the_listener_is_shown(
    monkeypatch: pytest.MonkeyPatch,
    *,
    connection: str,
    user: str,
    at: str,
    there: str,
    uri: str,
    target: str,
) -> None:
    """The exact line, on a line of its own: user, address and port as sshd has them, or less."""
    monkeypatch.setenv("LOGNAME", user)
    environ = {"SSH_CONNECTION": connection}
    with Waiting(uri, ui={"browser": None, "environ": environ}) as login:
        command = f"ssh {at}-L {login.port}:{target}:{login.port} {there}"
        assert command in map(str.strip, login.console.text.splitlines())


def test_d14_over_ssh_x_a_browser_that_fails_late_leaves_the_other_way() -> None:
    """The `ssh -L` line comes when the browser has failed, and once."""
    environ = {
        "BROWSER": f"{sys.executable} -c 'raise SystemExit(3)'",
        "SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22",
    }
    with Waiting(ui={"browser": None, "environ": environ}) as login:
        deadline = time.monotonic() + BOUND_SECONDS
        while "ssh -L" not in login.console.text:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert login.is_waiting
    assert login.console.text.count("ssh -L") == 1
    assert login.console.text.index("exit status 3") < login.console.text.index("ssh -L")


@pytest.mark.parametrize(
    "environ, timeout, waits",
    [
        ({"CI": "true"}, 300.0, False),
        ({"GITHUB_ACTIONS": "true", "BROWSER": "surf"}, 300.0, True),
        ({"CI": "true"}, 7.0, True),
        ({"container": "oci"}, 300.0, True),
        ({}, 300.0, True),
    ],
)
def test_d10_in_a_ci_job_a_login_waits_for_nobody(
    environ: dict[str, str], timeout: float, *, waits: bool
) -> None:
    """It says what CI takes, unless somebody chose how long to wait."""
    ui = ui_with({"BROWSER": "", **environ}, stdin=io.StringIO())
    begun: list[str] = []

    def start(uri: str) -> AuthorizationRequest:
        begun.append(uri)
        raise KeyboardInterrupt

    with console.use_console(Recorder()), pytest.raises((KeyboardInterrupt, LoginFailed)) as caught:
        ui.wait_for_redirect(start, ["http://127.0.0.1/callback"], timeout=timeout)
    assert bool(begun) is waits
    if not waits:
        assert isinstance(caught.value, LoginFailed)
        assert "Set TODO_TOKEN, or TODO_CLIENT_ID and TODO_CLIENT_SECRET" in str(caught.value.hints)
        assert "--timeout" in str(caught.value.hints)


def test_d10_a_program_that_reads_the_address_is_somebody() -> None:
    """Under `--json` it may relay it, in CI too."""
    ui = ui_with({"CI": "1"}, stdin=io.StringIO())
    with console.use_console(console.JsonConsole()), pytest.raises(ZeroDivisionError):
        ui.wait_for_redirect(lambda uri: 1 / 0, ["http://127.0.0.1/callback"])  # type: ignore[arg-type,return-value]


def test_without_browser_and_terminal_the_listener_still_waits() -> None:
    """Another program may have read the address and relayed it."""
    with Waiting(ui={"browser": None, "stdin": io.StringIO()}) as login, login.connect() as relay:
        relay.sendall(login.head(f"/callback{ANSWER}"))
        assert login.response().code == CODE
    assert "paste" not in dict(login.console.events)


def test_programs_get_events() -> None:
    """Under `--json` each line is an object, and the one to relay is `open_url`."""
    with Waiting(timeout=7) as login:
        events = dict(login.console.events)
    assert list(events) == ["open_url", "browser", "waiting"]
    assert events["open_url"] == {"url": request_for(login.uri).url}
    assert events["browser"] == {"opened": True, "reason": None}
    assert events["waiting"] == {"redirect_uri": login.uri, "timeout": 7}


def test_events_are_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """As a program reads them, with no line that is anything else."""
    with console.use_console(console.JsonConsole()):
        ui_with(allow_browser=False).open_page("https://id.example/")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [json.loads(line)["event"] for line in shown.err.splitlines()] == ["open_url", "browser"]


@pytest.mark.parametrize("given", ["the-key\n", "  the-key  \nmore\n", "the-key"])
@pytest.mark.parametrize("hidden", [True, False])
def test_sx_10_without_a_terminal_one_line_of_stdin_is_taken(given: str, hidden: bool) -> None:
    """Nothing prompts, and the line is trimmed."""
    with console.use_console(Recorder()) as heard:
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
        with pytest.raises(LoginFailed, match="API key: none given") as caught:
            ui.ask("API key", hidden=True)
        assert caught.value.hints


ASKING = """
import sys
from click_auth.environment import Environment
from click_auth.login.ui import TerminalUI
try:
    answer = TerminalUI(Environment("todo")).ask("API key", hidden=sys.argv[1] == "hidden")
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


def test_b20_streams_that_are_missing_or_closed() -> None:
    """Under pythonw, and after `2>&-`, there is none: that is no terminal, and no error."""
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        assert not is_terminal(stream)
        assert not can_redraw(stream)
        assert open_keyboard(stream) is None


LOGIN = """
import os, sys
from click_auth import Auth, OAuthProvider
service = {"issuer": os.environ["ISSUER"], "api_url": os.environ["API"]}
auth = Auth("todo", OAuthProvider(client_id="todo-cli", **service), storage="plaintext")
auth.group()(prog_name="todo")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&-"])
@pytest.mark.parametrize("options", ["", "--json"])
def test_b20_a_login_without_streams(tmp_path: Path, streams: str, options: str) -> None:
    """Whichever are missing: the browser brings the answer, and the tokens stay."""
    with AuthorizationServer() as server:
        environ = {
            **os.environ,
            "TODO_CONFIG_DIR": str(tmp_path),
            "ISSUER": server.issuer,
            "API": server.api_url,
            "BROWSER": FakeBrowser.command(),
        }
        command = f'exec "$0" -c "$1" login {options} {streams}'
        argv = ["sh", "-c", command, sys.executable, LOGIN]
        with Terminal(argv, environ) as person:
            assert person.end() == 0, person.shown
    assert (tmp_path / "auth.json").exists()


def test_b20_a_program_that_closed_stderr_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be said there is lost."""
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    with console.counting_down(9, "nobody") as countdown:
        ui_with(browser=lambda url: True).open_page("https://id.example/")
        countdown.tick()
    console.JsonConsole().warn("x")


def test_b20_a_closed_standard_input_holds_no_token(tmp_path: Path) -> None:
    """`login --with-token <&-` is an error in one line."""
    command = f"TODO_CONFIG_DIR={tmp_path} ISSUER=http://127.0.0.1:9 API=http://127.0.0.1:9"
    shell = f'{command} exec "$0" -c "$1" login --with-token <&-'
    with Terminal(["sh", "-c", shell, sys.executable, LOGIN], dict(os.environ)) as person:
        assert person.end() == 1
    assert "exactly one line, the token" in person.shown
    assert "Traceback" not in person.shown


@pytest.mark.parametrize("iss_required", [True, False])
def test_d8_the_prompt_says_what_to_paste(*, iss_required: bool) -> None:
    """That the last page will not load is expected; a bare code only where one is accepted."""
    wishes = json.dumps({"iss_required": iss_required, "timeout": 1})
    with Terminal([sys.executable, PROGRAM, wishes], dict(os.environ)) as person:
        person.end()
    shown = " ".join(person.shown.split())
    assert "Paste the URL of that page" in shown
    assert "its last page won't load" in shown
    assert ("(or the code)" in shown) is not iss_required


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
    assert b"Login failed" in page


def test_a_login_that_ends_without_a_word_leaves_a_neutral_page() -> None:
    """Nobody called `finish`: the page claims nothing."""
    with Waiting() as login, login.connect() as browser:
        browser.sendall(login.head(f"/callback{ANSWER}"))
        login.response()
        login._may_finish.set()
        assert b"Finishing your login..." in browser.recv(65536)
