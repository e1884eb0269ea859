"""Servers that say it in words of their own: `token_response`, and what a redirect brings along."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from click_auth import (
    Auth,
    AuthError,
    AuthorizationRequest,
    AuthorizationResponse,
    LoginContext,
    LoginFailed,
    LoginRequest,
    NotLoggedIn,
    OAuthProvider,
    TokenBundle,
    Unreachable,
)
from click_auth.testing import AuthorizationServer, FakeBrowser
from providers.person import Person
from providers.wire import Scripted, device_login, provider, say, server_of

URI = "http://127.0.0.1:49152/callback"
CANARY = "canary-0123456789"
OLD = TokenBundle("old", f"refresh-{CANARY}", scopes=("read",))


def slack(document: dict[str, Any]) -> Mapping[str, Any]:
    """Say what a standard server would have said: Slack has the user's tokens one level down."""
    if document.get("error") == "token_revoked":
        return {"error": "invalid_grant"}
    inner = document.pop("authed_user")
    return {**document, **inner}


SAID = {"ok": True, "token_type": "bot", "authed_user": {"access_token": "x", "token_type": "user"}}


def exchange(made: OAuthProvider) -> TokenBundle:
    """Exchange a code."""
    request = AuthorizationRequest("", URI, "state", f"verifier-{CANARY}")
    return made.exchange(request, AuthorizationResponse(f"code-{CANARY}", URI))


def by_device(made: OAuthProvider) -> TokenBundle:
    """Log in on a device whose person agrees at once."""
    return device_login(
        server_of(made), LoginRequest(), Person(browser=False), sleep=lambda _: None
    )


WAYS: dict[str, Callable[[OAuthProvider], TokenBundle]] = {
    "exchange": exchange,
    "refresh": lambda made: made.refresh(OLD),
    "device": by_device,
    "client credentials": lambda made: made.client_credentials("ci", CANARY),
}


def odd(server: Scripted, module: str, meaning: Any) -> OAuthProvider:
    """Return a provider whose server speaks in words of its own."""
    code = {"device_code": CANARY, "user_code": "AB", "expires_in": 60, "interval": 1}
    server.on["/device"] = say({**code, "verification_uri": "https://id.todo.example/device"})
    endpoint = f"{server.url}/device"
    return provider(server, module, token_response=meaning, device_authorization_endpoint=endpoint)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_b4_every_answer_of_the_token_endpoint_is_put_into_standard_words(
    server: Scripted, module: str, way: Callable[[OAuthProvider], TokenBundle]
) -> None:
    """Before anything is judged; what else it says reaches hooks."""
    server.replies = [say(SAID)]
    bundle = way(odd(server, module, slack))
    assert (bundle.access_token, bundle.extra) == ("x", {"ok": True})


def test_te_31_b7_a_services_own_words_for_a_dead_grant(server: Scripted, module: str) -> None:
    """Whatever its status; and for a device that waits."""
    server.replies = [say({"ok": False, "error": "token_revoked"})]
    with pytest.raises(NotLoggedIn) as failed:
        odd(server, module, slack).refresh(OLD)
    assert failed.value.code == "AUTH_REFRESH_EXPIRED"

    def fitbit(document: dict[str, Any]) -> Mapping[str, Any]:
        errors = document.get("errors")
        return {"error": errors[0]["errorType"]} if errors else document

    pending = say({"errors": [{"errorType": "authorization_pending"}]}, 400)
    server.replies = [pending, say({"access_token": "x"})]
    assert by_device(odd(server, module, fitbit)).access_token == "x"
    server.replies = [say({"errors": [{"errorType": "invalid_grant"}]}, 400)]
    with pytest.raises(NotLoggedIn):
        odd(server, module, fitbit).refresh(OLD)


def stumbling(document: dict[str, Any]) -> Mapping[str, Any]:
    """Fail as the functions of applications do, with the answer in the message."""
    raise KeyError(str(document))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("meaning", [stumbling, lambda _: None, lambda _: 5, lambda _: ["x"]])
