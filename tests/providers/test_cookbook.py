"""Each provider of docs/providers.md, walked through a login against answers of the real shape."""

from __future__ import annotations

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

from click_auth.http.client import Http
from click_auth.oauth.provider import OAuthProvider
from click_auth.providers.authorization import AuthorizationResponse
from click_auth.providers.context import ProviderContext
from click_auth.providers.request import LoginRequest

COOKBOOK = Path(__file__).parents[2] / "docs" / "providers.md"
RECORDED = Path(__file__).parent / "recorded"
KEY = RSAKey.generate_key(2048, {"kid": "test"})
PLACEHOLDER = "SIGNED BY THE TEST"


def recipes() -> dict[str, str]:
    """Return the block of each section, by the section's anchor."""
    text = COOKBOOK.read_text(encoding="utf-8")
    found = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    blocks = ((title, re.search(r"```python\n(.*?)```", body, re.DOTALL)) for title, body in found)
    return {title.lower().replace(" ", "-"): block[1] for title, block in blocks if block}


class Recorded:
    """A server that answers as the real one does, and what it was asked."""

    def __init__(self, name: str) -> None:
        path = RECORDED / f"{name}.json"
        self.facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.asked: list[str] = []
        self.nonce: str | None = None
        self.client_id: str | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; what was not recorded is not there."""
        asked = f"{request.method} {str(request.url).partition('?')[0]}"
        self.asked.append(asked)
        answer = self.facts["answers"].get(asked)
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


def cooked(name: str, server: Recorded) -> OAuthProvider:
    """Return the provider of a recipe, which talks to *server*."""
    names: dict[str, Any] = {}
    exec(compile(recipes()[name], f"{COOKBOOK.name}#{name}", "exec"), names)
    made = names["provider"]
    assert isinstance(made, OAuthProvider)
    http = Http(options={"transport": httpx.MockTransport(server)})
    return made.bound(ProviderContext(http))


def test_every_recipe_is_tested() -> None:
    """What was recorded is what is written about."""
    assert set(recipes()) == {path.stem for path in RECORDED.glob("*.json")}


@pytest.mark.parametrize("name", sorted(recipes()))
def test_a_recipe_logs_in_and_out(name: str) -> None:
    """From the first request to the last, with the provider's own quirks."""
    server = Recorded(name)
    facts, made = server.facts, cooked(name, server)
    server.client_id = made.client_id

    request = made.authorize(LoginRequest(redirect_uri=facts["redirect_uri"]))
    fields = {key: values[0] for key, values in parse_qs(urlsplit(request.url).query).items()}
    server.nonce = fields.get("nonce")
    expected = dict(facts["authorize"])
    assert request.url.partition("?")[0] == expected.pop("endpoint")
    assert expected.items() <= fields.items()

    bundle = made.exchange(request, AuthorizationResponse("the-code", facts["redirect_uri"]))
    assert list(bundle.scopes or ()) == facts["scopes"]
    assert (bundle.refresh_token is not None) is facts["refreshes"]
    with made.http.client(base_url=made.api_url) as api:
        assert made.identify(api, bundle) == facts["who"]
    if facts["refreshes"]:
        assert made.refresh(bundle).access_token == bundle.access_token
    assert made.revoke(bundle) is facts["revoked"]
    assert ("--device" in made.options) is facts["device"]


@pytest.mark.parametrize("name", sorted(recipes()))
def test_a_recipe_listens_where_it_is_registered(name: str) -> None:
    """The redirect URI that was recorded is one that the recipe allows."""
    server = Recorded(name)
    registered = cooked(name, server).redirect_uris
    recorded = urlsplit(server.facts["redirect_uri"])
    portless = recorded._replace(netloc=recorded.hostname or "").geturl()
    assert server.facts["redirect_uri"] in registered or registered == (portless,)
