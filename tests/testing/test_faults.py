from __future__ import annotations

import email.utils
import time

import httpx
import pytest

from click_auth.testing import Answer, AuthorizationServer, Faults, Request
from testing.visitor import Visitor, query_of


@pytest.fixture
def token(visitor: Visitor) -> str:
    """Log in before anything goes wrong."""
    return visitor.log_in()["refresh_token"]


@pytest.fixture
def faults(server: AuthorizationServer, token: str) -> Faults:
    """Order what goes wrong from then on."""
    return server.faults


def test_a_lost_answer_has_been_earned(
    visitor: Visitor, server: AuthorizationServer, faults: Faults, token: str
) -> None:
    """drop_answer rotates, then cuts the connection without a status; the next request works."""
    faults.drop_answer["token"] = 1

    with pytest.raises(httpx.RemoteProtocolError):
        visitor.refresh(token)

    assert server.posts("token", grant_type="refresh_token")[0].status is None
    assert visitor.refresh(token).json()["error"] == "invalid_grant"
    assert server.reuse_count == 1


def test_a_dropped_request_has_done_nothing(visitor: Visitor, faults: Faults, token: str) -> None:
    """drop_request cuts the connection before anything is done."""
    faults.drop_request["token"] = 1

    with pytest.raises(httpx.RemoteProtocolError):
        visitor.refresh(token)

    assert visitor.refresh(token).status_code == 200


def test_no_answer_comes(visitor: Visitor, faults: Faults, token: str) -> None:
    """never_answer reads the request and leaves the client to its own patience."""
    faults.never_answer.add("token")
    patient, visitor.http.timeout = visitor.http.timeout, httpx.Timeout(60, read=0.1)

    with pytest.raises(httpx.ReadTimeout):
        visitor.refresh(token)

    faults.never_answer.clear()
    visitor.http.timeout = patient
    assert visitor.refresh(token).status_code == 200


@pytest.mark.parametrize("order", ["delay", "delay_answer"])
def test_answers_can_be_slow(visitor: Visitor, faults: Faults, token: str, order: str) -> None:
    """Delays wait for so many seconds, before the deed or after it."""
    getattr(faults, order)["token"] = 0.15
    started = time.monotonic()

    assert visitor.refresh(token).status_code == 200
    assert time.monotonic() - started >= 0.15


def test_a_status_is_answered_until_it_is_taken_back(
    visitor: Visitor, faults: Faults, token: str
) -> None:
    """A status is answered instead of doing anything; clear() takes every order back."""
    faults.status["token"] = (503, "<h1>Later</h1>")
    faults.headers["token"] = {"Retry-After": "7"}
    answer = visitor.refresh(token)

    assert (answer.status_code, answer.text) == (503, "<h1>Later</h1>")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["retry-after"] == "7"
    faults.clear()
    assert visitor.refresh(token).status_code == 200


def test_a_status_with_json_says_so(visitor: Visitor, faults: Faults, token: str) -> None:
    """A body that is JSON gets JSON's content type."""
    faults.status["token"] = (400, '{"error": "invalid_grant"}')

    assert visitor.refresh(token).headers["content-type"] == "application/json"


def test_answers_come_in_turn(visitor: Visitor, faults: Faults, token: str) -> None:
    """Queued answers are given one for each request, then the server speaks for itself."""
    faults.answers["token"] = [Answer(502), Answer.json({"error": "temporarily_unavailable"}, 400)]

    assert [visitor.refresh(token).status_code for _ in range(3)] == [502, 400, 200]


def test_a_hook_sees_the_request(visitor: Visitor, faults: Faults, token: str) -> None:
    """A hook may answer, or leave it to the server."""

    def hook(request: Request) -> Answer | None:
        return None if request.form["refresh_token"] == token else Answer(418)

    faults.hooks["token"] = hook

    assert visitor.refresh("other").status_code == 418
    assert visitor.refresh(token).status_code == 200


def test_an_endpoint_can_redirect(visitor: Visitor, faults: Faults, token: str) -> None:
    """An ordered redirect is a 307, which a client that holds a secret must not follow."""
    faults.redirect["token"] = "https://evil.example/token"
    answer = visitor.refresh(token)

    assert (answer.status_code, answer.headers["location"]) == (307, "https://evil.example/token")


def test_raw_bytes_are_sent_as_they_are(visitor: Visitor, faults: Faults, token: str) -> None:
    """Raw bytes replace the whole answer, status line included."""
    faults.raw["token"] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"

    with pytest.raises(httpx.RemoteProtocolError):
        visitor.refresh(token)


def test_an_answer_can_be_cut_short(visitor: Visitor, faults: Faults, token: str) -> None:
    """A truncated answer ends the connection half way through the body."""
    faults.truncate["token"] = 1

    with pytest.raises(httpx.RemoteProtocolError):
        visitor.refresh(token)


def test_an_answer_can_drip(visitor: Visitor, faults: Faults, token: str) -> None:
    """A dripping answer comes byte after byte, so that no single read takes long."""
    faults.drip["token"] = 0.001

    assert visitor.refresh(token).status_code == 200


def test_an_answer_can_be_a_page(visitor: Visitor, faults: Faults, token: str) -> None:
    """not_json does what was asked and answers 200 with HTML."""
    faults.not_json.add("token")
    answer = visitor.refresh(token)

    assert answer.headers["content-type"].startswith("text/html")
    faults.not_json.clear()
    assert visitor.refresh(token).json()["error"] == "invalid_grant"


def test_fields_can_be_replaced_and_left_out(visitor: Visitor, faults: Faults, token: str) -> None:
    """Orders overlay and omit change the JSON of an answer, and leave errors alone."""
    faults.overlay["token"] = {"access_token": None, "token_type": "mac"}
    faults.omit["token"] = {"scope", "refresh_token"}
    changed = visitor.refresh(token).json()
    error = visitor.refresh("unknown").json()

    assert changed == {"access_token": None, "token_type": "mac", "expires_in": 3600}
    assert error["error"] == "invalid_grant"


def test_the_callback_can_be_changed(visitor: Visitor, faults: Faults) -> None:
    """The order callback lays parameters over the redirect, None leaves one out."""
    faults.callback = {"iss": "https://evil.example", "state": None, "extra": "1"}
    back = query_of(visitor.authorize())

    assert back["iss"] == "https://evil.example"
    assert "state" not in back
    assert (back["extra"], "code" in back) == ("1", True)


def test_claims_can_be_changed(visitor: Visitor, faults: Faults) -> None:
    """id_token lays claims over those of an ID token."""
    import base64
    import json

    faults.id_token = {"sub": "mallory"}
    claims = visitor.log_in(scope="openid")["id_token"].split(".")[1]

    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"] == "mallory"


def test_the_servers_clock_can_be_wrong(visitor: Visitor, faults: Faults, token: str) -> None:
    """date_skew moves the Date header by so many seconds."""
    faults.date_skew = 86400
    date = email.utils.parsedate_to_datetime(visitor.refresh(token).headers["date"])

    assert date.timestamp() - time.time() == pytest.approx(86400, abs=60)


def test_other_endpoints_are_left_alone(visitor: Visitor, faults: Faults, token: str) -> None:
    """An order for one endpoint is none for another."""
    faults.status["userinfo"] = (500, "")
    faults.drop_answer["revoke"] = 1

    assert visitor.refresh(token).status_code == 200
