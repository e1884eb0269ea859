"""Several accounts, and people who do not look where they type."""

from __future__ import annotations

import threading

import pytest

from click_auth import Account, LoginFailed, UsageError
from click_auth.testing import FakeBrowser, logged_in
from hostile.world import World

SAME = "the same label"


def test_lo_05_only_the_account_that_was_named(world: World) -> None:
    """`logout --user ada` leaves bob logged in, the default, and with a grant that is alive."""
    for user in ("ada", "bob"):
        logged_in(world.auth(), user, server=world.server)
    done = world.invoke("auth", "logout", "--user", "ada", storage="plaintext")
    assert (done.status, done.out) == (0, ""), done.err
    left = world.auth()
    assert [(each.account.id, each.default) for each in left.accounts()] == [("bob", True)]
    assert (world.server.family_alive("ada"), world.server.family_alive("bob")) == (False, True)
    assert left.refresh().access_token


def test_lo_05_removing_the_default_one_does_not_choose_among_several(world: World) -> None:
    """The next command asks which of those that are left is meant."""
    for user in ("ada", "bob", "cyd"):
        logged_in(world.auth(), user)
    auth = world.auth()
    auth.logout("cyd", revoke=False)
    with pytest.raises(UsageError) as caught:
        auth.access_token()
    assert caught.value.code == "NO_ACCOUNT_SELECTED"


@pytest.mark.parametrize("ref, code", [(SAME, "NO_ACCOUNT_SELECTED"), ("eve", "ACCOUNT_NOT_FOUND")])
def test_lo_05_an_account_that_is_not_clear_is_not_removed(
    world: World, ref: str, code: str
) -> None:
    """A label that two accounts have, or that none has, removes nothing."""
    for user in ("ada", "bob"):
        logged_in(world.auth(), account=Account(id=user, label=SAME))
    before = world.record_bytes()
    done = world.invoke("auth", "logout", "--json", "--user", ref, storage="plaintext")
    assert (done.status, done.out) == (2, "")
    assert code in done.err
    assert world.record_bytes() == before


@pytest.mark.parametrize("act", ["logout", "access_token", "refresh", "status"])
@pytest.mark.parametrize("asked", ["", " "])
def test_lo_05_a_variable_that_was_empty_is_no_account(world: World, act: str, asked: str) -> None:
    """`--user "$WHO"` with WHO unset means nobody, not the default account."""
    auth = world.auth()
    logged_in(auth, server=world.server)
    before = world.record_bytes()
    with pytest.raises(UsageError, match="No account"):
        getattr(auth, act)(asked)
    assert world.record_bytes() == before


def test_lo_05_an_empty_option_is_no_account(world: World) -> None:
    """The same on the command line, whatever the environment says."""
    logged_in(world.auth(), server=world.server)
    for environ in ({}, {"TODO_ACCOUNT": "ada"}, {"TODO_TOKEN": "of-the-environment"}):
        done = world.run("auth", "token", "--user", "", HOSTILE_STORAGE="plaintext", **environ)
        assert (done.status, done.out) == (2, "")


def test_lo_01_a_logout_that_waits_for_a_refresh_revokes_what_it_brought(world: World) -> None:
    """The successor of the token that was there at first is revoked, not its spent ancestor."""
    auth = world.auth()
    logged_in(auth, server=world.server, expires_in=-5)
    world.server.faults.delay_answer["token"] = 0.5
    thread = threading.Thread(target=auth.access_token)
    asked = threading.Event()
    world.server.faults.hooks["token"] = lambda _request: asked.set()
    thread.start()
    assert asked.wait(60)
    result = world.auth().logout()
    thread.join()
    assert (result.removed, result.revoked) == (("ada",), True)
    spent = world.server.posts("token")[0].form["refresh_token"]
    revoked = [entry.form["token"] for entry in world.server.posts("revoke")]
    assert len(revoked) == 2
    assert spent not in revoked


@pytest.mark.parametrize("is_stored", [True, False])
def test_the_wrong_person_logs_in(world: World, is_stored: bool) -> None:
    """What they were granted is given back, unless that might end a session that works."""
    auth = world.auth()
    logged_in(auth, "ada", server=world.server)
    if is_stored:
        logged_in(auth, "bob", server=world.server)
    before = world.record_bytes()
    world.server.login_as = "bob"
    with auth.override(browser=FakeBrowser()), pytest.raises(LoginFailed, match="not ada"):
        auth.login(user="ada", timeout=30)
    assert world.record_bytes() == before
    assert len(world.server.posts("revoke")) == (0 if is_stored else 2)
