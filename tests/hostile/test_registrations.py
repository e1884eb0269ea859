"""A client that has registered itself, and logins that nobody answers."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from typing import Any

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


def unanswered(auth: Auth, browser: Any = None) -> LoginFailed:
    """Return how a login ends that nobody answers."""
    browser = browser or FakeBrowser(never=True)
    with auth.override(browser=browser), pytest.raises(LoginFailed) as failed:
        auth.login(timeout=UNANSWERED_SECONDS)
    assert failed.value.code == "AUTH_CALLBACK_TIMEOUT"
    return failed.value


def test_md_05_a_client_that_the_server_forgot_is_registered_by_the_second_login(
    world: World,
) -> None:
    """Its page tells the person and never redirects; the error says what comes next."""
    log_in(world)
    registering(world).logout()
    (forgotten,) = clients(world)
    world.server.forget_client(forgotten)
    browser = FakeBrowser()
    error = unanswered(registering(world), browser)
    assert browser.wait()
    assert "Unknown client" in "".join(browser.pages)
    assert "the next login registers it anew" in error.format_message()
    assert clients(world) == []
    log_in(world)
    assert clients(world) != [forgotten]
    assert len(world.server.posts("register")) == 2


def test_md_05_a_client_that_was_registered_just_now_is_not_doubted(world: World) -> None:
    """Nobody came, and that is all; the next time nobody comes it is an old one."""
    error = unanswered(registering(world))
    assert "registers" not in error.format_message()
    (client,) = clients(world)
    assert "registers" in unanswered(registering(world)).format_message()
    assert (clients(world), client in world.server.registered) == ([], True)


def test_md_05_a_client_that_an_account_needs_is_kept(world: World) -> None:
    """Its tokens are renewed as this client only; a logout leaves nobody who needs it."""
    log_in(world)
    kept = clients(world)
    error = unanswered(registering(world))
    assert "log out" in error.format_message()
    assert clients(world) == kept
    registering(world).refresh()
    world.server.forget_client(kept[0])
    registering(world).logout()
    assert "the next login registers it" in unanswered(registering(world)).format_message()
    log_in(world)


def test_md_05_a_session_that_has_ended_needs_no_client(world: World) -> None:
    """It is known to be dead, so a login that nobody answers forgets the client."""
    log_in(world)
    world.server.revoke_all()
    with pytest.raises(NotLoggedIn):
        registering(world).refresh()
    assert len(clients(world)) == 1
    unanswered(registering(world))
    assert clients(world) == []


def test_md_05_an_answer_is_no_reason_to_doubt(world: World) -> None:
    """A server that says no knows who has asked."""
    log_in(world)
    registering(world).logout()
    kept = clients(world)
    world.server.auto_approve = False
    auth = registering(world)
    with auth.override(browser=FakeBrowser(deny=True)), pytest.raises(LoginFailed) as failed:
        auth.login(timeout=30)
    assert failed.value.code == "AUTH_OAUTH_FAILED"
    assert clients(world) == kept


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_md_05_whoever_sees_the_page_presses_ctrl_c(world: World) -> None:
    """Nobody waits for the timeout in front of an error page."""
    for left in (1, 0):  # the first one has just registered its client
        login = world.start("auth", "login", HOSTILE_CLIENT="", BROWSER="true")
        assert login.stderr is not None
        assert any("Waiting for the answer" in line for line in login.stderr)
        login.send_signal(signal.SIGINT)
        assert ended(login).status == 130
        assert len(clients(world)) == left


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_md_05_whoever_has_seen_no_page_has_nothing_to_doubt(world: World) -> None:
    """Ctrl-C while the server is still being discovered."""
    unanswered(registering(world))
    kept = clients(world)
    shutil.rmtree(world.config / "cache")
    login = world.start("auth", "login", HOSTILE_CLIENT="", BROWSER="true")
    world.server.faults.hooks["discovery"] = lambda _: login.send_signal(signal.SIGINT)
    assert ended(login).status == 130
    assert clients(world) == kept


def test_an_authorization_endpoint_that_has_moved(world: World) -> None:
    """The browser alone finds out: after a login that nobody answered, the server is asked."""
    former = {"authorization_endpoint": f"{world.server.origin}/former/authorize"}
    world.server.faults.overlay["discovery"] = former
    error = unanswered(world.auth(), FakeBrowser())
    assert "registers" not in error.format_message()
    world.server.faults.overlay.clear()
    auth = world.auth()
    with auth.override(browser=FakeBrowser()):
        assert auth.login(timeout=30).account.id == "ada"
