"""Logins, logouts and readers that all come at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from click_auth.testing import AuthorizationServer, User
from crash import filed_keyring
from crash.figures import Print
from crash.place import CrashPlace
from crash.rounds import short_and_long
from refresh.crowd import outcome, unanswered

PEOPLE = tuple(f"person-{number:02}" for number in range(16))


@pytest.fixture
def auth_server() -> Iterator[AuthorizationServer]:
    """A server that knows as many people as log in at once."""
    users = [User(name, name.title(), f"{name}@todo.example") for name in ("ada", *PEOPLE)]
    with AuthorizationServer(users=users) as server:
        yield server


@pytest.mark.parametrize("storage", ["system", pytest.param("plaintext", marks=pytest.mark.long)])
def test_logins_and_readers(place: CrashPlace, storage: str, figure: Print) -> None:
    """16 logins at once, while others read 10,000 times: 16 accounts, and nothing torn."""
    place.storage = storage
    place.log_in(expires_in=3600)
    readers = [place.start("read", "5000") for _ in range(2)]
    logins = [place.start("login", name) for name in PEOPLE]
    assert [outcome(process).get("ok") for process in logins] == list(PEOPLE)
    reads = [outcome(process)["ok"] for process in readers]
    auth = place.auth()
    assert {each.account.key for each in auth.accounts()} == {"ada", *PEOPLE}
    assert len({auth.access_token(name) for name in PEOPLE}) == len(PEOPLE)
    assert place.leftovers() == []
    figure(f"{len(PEOPLE)} accounts; {sum(reads)} reads, none torn")


def test_logout_during_a_refresh(place: CrashPlace) -> None:
    """A logout beside a refresh waits for it and stands; nothing is left."""
    place.storage = "system"
    place.log_in()
    place.server.faults.delay_answer["token"] = 1.0
    asked = place.asked()
    refresh = place.start("token")
    assert asked.wait(60)
    assert place.run("logout") == {"ok": ["ada"]}
    check_nothing_is_left(place, refresh)


@pytest.mark.long
def test_logout_during_a_refresh_that_takes_too_long(place: CrashPlace) -> None:
    """A logout that has waited long enough goes ahead and stands, whatever is answered later."""
    place.storage = "system"
    place.log_in()
    with unanswered(place.server) as asked:
        refresh = place.start("token")
        assert asked.wait(60)
        assert place.run("logout") == {"ok": ["ada"]}
    check_nothing_is_left(place, refresh)


def check_nothing_is_left(place: CrashPlace, refresh: subprocess.Popen[str]) -> None:
    """Wait for the *refresh*, and find nothing of the account, here and at the server."""
    outcome(refresh)
    assert place.auth().current_account() is None
    assert filed_keyring.secrets(place.keyring) == {}
    assert not place.server.family_alive("ada")


@pytest.mark.parametrize("pairs", short_and_long(3, 12))
def test_logouts_and_logins_of_one_account(place: CrashPlace, pairs: int) -> None:
    """Logouts and logins of one account, all at once: it is there whole, or not at all."""
    place.storage = "system"
    place.log_in(expires_in=3600)
    processes = [
        place.start(*what) for _ in range(pairs) for what in (("logout",), ("login", "ada"))
    ]
    results = [outcome(process) for process in processes]
    assert all("ok" in result for result in results), results
    auth = place.auth()
    if auth.current_account() is None:
        assert filed_keyring.secrets(place.keyring) == {}
    else:
        assert auth.refresh().access_token == auth.access_token()
    assert place.leftovers() == []
