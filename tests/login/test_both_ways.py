"""Where no browser opens: a code for another device and a URL to paste, whichever comes first."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from click_auth.testing import AuthorizationServer, FakeBrowser
from click_auth.testing.messages import Request
from login.test_end_to_end import (
    SCREENS,
    Piped,
    callback_of,
    person_at,
    sent_to,
    stored,
    todo,
    unmeasured,
    url_on,
    visit,
)
from login.waiting import BOUND_SECONDS, at_once, refuses

OK = 200
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """Wait for whoever enters a code."""
    with AuthorizationServer(device_interval=0.2, auto_approve=False) as running:
        yield running


@pytest.fixture
def environ(tmp_path: Path, server: AuthorizationServer) -> dict[str, str]:
    """Return the environment of a person who came by SSH."""
    return {
        **{name: value for name, value in os.environ.items() if name not in SCREENS},
        "HOME": str(tmp_path),
        "SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22",
        "TODO_CONFIG_DIR": str(tmp_path / "todo"),
        "TODO_AUTH_STORAGE": "plaintext",
        "TODO_ISSUER": server.issuer,
        "TODO_API_URL": server.api_url,
        "TERM": "dumb",
        "PYTHONDEVMODE": "1",
    }


def answer_to(url: str, server: AuthorizationServer) -> str:
    """Return the URL that a browser elsewhere ends on."""
    server.auto_approve = True
    return sent_to(url)


def user_code(server: AuthorizationServer) -> str:
    """Return the one code that was given out."""
    (device,) = server.grants.devices.values()
    return device.user_code


def test_both_are_offered_and_the_code_is_entered(
    environ: dict[str, str], server: AuthorizationServer
) -> None:
    """The code, the URL and the `ssh -L` line are on one screen; the listener is closed after."""
    with person_at(environ) as person:
        url = url_on(person)
        assert user_code(server) in person.shown
        assert "ssh -L" in person.shown
        assert server.approve_device(user_code(server))
        assert person.end() == 0, person.shown
        assert person.echoes
    assert list(stored(environ)) == ["ada"]
    assert refuses(callback_of(url))
    assert not server.posts("token", grant_type="authorization_code")
    assert "Traceback" not in person.shown
    assert "ResourceWarning" not in person.shown


def test_both_are_offered_and_the_url_is_pasted(
    environ: dict[str, str], server: AuthorizationServer
) -> None:
    """The code is forgotten: it is asked for no more, and nothing waits for it."""
    server.device_interval = 60
    with person_at(environ) as person:
        person.type(f"{answer_to(url_on(person), server)}\n")
        assert person.end() == 0, person.shown
    assert list(stored(environ)) == ["ada"]
    assert not server.posts("token", grant_type=GRANT)
    assert server.approve_device(user_code(server))  # and it was never redeemed


def test_a_poll_that_hangs_delays_no_paste(
    environ: dict[str, str], server: AuthorizationServer
) -> None:
    """The server is asked on a thread of its own."""
    asked, is_over = threading.Event(), threading.Event()

    def hang(request: Request) -> None:
        if request.form["grant_type"] == GRANT:
            asked.set()
            is_over.wait(BOUND_SECONDS)

    server.faults.hooks["token"] = hang
    try:
        with person_at(environ, "--timeout", "50") as person:
            url = url_on(person)
            assert asked.wait(BOUND_SECONDS)
            person.type(f"{answer_to(url, server)}\n")
            assert person.end() == 0, person.shown
    finally:
        is_over.set()
    assert list(stored(environ)) == ["ada"]


def test_a_code_that_is_entered_too_late_leaves_no_tokens_behind(
    environ: dict[str, str], server: AuthorizationServer
) -> None:
    """The paste has won; what the code brings meanwhile is revoked, and nothing else is."""

    def enter_the_code(request: Request) -> None:
        if request.form["grant_type"] == GRANT or server.posts("revoke"):
            return
        assert server.approve_device(user_code(server))
        seen = server.posts("token")
        while not any(each.status == OK for each in seen):
            seen = server.journal.wait_for("token", count=len(seen) + 1, timeout=BOUND_SECONDS)

    def wait_for_the_revocation(_: Request) -> None:
        server.journal.wait_for("revoke", count=2, timeout=BOUND_SECONDS)

    server.faults.hooks.update(token=enter_the_code, api=wait_for_the_revocation)
    with person_at(environ, "--timeout", "50") as person:
        person.type(f"{answer_to(url_on(person), server)}\n")
        assert person.end() == 0, person.shown
    assert len(server.posts("revoke")) == 2
    assert list(stored(environ)) == ["ada"]
    assert todo(environ, "auth", "refresh")[0] == 0


def test_who_says_no_to_the_code_has_answered(
    environ: dict[str, str], server: AuthorizationServer
) -> None:
    """The login ends, with one error."""
    with person_at(environ) as person:
        url_on(person)
        assert server.deny_device()
        assert person.end() == 1
    assert "Log in again if" in person.shown
    assert "You declined the request on the other device" in person.shown
    assert stored(environ) == {}


@pytest.mark.parametrize("error", ["expired_token", "unauthorized_client"])
def test_a_code_that_is_of_no_use_leaves_the_url(
    environ: dict[str, str], server: AuthorizationServer, error: str
) -> None:
    """It is said, once, and the paste goes on."""
    server.faults.device_errors = [error]
    with person_at(environ) as person:
        url = url_on(person)
        shown = person.read_until("The URL above still works.")
        person.type(f"{answer_to(url, server)}\n")
        assert person.end() == 0, person.shown
    assert shown.count("still works") == 1
    assert list(stored(environ)) == ["ada"]


@pytest.mark.parametrize(
    "status, body",
    [(400, '{"error": "unauthorized_client"}'), (403, "<html>"), (503, "busy"), (200, "{}")],
)
def test_a_server_that_refuses_the_grant_costs_one_line_of_the_log(
    environ: dict[str, str], server: AuthorizationServer, status: int, body: str
) -> None:
    """Its metadata promised it, its tenant forbids it; without the log nothing is seen of it."""
    server.faults.status["device_authorization"] = (status, body)
    for debug in ("", "1"):
        environ["TODO_AUTH_DEBUG"] = debug
        with person_at(environ) as person:
            person.type(f"{answer_to(url_on(person), server)}\n")
            assert person.end() == 0, person.shown
        for line in ("no login by device", "login by both", "response: pasted"):
            assert person.shown.count(line) == len(debug)
        assert ("enter the code" in person.shown, "Warning" in person.shown) == (False, False)


@pytest.mark.parametrize("refuses_code", [False, True])
def test_nobody_at_a_terminal_has_the_code_alone(
    environ: dict[str, str], server: AuthorizationServer, refuses_code: bool
) -> None:
    """Nobody can paste; the URL is offered where the server gives no code."""
    if refuses_code:
        server.faults.status["device_authorization"] = (400, '{"error": "unauthorized_client"}')
    with Piped(environ, "auth", "login", "--json") as login:
        if refuses_code:
            url = login.url()
            server.auto_approve = True
            visit(url)
        else:
            code = json.loads(login.read_until('"device_code"'))["user_code"]
            assert server.approve_device(code)
        status, _, err = login.end()
    assert status == 0, err
    assert ("open_url" in err) is refuses_code
    assert list(stored(environ)) == ["ada"]


def test_a_program_at_a_terminal_gets_both_as_events(
    environ: dict[str, str], server: AuthorizationServer
) -> None:
    """`login --json`: the code, then the URL, each in an object."""
    with person_at(environ, "--json") as person:
        person.read_until('"waiting"')
        assert server.approve_device(user_code(server))
        assert person.end() == 0, person.shown
    lines = [line for line in person.shown.splitlines() if line.startswith('{"event"')]
    events = [json.loads(line)["event"] for line in lines]
    assert events.index("device_code") < events.index("open_url") < events.index("waiting")


@pytest.mark.parametrize(
    "options", [["--no-device"], ["--no-device", "--no-browser"], ["--max-age", "60"]]
)
def test_no_device_forbids_it(
    environ: dict[str, str], server: AuthorizationServer, options: list[str]
) -> None:
    """The server is not asked for a code; a login that must be fresh is a matter for a page."""
    with person_at(environ, *options) as person:
        person.type(f"{answer_to(url_on(person), server)}\n")
        assert person.end() == 0, person.shown
    assert not server.posts("device_authorization")


def test_no_device_forbids_it_where_nobody_sits_at_a_terminal(
    environ: dict[str, str], server: AuthorizationServer
) -> None:
    """The redirect is waited for, in vain here."""
    status, _, err = todo(environ, "auth", "login", "--no-device", "--timeout", "1")
    assert (status, "after 1 s" in err) == (1, True), err
    assert not server.posts("device_authorization")


def test_a_browser_at_hand_needs_no_code(
    environ: dict[str, str], server: AuthorizationServer
) -> None:
    """The server is not asked for one."""
    environ["BROWSER"] = FakeBrowser.command()
    assert todo(environ, "auth", "login")[0] == 0
    assert not server.posts("device_authorization")


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_both(
    environ: dict[str, str], server: AuthorizationServer, number: signal.Signals, status: int
) -> None:
    """At once, while a poll hangs, and the terminal is as it was."""
    server.faults.never_answer.add("token")
    with person_at(unmeasured(environ)) as person:
        url_on(person)
        server.journal.wait_for("token", timeout=BOUND_SECONDS)
        assert person.interrupt(number) < at_once()
        assert (person.process.returncode, person.echoes) == (status, True)
    assert "Traceback" not in person.shown
    assert stored(environ) == {}
