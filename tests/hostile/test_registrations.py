"""A client that has registered itself, and logins that nobody answers."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from click_auth import Auth, LoginFailed, NotLoggedIn
from click_auth.testing import FakeBrowser
from hostile.world import World, ended

UNANSWERED_SECONDS = 0.2


def registering(world: World) -> Auth:
    """Return an `Auth` of the next process, whose client registers itself."""
    return world.auth(facts={"client_id": None})


def clients(world: World) -> list[str]:
    """Return the ids of the clients that are remembered."""
    stored = json.loads(world.record_bytes()).get("clients", {})
    return [client["client_id"] for client in stored.values()]


def log_in(world: World) -> None:
    """Log in, with a browser that agrees."""
    auth = registering(world)
    with auth.override(browser=FakeBrowser()):
        auth.login(timeout=30)


def test_md_05_a_client_that_the_server_forgot_is_registered_anew(world: World) -> None:
    """The server says so to a refresh: the session is over, and the next login has a new client."""
    log_in(world)
    (forgotten,) = clients(world)
    world.server.forget_client(forgotten)
    with pytest.raises(NotLoggedIn) as refused:
        registering(world).refresh()
    assert refused.value.code == "AUTH_REFRESH_EXPIRED"
    assert clients(world) == []
    log_in(world)
    assert clients(world) != [forgotten]
    assert len(world.server.posts("register")) == 2


@pytest.mark.parametrize("browser", [{"never": True}, {"deny": True}], ids=["nobody", "no"])
def test_md_05_a_login_that_fails_in_the_browser_keeps_the_client(
    world: World, browser: dict[str, bool]
) -> None:
    """Nobody came, or said no: neither means that the server has forgotten who asked."""
    log_in(world)
    registering(world).logout()
    kept = clients(world)
    world.server.auto_approve = False
    auth = registering(world)
    with auth.override(browser=FakeBrowser(**browser)), pytest.raises(LoginFailed):
        auth.login(timeout=30 if "deny" in browser else UNANSWERED_SECONDS)
    assert clients(world) == kept
    world.server.auto_approve = True
    log_in(world)
    assert clients(world) == kept


def moved_away(world: World) -> None:
    """Let the browser see a 404 in place of the login page."""
    former = {"authorization_endpoint": f"{world.server.origin}/former/authorize"}
    world.server.faults.overlay["discovery"] = former


def test_an_authorization_endpoint_that_has_moved(world: World) -> None:
    """The browser alone finds out: after a login that nobody answered, the server is asked."""
    moved_away(world)
    auth = world.auth()
    with auth.override(browser=FakeBrowser()), pytest.raises(LoginFailed) as failed:
        auth.login(timeout=UNANSWERED_SECONDS)
    assert failed.value.code == "AUTH_CALLBACK_TIMEOUT"
    world.server.faults.overlay.clear()
    auth = world.auth()
    with auth.override(browser=FakeBrowser()):
        assert auth.login(timeout=30).account.id == "ada"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_whoever_sees_that_the_page_has_moved_presses_ctrl_c(world: World) -> None:
    """Nobody waits for the timeout in front of an error page; the next login asks the server."""
    moved_away(world)
    login = world.start("auth", "login", BROWSER="true")
    assert login.stderr is not None
    assert any("Waiting for the browser" in line for line in login.stderr)
    login.send_signal(signal.SIGINT)
    assert ended(login).status == 130
    world.server.faults.overlay.clear()
    log_in(world)
