"""One refresh, and everything that can happen to it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from click_auth import (
    Auth,
    NotLoggedIn,
    OAuthProvider,
    StorageUnavailable,
    Unreachable,
    refresh_access_token,
)
from click_auth.testing import logged_in
from refresh.crowd import Place, unanswered


def test_fresh_token_is_returned_as_it_is(place: Place) -> None:
    """A token with time left costs no request and no lock."""
    auth = place.log_in(expires_in=3600)
    token = auth.access_token()
    assert auth.access_token() == token
    assert place.server.refresh_count == 0
    assert not (place.folder / "locks").exists()


def test_rf_03_rotated_refresh_token_replaces_the_old_one(place: Place) -> None:
    """What the answer brings is stored at once, one generation later."""
    auth = place.log_in()
    before = place.record()
    token = auth.access_token()
    after = place.record()
    assert after["fallback_token"] == token
    assert after["fallback_refresh_token"] != before["fallback_refresh_token"]
    assert after["generation"] == before["generation"] + 1
    assert after["has_refresh_token"] is True


def test_rf_03_refresh_token_that_is_not_sent_again_is_kept(place: Place) -> None:
    """An answer without a refresh token leaves the old one in force."""
    auth = place.log_in()
    before = place.record()
    place.server.rotate = False
    place.server.faults.omit["token"] = {"refresh_token"}
    auth.access_token()
    assert place.record()["fallback_refresh_token"] == before["fallback_refresh_token"]


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_invalid_grant_at_any_status_is_the_end(place: Place, status: int) -> None:
    """`invalid_grant` ends the session, whatever the status; the tokens stay where they are."""
    auth = place.log_in()
    before = place.record()
    place.server.faults.status["token"] = (status, '{"error": "invalid_grant"}')
    with pytest.raises(NotLoggedIn) as caught:
        auth.access_token()
    assert caught.value.code == "AUTH_REFRESH_EXPIRED"
    after = place.record()
    assert after["rejected_generation"] == before["generation"] == after["generation"]
    assert after["fallback_refresh_token"] == before["fallback_refresh_token"]


def test_dead_grant_is_not_hammered(place: Place) -> None:
    """The next twenty commands fail without asking the server; a login heals it."""
    auth = place.log_in()
    place.server.revoke_all()
    for _ in range(20):
        with pytest.raises(NotLoggedIn, match="expired or was revoked") as caught:
            place.auth().access_token()
        assert caught.value.code == "AUTH_REFRESH_EXPIRED"
    assert place.server.refresh_count == 1
    logged_in(auth, server=place.server)
    assert auth.access_token()


BROKEN = {
    "500": lambda faults: faults.status.update({"token": (500, "oops")}),
    "429": lambda faults: faults.status.update({"token": (429, "slow down")}),
    "empty 400": lambda faults: faults.status.update({"token": (400, "")}),
    "html": lambda faults: faults.not_json.add("token"),
    "unknown error": lambda faults: faults.status.update({"token": (400, '{"error": "odd"}')}),
    "redirect": lambda faults: faults.redirect.update({"token": "http://127.0.0.1:9/"}),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_rf_08_every_other_failure_is_transient(place: Place, fault: str) -> None:
    """Whatever is not `invalid_grant` keeps the tokens, byte for byte, and says try again."""
    auth = place.log_in()
    before = (place.folder / "auth.json").read_bytes()
    BROKEN[fault](place.server.faults)
    with pytest.raises(Unreachable) as caught:
        auth.access_token()
    assert (caught.value.code, caught.value.exit_code) == ("AUTH_REFRESH_TRANSIENT", 5)
    assert (place.folder / "auth.json").read_bytes() == before


def test_rf_08_offline_is_transient(place: Place) -> None:
    """A server that cannot be reached is a reason to try later, not to log in again."""
    auth = place.log_in()
    with place.server.offline(), pytest.raises(Unreachable):
        auth.access_token()
    assert auth.access_token()


def test_rf_08_transient_failure_is_no_error_while_the_token_is_valid(place: Place) -> None:
    """Within the last minute of a token's life a failure to renew it does not matter."""
    auth = place.log_in(expires_in=30)
    token = place.record()["fallback_token"]
    obtained = place.record()["access_token_obtained_at"]
    assert obtained is not None
    place.server.faults.status["token"] = (503, "")
    assert auth.access_token(min_ttl=100.0) == token
    assert place.server.refresh_count == 1


