"""Each preset, as its page shows it, walked through its life against answers of the real shape."""

from __future__ import annotations

import inspect
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from click_auth import (
    Auth,
    AuthorizationResponse,
    LoginFailed,
    LoginRequest,
    NotLoggedIn,
    OAuthProvider,
    TokenBundle,
    presets,
)
from click_auth.errors import REFRESH_EXPIRED, Refused
from click_auth.http.client import Http
from click_auth.providers import ProviderContext
from click_auth.testing import AuthorizationServer

PAGES = Path(__file__).parents[2] / "docs" / "services"
RECORDED = Path(__file__).parent / "recorded"
KEY = RSAKey.generate_key(2048, {"kid": "test"})
PLACEHOLDER = "SIGNED BY THE TEST"


def block_of(name: str) -> str:
    """Return the Python block on the page of a service."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None, name
    return found[1]


class Recorded:
    """A server that answers as the real one does, and what it was asked."""

    def __init__(self, name: str) -> None:
        path = RECORDED / f"{name}.json"
        self.facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.answers: dict[str, Any] = self.facts["answers"]
        self.asked: list[httpx.Request] = []
        self.nonce: str | None = None
        self.client_id: str | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; what was not recorded is not there."""
        asked = f"{request.method} {str(request.url).partition('?')[0]}"
        self.asked.append(request)
        answer = self.answers.get(asked)
        if answer is None:
            return httpx.Response(404, text="<html>not found</html>")
        content = answer.get("json", {})
        if content == PLACEHOLDER:
            content = {"keys": [KEY.as_dict(private=False)]}
        elif content.get("id_token") == PLACEHOLDER:
            content = {**content, "id_token": self._id_token()}
        return httpx.Response(answer["status"], json=content)

    def _id_token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.facts["issuer"],
            "sub": self.facts["subject"],
            "aud": self.client_id,
            "iat": now,
            "exp": now + 3600,
            "nonce": self.nonce,
        }
        return jwt.encode({"alg": "RS256", "kid": "test"}, claims, KEY)


def shown(name: str, server: Recorded) -> OAuthProvider:
    """Return the provider of a page, which talks to *server*."""
    names: dict[str, Any] = {}
    exec(compile(block_of(name), f"{name}.md", "exec"), names)
    made = names["provider"]
    assert isinstance(made, OAuthProvider)
    server.client_id = made.client_id
    http = Http(options={"transport": httpx.MockTransport(server)})
    return made.with_context(ProviderContext(http))


def log_in(made: OAuthProvider, server: Recorded) -> TokenBundle:
    """Return the tokens of a login; what the preset adds to the URL is what was recorded."""
    uri = server.facts["redirect_uri"]
    request = made.authorize(LoginRequest(redirect_uri=uri))
    fields = {key: values[0] for key, values in parse_qs(urlsplit(request.url).query).items()}
    server.nonce = fields.get("nonce")
    expected = dict(server.facts["authorize"])
    assert request.url.partition("?")[0] == expected.pop("endpoint")
    assert expected.items() <= fields.items()
    return made.exchange(request, AuthorizationResponse("the-code", uri))


NAMES = sorted(presets.__all__)
ASKED = [name for name in NAMES if shown(name, Recorded(name)).identify_with is not None]
REFRESHED = [name for name in NAMES if Recorded(name).facts["refreshes"]]


