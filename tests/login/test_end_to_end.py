"""Whole processes of examples/todo.py against the testing server, at every door."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from click_auth.testing import AuthorizationServer, FakeBrowser
from login.terminal import Terminal
from login.waiting import BOUND_SECONDS, at_once, refuses, unused_port

if TYPE_CHECKING:
    from typing_extensions import Self

PROGRAM = [sys.executable, str(Path(__file__).parents[2] / "examples" / "todo.py")]
PASSES = "true"  # a browser that opens nothing: the test is the one who visits
SCREENS = ("BROWSER", "CI", "DISPLAY", "GITHUB_ACTIONS", "SSH_CONNECTION", "WAYLAND_DISPLAY")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """Run an authorization server that approves by itself."""
    with AuthorizationServer(device_interval=60) as running:  # no code is entered meanwhile
        yield running


@pytest.fixture
def environ(tmp_path: Path, server: AuthorizationServer) -> dict[str, str]:
    """Return the environment of a person with an empty home and no screen."""
    return {
        **{name: value for name, value in os.environ.items() if name not in SCREENS},
        "HOME": str(tmp_path),
        "TODO_CONFIG_DIR": str(tmp_path / "todo"),
        "TODO_AUTH_STORAGE": "plaintext",
        "TODO_ISSUER": server.issuer,
        "TODO_API_URL": server.api_url,
        "TERM": "dumb",
        "PYTHONDEVMODE": "1",
    }


class Piped:
    """A `todo` with no terminal: stdin is empty, stdout and stderr are pipes."""

    def __init__(self, environ: Mapping[str, str], *arguments: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(environ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def read_until(self, text: str) -> str:
        """Return the first line of stderr with *text* in it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"no {text!r} in {self.lines}")

    def url(self) -> str:
        """Return the address to open, as another program would learn it, once it may be opened."""
        url: str = json.loads(self.read_until('"open_url"'))["url"]
        self.read_until('"waiting"')
        return url

    def end(self) -> tuple[int, str, str]:
        """Return exit status, stdout and all of stderr."""
        out, err = self.process.communicate(timeout=BOUND_SECONDS)
        return self.process.returncode, out, "".join(self.lines) + err

    def signalled(self, number: signal.Signals) -> tuple[float, int, str]:
        """Return the seconds until it ended after a signal, exit status, and stderr."""
        began = time.monotonic()
        self.process.send_signal(number)
        status, _, err = self.end()
        return time.monotonic() - began, status, err


