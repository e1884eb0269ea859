"""A client program without any library, which says on the wire what a test wants."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx

from click_auth.testing import AuthorizationServer

VERIFIER = "v" * 50
REDIRECT = "http://127.0.0.1:4321/callback"


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def query_of(response: httpx.Response) -> dict[str, str]:
    """Return the parameters with which a response sends the browser back."""
    found = parse_qs(urlsplit(response.headers["location"]).query, keep_blank_values=True)
    return {name: values[0] for name, values in found.items()}


@dataclass
class Visitor:
    """A client program without any library: it says on the wire what a test wants."""

    server: AuthorizationServer
    http: httpx.Client

    def authorize(self, **changes: str | None) -> httpx.Response:
        """Ask for a code; a change to None leaves a parameter out."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "todo-cli",
            "redirect_uri": REDIRECT,
            "scope": "tasks:read offline_access",
            "state": "the-state",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        asked |= changes
        params = {name: value for name, value in asked.items() if value is not None}
        return self.http.get(f"{self.server.issuer}/authorize", params=params)

    def post(self, endpoint: str, **form: str | None) -> httpx.Response:
        """Post a form as the public client."""
        sent = {"client_id": "todo-cli", **form}
        filled = {name: value for name, value in sent.items() if value is not None}
        return self.http.post(f"{self.server.issuer}/{endpoint}", data=filled)

    def exchange(self, code: str, /, **changes: str | None) -> httpx.Response:
        """Exchange a code."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }
        return self.post("token", **(form | changes))

    def refresh(self, refresh_token: str, /, **changes: str | None) -> httpx.Response:
        """Exchange a refresh token."""
        form: dict[str, str | None] = {"grant_type": "refresh_token"}
        return self.post("token", **(form | {"refresh_token": refresh_token} | changes))

    def log_in(self, **changes: str | None) -> dict[str, str]:
        """Go through a whole login and return the tokens."""
        answer = self.exchange(query_of(self.authorize(**changes))["code"])
        assert answer.status_code == 200, answer.text
        tokens: dict[str, str] = answer.json()
        return tokens

    def api(self, path: str, token: str, method: str = "GET", **options: object) -> httpx.Response:
        """Call the to-do API."""
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.server.api_url}{path}"
        return self.http.request(method, url, headers=headers, **options)  # type: ignore[arg-type]