def test_every_preset_has_a_page_and_recorded_answers() -> None:
    """Nothing is offered that is not described and walked."""
    assert {path.stem for path in RECORDED.glob("*.json")} == set(NAMES)
    assert {path.stem for path in PAGES.glob("*.md")} - {"index"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_logs_in_and_out(name: str) -> None:
    """From the first request to the last, with the service's own quirks."""
    server = Recorded(name)
    facts, made = server.facts, shown(name, server)
    bundle = log_in(made, server)
    assert list(bundle.scopes or ()) == facts["scopes"]
    assert (bundle.refresh_token is not None) is facts["refreshes"]
    with made.http.client(base_url=made.api_url) as api:
        assert made.identify(api, bundle) == facts["who"]
    assert made.revoke(bundle) is facts["revoked"]
    assert ("--device" in made.options) is facts["device"]


@pytest.mark.parametrize("name", REFRESHED)
def test_a_preset_refreshes_until_the_service_says_no(name: str) -> None:
    """It brings new tokens; that the grant is dead, in whatever words, ends the session."""
    server = Recorded(name)
    made = shown(name, server)
    bundle = log_in(made, server)
    assert made.refresh(bundle).access_token == bundle.access_token
    server.answers = {**server.answers, **server.facts["dead"]}
    with pytest.raises(NotLoggedIn) as caught:
        made.refresh(bundle)
    assert caught.value.code == REFRESH_EXPIRED


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_listens_where_its_page_says_to_register(name: str) -> None:
    """The recorded redirect URI is one that the preset allows and the page names."""
    server = Recorded(name)
    registered = shown(name, server).redirect_uris
    recorded = urlsplit(server.facts["redirect_uri"])
    portless = recorded._replace(netloc=recorded.hostname or "").geturl()
    assert server.facts["redirect_uri"] in registered or registered == (portless,)
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert registered[0] in page or name == "google"  # whose desktop apps register none


@pytest.mark.parametrize("name", NAMES)
def test_what_the_application_says_wins(name: str) -> None:
    """Scopes, endpoints and everything else of `OAuthProvider` can be said otherwise."""
    make = getattr(presets, name)
    told = dict.fromkeys(("tenant", "domain", "realm"), "x.example")
    told["url"] = "https://x.example"
    needed = inspect.signature(make).parameters
    given = {each: value for each, value in told.items() if each in needed}
    endpoint = "https://elsewhere.example/token"
    made = make("mine", **given, token_endpoint=endpoint, http_timeout=5.0, api_url="https://a.b")
    assert (made.client_id, made.token_endpoint, made.http_timeout) == ("mine", endpoint, 5.0)
    assert made.api_url == "https://a.b"
    if name != "slack":  # its scopes travel under another name
        assert make("mine", **given, scopes=["one"]).scopes == ("one",)


@pytest.mark.parametrize(
    "name, header, value",
    [("twitch", "Client-Id", "0123456789abcdef"), ("notion", "Notion-Version", "2022-06-28")],
)
def test_an_api_gets_the_header_that_it_wants(name: str, header: str, value: str) -> None:
    """Beside the token, and not over one that the application has set."""
    made = shown(name, Recorded(name))
    plain, own = (
        httpx.Request("GET", "https://api.example", headers=h) for h in ({}, {header: "x"})
    )
    for request in (plain, own):
        made.apply(request, TokenBundle("token"))
    assert (plain.headers[header], own.headers[header]) == (value, "x")
    assert plain.headers["Authorization"] == "Bearer token"


@pytest.mark.parametrize(
    "message, error",
    [
        ("authorization_pending", "authorization_pending"),
        ("invalid device code", "expired_token"),
        ("Invalid refresh token", "invalid_grant"),
    ],
)
def test_twitch_says_errors_in_a_message(message: str, error: str) -> None:
    """A device login polls on, or ends, by the standard's words."""
    said = presets.twitch("x").token_response
    assert said is not None
    assert said({"status": 400, "message": message})["error"] == error
    assert "error" not in said({"access_token": "x", "message": message})


def test_a_tenant_that_is_no_id_needs_no_discovery() -> None:
    """The documents of `common` name an issuer that nobody could compare."""
    common, own = (
        presets.microsoft("x", tenant=each)
        for each in ("common", "0" * 8 + "-0000" * 3 + "-" + "0" * 12)
    )
    assert (common.issuer, own.token_endpoint) == (None, None)
    assert common.token_endpoint == "https://login.microsoftonline.com/common/oauth2/v2.0/token"


@pytest.mark.parametrize(
    "said, is_gone",
    [({"ok": True}, True), ({"ok": False, "error": "token_revoked"}, True), ({"ok": False}, False)],
)
def test_slack_says_no_with_status_200(said: dict[str, Any], is_gone: bool) -> None:
    """What matters is in the body: at a logout, and when it is asked whose token this is."""
    server = Recorded("slack")
    made = shown("slack", server)
    bundle = log_in(made, server)
    api_url, answer = "POST https://slack.com/api", {"status": 200, "json": said}
    server.answers = {f"{api_url}/auth.revoke": answer, f"{api_url}/auth.test": answer}
    assert made.revoke(bundle) is is_gone
    if "error" in said:
        with made.http.client(base_url=made.api_url) as api, pytest.raises(Refused):
            made.identify(api, bundle)


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("document", [{}, [], None, {"data": None, "errors": [{}]}, {"ok": True}])
def test_an_answer_of_another_shape_names_nobody(
    name: str, document: object, tmp_path: Path
) -> None:
    """GraphQL's errors come with status 200 and no data: the login fails in one line."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=document))
    auth = Auth("todo", shown(name, Recorded(name)), storage="plaintext", folder=tmp_path)
    with auth.override(http_options={"transport": transport}), pytest.raises(LoginFailed):
        auth.login(token="brought-along")
    assert list(auth.accounts()) == []


@pytest.mark.parametrize("content", ["<html>log in to the wifi</html>", "[]", "null"])
def test_a_revocation_that_is_answered_by_no_object_is_no_crash(content: str) -> None:
    """A portal's page comes with status 200, too; the token may still be valid."""
    answer = httpx.MockTransport(lambda _: httpx.Response(200, text=content))
    context = ProviderContext(Http(options={"transport": answer}))
    assert presets.slack("x").with_context(context).revoke(TokenBundle("token")) is False


def test_a_revocation_of_the_services_own_is_bounded_in_time() -> None:
    """A response that drips is no response (LO-01)."""
    began = time.monotonic()
    with AuthorizationServer() as server:
        server.faults.drip["unknown"] = 0.2
        made = presets.dropbox("x", api_url=server.url).with_context(ProviderContext(Http()))
        assert made.revoke(TokenBundle("token")) is False
    assert time.monotonic() - began < 15