def test_rf_09_lost_answer_is_replayed_once(place: Place) -> None:
    """An answer lost without any status is asked for once more, in the same hold."""
    auth = place.log_in()
    place.server.reuse_grace = 10.0
    place.server.faults.drop_answer["token"] = 1
    assert auth.access_token()
    assert place.server.refresh_count == 2
    assert place.server.family_alive("ada")


def test_rf_09_no_replay_after_a_status(place: Place) -> None:
    """After a status, however bad, the token is not sent a second time."""
    auth = place.log_in()
    place.server.faults.status["token"] = (502, "")
    with pytest.raises(Unreachable):
        auth.access_token()
    assert place.server.refresh_count == 1


def test_rejected_token_is_replaced(place: Place) -> None:
    """A token that a server has refused is renewed though it looks fresh, and never returned."""
    auth = place.log_in(expires_in=3600)
    refused = auth.access_token()
    other = auth.access_token(rejected=refused)
    assert other != refused
    assert auth.access_token(rejected=refused) == other
    assert place.server.refresh_count == 1


def test_rf_14_token_shorter_than_the_skew(place: Place) -> None:
    """Tokens of 45 s cost one refresh for each expiry, not one for each call."""
    place.server.access_token_lifetime = 45.0
    auth = place.log_in()
    tokens = {auth.access_token() for _ in range(5)}
    assert (len(tokens), place.server.refresh_count) == (1, 1)


def test_min_ttl_that_no_token_meets(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """An explicit min_ttl beyond any token's life costs one refresh, then a warning."""
    place.server.access_token_lifetime = 45.0
    auth = place.log_in()
    assert auth.access_token(min_ttl=90.0)
    assert place.server.refresh_count == 1
    assert "expire sooner than the 90 s" in capsys.readouterr().err


def test_rf_15_clock_that_stands_before_the_login(place: Place) -> None:
    """A clock that was set back says nothing about expiry: the token is used, a 401 heals."""
    auth = place.log_in(expires_in=-5)
    auth.context.clock = lambda: time.time() - 365 * 86400.0
    token = auth.access_token()
    assert place.server.refresh_count == 0
    assert auth.access_token(rejected=token) != token
    assert place.server.refresh_count == 1


def test_rf_17_environment_token_touches_nothing(place: Place, tmp_path: Path) -> None:
    """The environment's token is used as it is: no store, no network, no file."""
    auth = place.auth()
    with auth.override(environ={"TODO_TOKEN": "from-ci"}, folder=tmp_path / "untouched"):
        assert auth.access_token() == "from-ci"
        assert auth.access_token(rejected="from-ci") == "from-ci"
    assert not (tmp_path / "untouched").exists()
    assert len(place.server.journal) == 0


def test_rf_18_threads_share_one_request(place: Place) -> None:
    """50 threads of one process with an expired token: one POST."""
    auth = place.log_in()
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda: tokens.append(auth.access_token())) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(tokens), len(set(tokens)), place.server.refresh_count) == (50, 1, 1)


def test_rf_20_scopes_are_kept_when_the_answer_names_none(place: Place) -> None:
    """A refresh asks for no scopes, and an answer without scopes leaves those granted."""
    auth = place.auth()
    logged_in(auth, server=place.server, scopes=("tasks:read",), expires_in=-5)
    place.server.faults.omit["token"] = {"scope"}
    auth.access_token()
    assert place.record()["scopes"] == ["tasks:read"]
    assert "scope" not in place.server.posts("token")[-1].form


