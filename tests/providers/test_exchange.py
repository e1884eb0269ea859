"""The token endpoint over a real socket: each hostile answer through a login and a refresh."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest

from click_auth import (
    AuthError,
    AuthorizationRequest,
    AuthorizationResponse,
    LoginFailed,
    NotLoggedIn,
    TokenBundle,
    Unreachable,
)
from click_auth.errors import AnswerLost
from providers.wire import Scripted, provider, reply, reset, say

GOOD = {"access_token": "new-access", "token_type": "Bearer"}
URI = "http://127.0.0.1:49152/callback"
CANARY = "canary-0123456789"
REQUEST = AuthorizationRequest("", URI, "state", f"verifier-{CANARY}", scopes=("read",))
RESPONSE = AuthorizationResponse(f"code-{CANARY}", URI)
OLD = TokenBundle(f"access-{CANARY}", f"refresh-{CANARY}", scopes=("read", "write"))

Operation = Callable[[Scripted, str], TokenBundle]


def log_in(server: Scripted, module: str) -> TokenBundle:
    """Exchange a code."""
    return provider(server, module).exchange(REQUEST, RESPONSE)


def refresh(server: Scripted, module: str) -> TokenBundle:
    """Use a refresh token."""
    return provider(server, module).refresh(OLD)


def failure(operation: Operation, server: Scripted, module: str, answer: object) -> AuthError:
    """Return the one typed error of an operation that is answered so; it tells no secret."""
    server.replies = [answer]  # type: ignore[list-item]
    with pytest.raises(AuthError) as failed:
        operation(server, module)
    error = failed.value
    told = [error.format_message(), repr(error), repr(error.to_json())]
    told += traceback.format_exception(error)
    assert CANARY not in "".join(told)
    assert "<html>" not in "".join(told)
    assert error.message.isprintable()
    assert len(server.seen) == 1
    return error


UNUSABLE = {
    "te_01_html": reply("<html>maintenance</html>"),
    "te_01_empty": reply(""),
    "te_01_cut": reply('{"'),
    "te_01_no_content": reply("", 204),
    "te_02_null": say(None),
    "te_02_list": say([]),
    "te_02_text": say("x"),
    "te_02_number": say(1),
    "te_04_missing": say({"token_type": "Bearer"}),
    "te_04_empty": say({**GOOD, "access_token": ""}),
    "te_04_null": say({**GOOD, "access_token": None}),
    "te_04_number": say({**GOOD, "access_token": 123}),
    "te_04_object": say({**GOOD, "access_token": {}}),
    "te_05_mac": say({**GOOD, "token_type": "mac"}),
    "te_05_n_a": say({**GOOD, "token_type": "N_A"}),
    "te_05_dpop": say({**GOOD, "token_type": "DPoP"}),
    "te_07_twice": reply('{"access_token": "a", "access_token": "b", "token_type": "Bearer"}'),
    "te_09_deep": reply("[" * 200_000),
    "te_09_long_number": reply('{"expires_in": ' + "9" * 5000 + "}"),
    "te_09_not_utf8": reply(b'{"access_token": "\xff"}'),
    "te_11_500": reply("<html>oops</html>", 500),
    "te_11_503": say({}, 503),
    "te_12_429": reply("slow down", 429, Retry_After="7"),
    "te_14_short": b'HTTP/1.1 200 x\r\nContent-Length: 99\r\n\r\n{"access_token": "a"',
    "te_17_error_in_200": say({**GOOD, "error": "server_error"}),
    "te_17_error_in_400": say({"error": "invalid_request"}, 400),
    "te_17_error_in_401": say({"error": "invalid_client"}, 401),
    "te_17_error_in_403": say({"error": "access_denied", "error_description": "\x1b[31m"}, 403),
    "te_18_error_is_a_list": say({"error": ["invalid_grant"]}, 400),
    "te_18_error_is_an_object": say({"error": {"code": "invalid_grant"}}, 400),
    "te_18_not_json": reply("<html>invalid_grant</html>", 400),
    "te_18_empty_400": reply("", 400),
    "te_19_crlf": say({**GOOD, "access_token": "a\r\nX-Evil: 1"}),
    "te_19_lf": say({**GOOD, "access_token": "a\nb"}),
    "te_19_nul": say({**GOOD, "access_token": "a\0b"}),
    "te_19_space_only": say({**GOOD, "access_token": "  "}),
    "te_19_trailing_newline": say({**GOOD, "access_token": "a\n"}),
    "te_19_not_ascii": say({**GOOD, "access_token": "tökén"}),
    "redirect": reply("", 307, Location="https://evil.example/"),
}


# What a login refuses and a refresh has to take: the old tokens may be spent (TE-30).
ODD = {
    "te_05_number": say({**GOOD, "token_type": 5}),
    "te_19_refresh_token": say({**GOOD, "refresh_token": "a\r\nb"}),
    "te_21_number": say({**GOOD, "scope": 5}),
    "te_21_mixed_list": say({**GOOD, "scope": ["a", 5]}),
    "te_21_unreadable": say({**GOOD, "scope": 'a"b'}),
    "te_25_number": say({**GOOD, "refresh_token": 5}),
    "te_25_object": say({**GOOD, "refresh_token": {}}),
}


@pytest.mark.parametrize("answer", [*UNUSABLE.values(), *ODD.values()], ids=[*UNUSABLE, *ODD])
def test_te_a_login_fails_on_what_is_no_grant(server: Scripted, module: str, answer: bytes) -> None:
    """With AUTH_TOKEN_EXCHANGE_FAILED, after one attempt: a code is good for one."""
    error = failure(log_in, server, module, answer)
    assert isinstance(error, LoginFailed)
    assert error.code == "AUTH_TOKEN_EXCHANGE_FAILED"


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
def test_te_a_refresh_keeps_the_tokens_on_what_is_no_grant(
    server: Scripted, module: str, answer: bytes
) -> None:
    """It is transient, and not for the one replay: a status had come."""
    error = failure(refresh, server, module, answer)
    assert type(error) is Unreachable
    assert error.code == "AUTH_REFRESH_TRANSIENT"


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_te_30_a_refresh_takes_a_usable_token_whatever_is_odd_beside_it(
    server: Scripted, module: str, answer: bytes
) -> None:
    """Nothing of it is thrown away; what cannot be understood falls back to what there was."""
    server.replies = [answer]
    bundle = refresh(server, module)
    assert (bundle.access_token, bundle.scopes) == ("new-access", ("read", "write"))
    assert bundle.refresh_token is None  # so the old one is carried forward


@pytest.mark.parametrize(
    "operation, sent",
    [(log_in, f"code-{CANARY} verifier-{CANARY}"), (refresh, f"refresh-{CANARY}")],
)
def test_sx_02_an_echo_of_what_was_sent_is_hidden(
    server: Scripted, module: str, operation: Operation, sent: str
) -> None:
    """Some servers quote the token that they refuse."""
    said = say({"error": "invalid_request", "error_description": f"bad: {sent}"}, 400)
    assert "(bad: [hidden]" in failure(operation, server, module, said).message


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize(
    "word",
    [
        *("invalid_grant", "bad_refresh_token", "invalid_refresh_token"),
        *("interaction_required", "login_required", "consent_required"),
    ],
)
def test_te_17_31_b7_a_dead_grant_is_dead_at_any_status_in_any_words(
    server: Scripted, module: str, status: int, word: str
) -> None:
    """The code decides, not the status; GitHub, Slack and Entra have codes of their own."""
    error = failure(refresh, server, module, say({"error": word}, status))
    assert isinstance(error, NotLoggedIn)
    assert error.code == "AUTH_REFRESH_EXPIRED"


LOGIN_MAY_HELP = "If this keeps happening, log in again."


@pytest.mark.parametrize(
    "answer, is_no",
    [
        (say({"errors": [{"errorType": "invalid_grant"}], "success": False}, 400), True),
        (say({"status": "BAD_REFRESH_TOKEN"}, 400), True),
        (say({"error": "Unauthorized", "status": 401}, 401), True),
        (say({"error": "invalid_client"}, 401), True),
        (say({"ok": False, "error": "account_inactive"}), True),
        (say({"token_type": "Bearer"}), True),
        (reply("", 400), True),
        (reply("", 500), False),
        (say({"error": "server_error"}, 500), False),
        (say({"error": "too_many_requests"}, 429), False),
        (reply("<html>maintenance</html>"), False),
    ],
)
def test_te_31_b7_any_other_no_keeps_the_tokens_and_speaks_of_a_login(
    server: Scripted, module: str, answer: bytes, is_no: bool
) -> None:
    """Bad weather does not: there a login would not help."""
    error = failure(refresh, server, module, answer)
    assert error.code == "AUTH_REFRESH_TRANSIENT"
    assert (LOGIN_MAY_HELP in error.hints) is is_no


@pytest.mark.parametrize("answer", [reset, b"", b"HTTP/1.1 2"], ids=["reset", "closed", "cut"])
def test_rf_09_a_lost_answer_is_told_apart(server: Scripted, module: str, answer: object) -> None:
    """No status came: the server may have rotated the token, so the refresh may be sent again."""
    error = failure(refresh, server, module, answer)
    assert isinstance(error, AnswerLost)
    assert error.code == "AUTH_REFRESH_TRANSIENT"


def test_te_14_a_login_whose_answer_is_lost_is_over(server: Scripted, module: str) -> None:
    """A code is not sent twice."""
    assert failure(log_in, server, module, reset).code == "AUTH_TOKEN_EXCHANGE_FAILED"


def test_rf_08_a_server_that_cannot_be_reached_has_lost_nothing(
    server: Scripted, module: str
) -> None:
    """There is nothing to send again."""
    gone = provider(server, module, token_endpoint="http://127.0.0.1:1/token")
    with pytest.raises(Unreachable) as failed:
        gone.refresh(OLD)
    assert type(failed.value) is Unreachable


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("body", ["", "slow down", '{"error": "too_many_requests"}'])
def test_te_12_the_server_says_when_to_come_back(
    server: Scripted, module: str, status: int, body: str
) -> None:
    """A person is told; a program finds the seconds on the error of a refresh."""
    answer = reply(body, status, Retry_After="7")
    error = failure(refresh, server, module, answer)
    assert isinstance(error, Unreachable)
    assert error.retry_after == 7
    server.seen.clear()
    for each in (error, failure(log_in, server, module, answer)):
        assert each.format_message().endswith("Try again in 7 seconds.")


def test_a_400_quotes_what_the_server_says(server: Scripted, module: str) -> None:
    """On one line, without anything that a terminal would obey (TI-02)."""
    said = {"error": "invalid_request", "error_description": "no\n\x1b]0;x\x07 [red]{0} %s"}
    message = failure(log_in, server, module, say(said, 400)).message
    assert "invalid_request (no ]0;x [red]{0} %s)" in message


GRANTS = {
    "plain": (say(GOOD), {}),
    "te_05_bearer": (say({**GOOD, "token_type": "bEaReR"}), {}),
    "te_26_created": (say(GOOD, 201), {}),
    "te_09_bom": (reply(b'\xef\xbb\xbf{"access_token":"new-access","token_type":"bearer"}'), {}),
    "te_17_no_error": (say({**GOOD, "error": None}), {}),
    "te_20_unknown": (say({**GOOD, "x": {"y": [1]}}), {"extra": {"x": {"y": [1]}}}),
    "te_21_narrower": (say({**GOOD, "scope": "read"}), {"scopes": ("read",)}),
    "te_21_nothing": (say({**GOOD, "scope": ""}), {"scopes": ()}),
    "te_05_missing": (say({"access_token": "new-access"}), {}),
    "te_05_null": (say({**GOOD, "token_type": None}), {}),
    "te_05_bot": (say({**GOOD, "token_type": "bot"}), {}),
    "te_17_error_false": (say({**GOOD, "error": False}), {}),
    "te_17_error_empty": (say({**GOOD, "error": ""}), {}),
    "te_21_list": (say({**GOOD, "scope": ["a", "b"]}), {"scopes": ("a", "b")}),
    "te_21_null": (say({**GOOD, "scope": None}), {}),
    "te_25_null": (say({**GOOD, "refresh_token": None}), {"refresh_token": None}),
    "te_25_empty": (say({**GOOD, "refresh_token": ""}), {"refresh_token": None}),
    "expires_in_0": (say({**GOOD, "expires_in": 0}), {"expires_at": None}),
    "expires_in_null": (say({**GOOD, "expires_in": None}), {"expires_at": None}),
    "id_token_empty": (say({**GOOD, "id_token": ""}), {"id_token": None}),
    "rotated": (say({**GOOD, "refresh_token": "new"}), {"refresh_token": "new"}),
}


@pytest.mark.parametrize("operation", [log_in, refresh])
@pytest.mark.parametrize("answer, facts", GRANTS.values(), ids=GRANTS)
def test_te_what_is_a_grant_is_taken(
    server: Scripted, module: str, operation: Operation, answer: bytes, facts: dict[str, object]
) -> None:
    """Whatever else the answer says, and whatever type of content it claims to be."""
    server.replies = [answer]
    bundle = operation(server, module)
    assert bundle.access_token == "new-access"
    assert bundle.token_type == "Bearer"
    for name, value in facts.items():
        assert getattr(bundle, name) == value


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/jwt", ""])
def test_te_03_the_content_type_does_not_matter(server: Scripted, module: str, kind: str) -> None:
    """A body that is JSON is JSON."""
    body = '{"access_token": "new-access", "token_type": "Bearer"}'
    server.replies = [reply(body, Content_Type=kind)]
    assert log_in(server, module).access_token == "new-access"


def test_te_22_the_shape_of_an_exchange(server: Scripted, module: str) -> None:
    """A form, the client in the body, no header that authenticates, nothing in the URL."""
    server.replies = [say(GOOD)]
    log_in(server, module)
    request = server.seen[0]
    assert (request.method, request.path) == ("POST", "/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept"] == "application/json"
    assert "authorization" not in request.headers
    assert request.form == {
        "grant_type": "authorization_code",
        "code": f"code-{CANARY}",
        "redirect_uri": URI,
        "code_verifier": f"verifier-{CANARY}",
        "client_id": "todo-cli",
    }


def test_rf_20_the_shape_of_a_refresh(server: Scripted, module: str) -> None:
    """It asks for no scopes, so that it gets what was granted; what was granted is kept."""
    server.replies = [say(GOOD)]
    bundle = refresh(server, module)
    assert server.seen[0].form == {
        "grant_type": "refresh_token",
        "refresh_token": f"refresh-{CANARY}",
        "client_id": "todo-cli",
    }
    assert bundle.scopes == ("read", "write")
    assert bundle.refresh_token is None


def test_ar_12_the_resource_goes_with_every_token_request(server: Scripted, module: str) -> None:
    """Beside the provider's own parameters."""
    made = provider(
        server, module, resource="https://api.todo.example/", token_params={"audience": "x"}
    )
    server.replies = [say(GOOD)]
    made.exchange(REQUEST, RESPONSE)
    made.refresh(OLD)
    made.client_credentials("ci", "secret")
    for request in server.seen:
        assert request.form["resource"] == "https://api.todo.example/"
        assert request.form["audience"] == "x"


