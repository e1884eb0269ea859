from __future__ import annotations

import time

import pytest

from click_auth import TokenBundle
from providers.wire import Reply, Scripted, hang, provider, reply, reset, say

BOTH = TokenBundle("canary-access", "canary-refresh")


def revoke(
    server: Scripted, module: str, bundle: TokenBundle = BOTH, **facts: float
) -> bool | None:
    """Revoke the tokens of *bundle*."""
    made = provider(server, module, revocation_endpoint=f"{server.url}/revoke", **facts)
    return made.revoke(bundle)


def test_lo_01_the_refresh_token_goes_first(server: Scripted, module: str) -> None:
    """Then the access token, each with its hint, the client in the body (RFC 7009 2.1)."""
    server.replies = [reply("")]
    assert revoke(server, module) is True
    assert [request.path for request in server.seen] == ["/revoke", "/revoke"]
    assert [request.form for request in server.seen] == [
        {
            "token": "canary-refresh",
            "token_type_hint": "refresh_token",
            "client_id": "todo-cli",
        },
        {"token": "canary-access", "token_type_hint": "access_token", "client_id": "todo-cli"},
    ]


def test_a_grant_without_a_refresh_token(server: Scripted, module: str) -> None:
    """There is one token to revoke."""
    server.replies = [reply("")]
    assert revoke(server, module, TokenBundle("a")) is True
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "answer, gone",
    [
        pytest.param(reply(""), True, id="200"),
        pytest.param(say({}), True, id="json"),
        pytest.param(say({"error": "invalid_token"}, 400), True, id="Google, twice"),
        pytest.param(say({"error": "unsupported_token_type"}, 400), False, id="unsupported"),
        pytest.param(say({"error": "invalid_client"}, 401), False, id="client"),
        pytest.param(reply("", 503, Retry_After="5"), False, id="503"),
        pytest.param(reply("<html>", 500), False, id="500"),
        pytest.param(reply("", 302, Location="/elsewhere"), False, id="redirect"),
        pytest.param(reset, False, id="reset"),
    ],
)
def test_lo_02_what_the_server_answers(
    server: Scripted,
    module: str,
    answer: Reply,
    gone: bool,
) -> None:
    """Only a success says that nothing is valid any longer; nothing raises."""
    server.replies = [answer]
    assert revoke(server, module) is gone
    assert "/elsewhere" not in server.paths()


def test_lo_02_half_is_not_gone(server: Scripted, module: str) -> None:
    """The access token may still be valid, and that is said."""
    server.replies = [reply(""), say({"error": "unsupported_token_type"}, 400)]
    assert revoke(server, module) is False


def test_lo_01_a_server_that_hangs(server: Scripted, module: str) -> None:
    """It does not hold up a logout."""
    server.replies = [hang]
    started = time.monotonic()
    assert revoke(server, module, http_timeout=1.0) is False
    assert time.monotonic() - started < 30


def test_lo_01_a_server_that_is_offline(server: Scripted, module: str) -> None:
    """Nor does one that is not there, found by hand or by discovery."""
    made = provider(server, module, revocation_endpoint="http://127.0.0.1:1/revoke")
    assert made.revoke(BOTH) is False
    assert provider(server, module, issuer="http://127.0.0.1:1").revoke(BOTH) is False


def test_a_server_that_revokes_nothing(server: Scripted, module: str) -> None:
    """Then there is no answer to give."""
    assert provider(server, module).revoke(BOTH) is None
    assert server.seen == []