def test_no_refresh_token_means_log_in(place: Place) -> None:
    """An expired credential without a refresh token can't be refreshed."""
    from datetime import datetime, timedelta, timezone

    from click_auth import Account, TokenBundle

    auth = place.auth()
    past = datetime.now(timezone.utc) - timedelta(minutes=5)
    auth.store.set_bundle(Account(id="ada"), TokenBundle("old", expires_at=past))
    with pytest.raises(NotLoggedIn) as caught:
        auth.access_token()
    assert caught.value.code == "AUTH_REFRESH_UNAVAILABLE"
    assert place.server.refresh_count == 0


def test_waiter_outlasts_the_slowest_hold(place: Place) -> None:
    """A waiter waits for two calls as slow as the provider allows, and a margin, from the start."""
    provider = OAuthProvider(client_id="todo-cli", issuer=place.server.issuer, http_timeout=60.0)
    assert Auth("todo", provider, folder=place.folder).context.lock_timeout(None) == 135.0


def test_logout_during_a_refresh_stands(place: Place) -> None:
    """A logout that did not wait is not undone by the answer that comes later."""
    auth = place.log_in()
    failures: list[Exception] = []

    def refresh() -> None:
        try:
            auth.access_token()
        except NotLoggedIn as error:
            failures.append(error)

    thread = threading.Thread(target=refresh)
    with unanswered(place.server) as asked:
        thread.start()
        assert asked.wait(60)
        other = place.auth()
        assert other.context.store.forget("ada") is None
    thread.join()
    assert len(failures) == 1
    assert other.current_account() is None
    assert "ada" not in (place.folder / "auth.json").read_text()


def test_rf_12_login_during_a_refresh_wins(place: Place) -> None:
    """Tokens of a newer login stay, though an older refresh is answered after it."""
    auth = place.log_in()
    tokens: list[str] = []
    thread = threading.Thread(target=lambda: tokens.append(auth.access_token()))
    with unanswered(place.server) as asked:
        thread.start()
        assert asked.wait(60)
        logged_in(place.auth(), server=place.server)
        newest = place.record()["fallback_token"]
    thread.join()
    assert tokens == [newest]
    assert place.record()["fallback_token"] == newest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_lk_12_signal_between_request_and_write(place: Place, number: signal.Signals) -> None:
    """A signal that arrives while the answer is awaited is delivered after the write."""
    place.log_in()
    before = place.record()["generation"]
    with unanswered(place.server) as asked:
        process = place.start("token")
        assert asked.wait(60)
        process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert place.record()["generation"] == before + 1
    assert place.server.refresh_count == 1
    assert not list((place.folder / "locks").glob("*"))
    assert place.auth().access_token() == place.record()["fallback_token"]


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_lk_08_valid_token_works_where_no_lock_can_be_made(place: Place) -> None:
    """Without a lock nothing is renewed: a valid token is used, an expired one is an error."""
    auth = place.log_in(expires_in=30)
    (place.folder / "locks").write_text("in the way")
    assert auth.access_token(min_ttl=100)
    (place.folder / "locks").unlink()
    logged_in(auth, server=place.server, expires_in=-5)
    (place.folder / "locks").write_text("in the way")
    with pytest.raises(StorageUnavailable, match="locks") as caught:
        auth.access_token()
    assert caught.value.code == "AUTH_STORE_WRITE_FAILED"
    assert place.server.refresh_count == 0


def test_result_that_cannot_be_stored_is_not_asked_for(place: Place) -> None:
    """Where the record file cannot be written, a rotating token is not spent."""
    auth = place.log_in()
    damaged = place.folder / "auth.json"
    text = damaged.read_text()
    damaged.write_text(text[: len(text) // 2])
    with pytest.raises(StorageUnavailable):
        refresh_access_token(auth)
    assert place.server.refresh_count == 0