@pytest.mark.parametrize("code", ["a/b+c", "a b", "é", "x" * 8192, "%2F"])
def test_lb_23_a_code_arrives_as_it_was(server: Scripted, module: str, code: str) -> None:
    """Encoded once, for the form."""
    server.replies = [say(GOOD)]
    provider(server, module).exchange(REQUEST, AuthorizationResponse(code, URI))
    assert server.seen[0].form["code"] == code


def test_without_a_refresh_token_there_is_no_request(server: Scripted, module: str) -> None:
    """Only a login helps."""
    with pytest.raises(NotLoggedIn) as failed:
        provider(server, module).refresh(TokenBundle("a"))
    assert failed.value.code == "AUTH_REFRESH_UNAVAILABLE"
    assert server.seen == []


def test_client_credentials(server: Scripted, module: str) -> None:
    """The client asks for itself, for what no person is needed (RFC 6749 section 4.4)."""
    server.replies = [say({**GOOD, "expires_in": 60})]
    made = provider(server, module, scopes=("openid", "offline_access", "read"))
    bundle = made.client_credentials("ci", "secret")
    request = server.seen[0]
    assert request.form == {"grant_type": "client_credentials", "scope": "read"}
    assert request.headers["authorization"].startswith("Basic ")
    assert (bundle.access_token, bundle.scopes) == ("new-access", ("read",))


@pytest.mark.parametrize(
    "answer, kind",
    [
        (say({"error": "invalid_client", "error_description": "no ci-secret"}, 401), NotLoggedIn),
        (say({"error": "invalid_scope"}, 400), NotLoggedIn),
        (reply("", 500), Unreachable),
        (reset, Unreachable),
    ],
)
def test_client_credentials_that_are_refused(
    server: Scripted, module: str, answer: bytes, kind: type[AuthError]
) -> None:
    """Wrong ones are the user's to correct, a sick server is not."""
    server.replies = [answer]
    with pytest.raises(kind) as failed:
        provider(server, module).client_credentials("ci", "ci-secret")
    assert "ci-secret" not in failed.value.format_message()