def todo(environ: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """Run `todo` to its end."""
    with Piped(environ, *arguments) as process:
        return process.end()


def visit(url: str) -> None:
    """Go to an address as a browser would, on a thread: the page comes when the login is over."""
    threading.Thread(target=_visit, args=(url,), daemon=True).start()


def _visit(url: str) -> None:
    with contextlib.suppress(OSError, HTTPException):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(url, timeout=BOUND_SECONDS).close()


class Unfollowed(urllib.request.HTTPRedirectHandler):
    """Keeps the address that it was sent to."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


def sent_to(url: str) -> str:
    """Return the address that a browser on another machine ends up at, in vain."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Unfollowed)
    with pytest.raises(urllib.error.HTTPError) as caught, opener.open(url, timeout=BOUND_SECONDS):
        pass
    with caught.value as answer:
        return str(answer.headers["Location"])


def unmeasured(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep coverage out of a child: it takes SIGTERM over, and what is then left is not ours."""
    return {name: value for name, value in environ.items() if not name.startswith("COVERAGE")}


def callback_of(url: str) -> tuple[str, int]:
    """Return where the login behind *url* listens."""
    parts = urlsplit(parse_qs(urlsplit(url).query)["redirect_uri"][0])
    assert parts.port is not None
    return (parts.hostname or "", parts.port)


def stored(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the accounts that are kept, by key."""
    file = Path(environ["TODO_CONFIG_DIR"]) / "auth.json"
    if not file.exists():
        return {}
    accounts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["accounts"]
    return accounts


def person_at(environ: Mapping[str, str], *options: str) -> Terminal:
    """Sit down at a terminal and start a login there."""
    return Terminal([*PROGRAM, "auth", "login", *options], environ)


def url_on(person: Terminal) -> str:
    """Return the address on the screen: on its own line, whole."""
    shown = person.read_until("Ctrl-C to cancel")
    (url,) = (line for line in shown.splitlines() if "code_challenge=" in line)
    return url


def test_the_browser_is_a_door(environ: dict[str, str], server: AuthorizationServer) -> None:
    """`$BROWSER` with arguments is started, follows the login, and the account is stored."""
    server.auto_approve = False
    environ["BROWSER"] = FakeBrowser.command()
    status, out, err = todo(environ, "auth", "login")
    assert (status, list(stored(environ))) == (0, ["ada"]), err
    assert out == ""
    assert "ResourceWarning" not in err


def test_the_terminal_is_a_door(environ: dict[str, str]) -> None:
    """Over SSH, say: open the address elsewhere, paste what the browser could not reach."""
    environ["SSH_CONNECTION"] = "10.0.0.1 50000 10.0.0.2 22"
    with person_at(environ) as person:
        address = sent_to(url_on(person))
        person.type(f"{address}\n")
        assert person.end() == 0, person.shown
    assert "ssh -L" in person.shown
    assert list(stored(environ)) == ["ada"]
    assert parse_qs(urlsplit(address).query)["code"][0] not in person.shown


def test_the_terminal_takes_the_address_only_of_a_server_that_names_itself(
    environ: dict[str, str],
) -> None:
    """The testing server promises `iss` (RFC 9207), which a bare code does not have."""
    with person_at(environ, "--no-browser") as person:
        address = sent_to(url_on(person))
        person.type(parse_qs(urlsplit(address).query)["code"][0] + "\n")
        person.read_until("Still waiting")
        person.type(urlsplit(address).query + "\n")
        assert person.end() == 0, person.shown


@pytest.mark.parametrize("how", ["--no-browser", "--device"])
def test_the_time_left_is_off_the_screen_before_the_result(
    environ: dict[str, str], server: AuthorizationServer, how: str
) -> None:
    """It runs below the code for another device, too, and "Logged in" begins its own line."""
    environ |= {"TERM": "xterm", "NO_COLOR": "1"}
    server.device_interval = 1.0 if how == "--device" else 60.0
    with person_at(environ, how) as person:
        person.read_until(f"Waiting for the {'code' if how == '--device' else 'browser'}... ")
        if how == "--no-browser":
            person.type(f"{sent_to(url_on(person))}\n")
        assert person.end() == 0, person.shown
    assert [line for line in person.screen if line.startswith("✓ Logged in as ada")]
    assert not [line for line in person.screen if "Waiting" in line]
    assert list(stored(environ)) == ["ada"]


def test_another_program_may_relay(environ: dict[str, str]) -> None:
    """`login --json`: every line on stderr is an object, and stdout is one object."""
    environ["BROWSER"] = PASSES
    with Piped(environ, "auth", "login", "--json") as login:
        visit(login.url())
        status, out, err = login.end()
    assert status == 0, err
    assert json.loads(out)["account"]["id"] == "ada"
    events = [json.loads(line) for line in err.splitlines()]
    assert all("event" in event for event in events)


def test_lb_12_the_redirect_uri_is_one(
    environ: dict[str, str], server: AuthorizationServer
) -> None:
    """What the browser was told, what the code is redeemed with, and what was listened on."""
    environ["BROWSER"] = FakeBrowser.command()
    assert todo(environ, "auth", "login")[0] == 0
    (asked,) = server.journal.wait_for("authorize", timeout=BOUND_SECONDS)
    (redeemed,) = server.posts("token", grant_type="authorization_code")
    assert asked.query["redirect_uri"] == redeemed.form["redirect_uri"]
    assert asked.query["redirect_uri"].startswith("http://127.0.0.1:")


def test_lb_14_two_logins_at_once(environ: dict[str, str]) -> None:
    """Each has its own port, ends with its own answer only, and both accounts are stored."""
    environ["BROWSER"] = PASSES
    with (
        Piped(environ, "auth", "login", "--json", "--user", "ada") as ada,
        Piped(environ, "auth", "login", "--json", "--user", "bob") as bob,
    ):
        urls = {"ada": ada.url(), "bob": bob.url()}
        places = {name: callback_of(url) for name, url in urls.items()}
        assert places["ada"] != places["bob"]
        crossed = sent_to(urls["ada"]).replace(str(places["ada"][1]), str(places["bob"][1]))
        _visit(crossed)
        assert bob.process.poll() is None
        visit(urls["bob"])
        ended = bob.end()
        assert ended[0] == 0, ended
        visit(urls["ada"])
        ended = ada.end()
        assert ended[0] == 0, ended
    assert sorted(stored(environ)) == ["ada", "bob"]


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_lb_21_a_signal_while_waiting(
    environ: dict[str, str], number: signal.Signals, status: int
) -> None:
    """It ends within a second, in one line at most, with the port closed and nothing stored."""
    environ["BROWSER"] = PASSES
    with Piped(unmeasured(environ), "auth", "login", "--json") as login:
        place = callback_of(login.url())
        seconds, ended, err = login.signalled(number)
    assert ended == status, err
    assert seconds < at_once()
    assert "Traceback" not in err
    assert refuses(place)
    assert stored(environ) == {}


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_lb_21_a_signal_during_the_exchange(
    environ: dict[str, str], server: AuthorizationServer, number: signal.Signals, status: int
) -> None:
    """Neither a slow token endpoint nor the browser that is being held delays the end."""
    environ["BROWSER"] = PASSES
    server.faults.never_answer.add("token")
    with Piped(unmeasured(environ), "auth", "login", "--json") as login:
        visit(login.url())
        server.journal.wait_for("token", timeout=BOUND_SECONDS)
        seconds, ended, err = login.signalled(number)
    assert ended == status, err
    assert seconds < at_once()
    assert "Traceback" not in err
    assert stored(environ) == {}


@pytest.mark.parametrize("how", ["--no-browser", "--device"])
@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_lb_21_a_signal_at_a_terminal(
    environ: dict[str, str],
    server: AuthorizationServer,
    number: signal.Signals,
    status: int,
    how: str,
) -> None:
    """The terminal echoes again afterwards, and the time left is no longer on it."""
    environ["TERM"] = "xterm"
    server.auto_approve = False
    with person_at(unmeasured(environ), how) as person:
        person.read_until("Ctrl-C to cancel")
        assert person.interrupt(number) < at_once()
        assert person.process.returncode == status
        assert person.echoes
        assert "Traceback" not in person.shown
        assert (person.screen[-1], "Waiting" in "".join(person.screen)) == ("", False)
    assert stored(environ) == {}


def test_lb_20_nobody_comes(environ: dict[str, str]) -> None:
    """One typed error at the set time, the port closed, nothing stored."""
    environ["BROWSER"] = PASSES
    with Piped(environ, "auth", "login", "--json", "--timeout", "1") as login:
        place = callback_of(login.url())
        began = time.monotonic()
        status, out, err = login.end()
    assert time.monotonic() - began < 2 + at_once()
    assert (status, out) == (1, "")
    error = json.loads(err.splitlines()[-1])["error"]
    assert (error["code"], bool(error["hints"])) == ("AUTH_CALLBACK_TIMEOUT", True)
    assert refuses(place)
    assert stored(environ) == {}


def test_lb_13_a_busy_port_is_found_out_before_the_browser(
    environ: dict[str, str], server: AuthorizationServer
) -> None:
    """AUTH_PORT_BIND_FAILED, and nobody was sent anywhere."""
    environ["BROWSER"] = FakeBrowser.command()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        status, _, err = todo(environ, "auth", "login", "--json", "--callback-port", port)
    error = json.loads(err.splitlines()[-1])["error"]
    assert (status, error["code"], port in error["message"]) == (1, "AUTH_PORT_BIND_FAILED", True)
    assert not [entry for entry in server.journal if entry.endpoint == "authorize"]


def test_lb_24_a_pooled_socket_of_an_earlier_login_eats_nothing(environ: dict[str, str]) -> None:
    """Two logins in a row at one port, with a browser that keeps its connections."""
    environ["BROWSER"] = PASSES
    port = str(unused_port())
    for _ in range(2):
        with Piped(environ, "auth", "login", "--json", "--callback-port", port) as login:
            url = login.url()
            with socket.create_connection(("127.0.0.1", int(port))):
                visit(url)
                assert login.end()[0] == 0


def recording(folder: Path, name: str, then: str = "") -> Path:
    """Write a program that leaves a file behind when it is started."""
    path = folder / name
    path.write_text(
        f"#!{sys.executable}\nimport pathlib, time\nprint('noise')\n"
        f"pathlib.Path({str(folder / 'started')!r}).touch()\n{then}\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def test_a_text_browser_never_gets_the_terminal(environ: dict[str, str], tmp_path: Path) -> None:
    """It is not started; the address is there, and pasting works."""
    environ["BROWSER"] = str(recording(tmp_path, "lynx"))
    with person_at(environ) as person:
        address = sent_to(url_on(person))
        person.type(f"{address}\n")
        assert person.end() == 0, person.shown
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("then", ["time.sleep(30)", "raise SystemExit(1)"])
def test_ti_05_a_browser_that_hangs_or_fails(
    environ: dict[str, str], tmp_path: Path, then: str
) -> None:
    """The login goes on at its other doors, and stdout holds the result and no noise."""
    environ["BROWSER"] = str(recording(tmp_path, "browser", then))
    with Piped(environ, "auth", "login", "--json") as login:
        url = login.url()
        deadline = time.monotonic() + BOUND_SECONDS
        while not (tmp_path / "started").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        visit(url)
        status, out, err = login.end()
    assert status == 0, err
    assert json.loads(out)["account"]["id"] == "ada"


def test_ti_05_a_browser_that_is_missing(environ: dict[str, str]) -> None:
    """The person is told to open the address, and the terminal takes the answer."""
    environ["BROWSER"] = "/no/such/browser"
    environ["SSH_TTY"] = "/dev/pts/9"
    with person_at(environ) as person:
        address = sent_to(url_on(person))
        person.type(f"{address}\n")
        assert person.end() == 0, person.shown
    assert "Not opening a browser" in person.shown


def test_a_refusal_in_the_browser(environ: dict[str, str], server: AuthorizationServer) -> None:
    """The page and the terminal both say so; an earlier session would still work."""
    server.auto_approve = False
    environ["BROWSER"] = FakeBrowser.command("--deny")
    status, out, err = todo(environ, "auth", "login")
    assert (status, out) == (1, "")
    assert "declined the request in the browser" in err
    assert "Traceback" not in err
    assert stored(environ) == {}