@pytest.mark.parametrize("status", [200, 400])
def test_b4_what_cannot_be_made_sense_of_is_a_typed_error(
    server: Scripted,
    module: str,
    meaning: Any,
    way: Callable[[OAuthProvider], TokenBundle],
    status: int,
) -> None:
    """No traceback, and no secret in it; a device polls on only where nothing was granted."""
    server.replies = [say({"access_token": f"access-{CANARY}"}, status)]
    is_device = way is by_device
    if is_device and status != 200:
        server.replies.append(say({"error": "expired_token"}, 400))
        meaning = _once(meaning)
    with pytest.raises(AuthError) as failed:
        way(odd(server, module, meaning))
    error = failed.value
    is_login = is_device or way is exchange
    assert isinstance(error, LoginFailed if is_login else Unreachable)
    assert CANARY not in "".join([error.format_message(), *traceback.format_exception(error)])
    assert len(server.seen) == (1 + is_device if status == 200 else 1 + 2 * is_device)


def _once(meaning: Any) -> Any:
    pending = [meaning]
    return lambda document: pending.pop()(document) if pending else document


QUERY = "code=c&state=the-state"


def answered(query: str) -> AuthorizationResponse:
    """Return the response that a redirect carries."""
    return AuthorizationRequest("", URI, "the-state", "v").answered_by(f"{QUERY}&{query}")


def test_b9_what_a_redirect_brings_beyond_the_standard() -> None:
    """Inert, and in no `repr`; the standard parameters are not in it."""
    response = answered(
        "iss=https://id.example&realmId=9130&shop=a%1b%5b31m%0ab&scope=x+y&error_uri="
    )
    assert response.extra == {"realmId": "9130", "shop": "a [31m b", "scope": "x y"}
    assert "9130" not in repr(response)
    assert AuthorizationResponse("c", URI).extra == {}


@pytest.mark.parametrize(
    "query, kept",
    [
        ("&".join(f"p{number}=1" for number in range(40)), 20),
        ("long=" + "x" * 5000, 0),
        ("x" * 5000 + "=long", 0),
        ("long=" + "x" * 5000 + "&short=y", 1),
        ("=nameless", 1),
    ],
)
def test_b9_it_is_bounded(query: str, kept: int) -> None:
    """In number and in length; what is too long is left out, not cut into another value."""
    assert len(answered(query).extra) == kept


def test_b9_it_reaches_identify_and_hooks(tmp_path: Path) -> None:
    """QuickBooks names the company on the redirect only; what the token answer says wins."""
    seen: list[Mapping[str, Any]] = []

    class QuickBooks(OAuthProvider):
        """A server whose tokens are good for one company."""

        def identify(self, client: httpx.Client, bundle: TokenBundle) -> Mapping[str, Any]:
            """Return the company."""
            del client
            return {"id": bundle.extra["realmId"]}

    with AuthorizationServer() as server:
        server.faults.callback = {"realmId": "9130", "team": "of the redirect"}
        server.faults.overlay["token"] = {"team": "of the answer"}
        made = QuickBooks(client_id="todo-cli", issuer=server.issuer, api_url=server.api_url)
        auth = Auth("todo", made, storage="plaintext", folder=tmp_path)

        def look(context: LoginContext) -> None:
            assert context.bundle is not None
            seen.append(context.bundle.extra)

        with auth.override(browser=FakeBrowser()):
            group = auth.group()
            del group.commands["login"]
            from click_auth import attach_login
            from runner import CliRunner

            attach_login(auth, on_login=look)(group)
            result = CliRunner().invoke(group, ["login"])
        assert result.exit_code == 0, result.output
        assert "9130" in result.stderr
    assert seen[0]["realmId"] == "9130"
    assert seen[0]["team"] == "of the answer"
