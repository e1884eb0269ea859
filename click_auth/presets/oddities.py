"""Where services leave the standard: what they return, how they revoke, who they say one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.errors import Refused
from click_auth.oauth.provider import OAuthProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from click_auth.record import TokenBundle

_GONE = 404
_DEAD_AT_SLACK = ("token_revoked", "token_expired", "invalid_refresh_token", "invalid_auth")


def identify_slack(api: httpx.Client) -> dict[str, Any]:
    """Return who the token is, in which workspace."""
    said = api.post("auth.test").raise_for_status().json()  # 200 for errors too
    if not said.get("ok"):
        raise Refused("Slack rejected this token.")
    return {"id": f"{said['team_id']}-{said['user_id']}", "label": f"{said['user']}@{said['team']}"}


def identify_twitch(api: httpx.Client) -> dict[str, Any]:
    """Return the one user that Twitch names."""
    (person,) = api.get("users").raise_for_status().json()["data"]
    return {"id": person["id"], "label": person["login"]}


def identify_linear(api: httpx.Client) -> dict[str, Any]:
    """Return the viewer, as GraphQL calls who asks."""
    query = {"query": "{ viewer { id email } }"}
    viewer = api.post("/graphql", json=query).raise_for_status().json()["data"]["viewer"]
    return {"id": viewer["id"], "label": viewer.get("email")}


def read_atlassian(document: dict[str, Any]) -> dict[str, Any]:
    """Tell a dead refresh token, which Atlassian calls an unauthorized client."""
    is_dead = "refresh_token is invalid" in str(document.get("error_description"))
    return {**document, "error": "invalid_grant"} if is_dead else document


def read_slack(document: dict[str, Any]) -> dict[str, Any]:
    """Take the person's token out of the app's response."""
    person = document.get("authed_user") or {}
    said = {**document, **person} if "access_token" in person else document
    return {**said, "error": "invalid_grant"} if said.get("error") in _DEAD_AT_SLACK else said


def read_twitch(document: dict[str, Any]) -> dict[str, Any]:
    """Make an error of "message", which is all that Twitch says at times."""
    message = str(document.get("message", "")).lower()
    if "access_token" in document or not message:
        return document
    known = {"invalid refresh token": "invalid_grant", "invalid device code": "expired_token"}
    return {**document, "error": known.get(message, message.replace(" ", "_"))}


def read_hubspot(document: dict[str, Any]) -> dict[str, Any]:
    """Tell a dead refresh token from "status"."""
    is_dead = document.get("status") == "BAD_REFRESH_TOKEN"
    return {**document, "error": "invalid_grant"} if is_dead else document


class WithHeaders(OAuthProvider):
    """A service whose API wants headers of its own on every request."""

    def __init__(self, *, api_headers: Mapping[str, str], **facts: Any) -> None:
        super().__init__(**facts)
        self.api_headers = api_headers

    def apply(self, request: httpx.Request, bundle: TokenBundle) -> None:
        """Put the credential on *request*, and the headers that it does not have."""
        super().apply(request, bundle)
        for name, value in self.api_headers.items():
            request.headers.setdefault(name, value)


class RevokedByRequest(OAuthProvider):
    """A service that ends a token on a request of its own making (no RFC 7009)."""

    #: Where a token is posted that revokes itself.
    revocation_path = ""

    def revoke(self, bundle: TokenBundle) -> bool | None:
        """Return whether the token is gone. Blocks; raises nothing that a server can cause."""
        with self.http.client(base_url=self.api_url, timeout=10) as api:
            try:
                answer = self.send_revocation(api, bundle.access_token)
            except self.http.module.HTTPError:
                return False
        return self.is_gone(answer)

    def send_revocation(self, api: httpx.Client, token: str) -> httpx.Response:
        """Send the request through *api*, whose base URL is the API's."""
        return api.post(self.revocation_path, headers={"Authorization": f"Bearer {token}"})

    def is_gone(self, answer: httpx.Response) -> bool:
        """Return whether *answer* says that the token is good no more."""
        return answer.is_success or answer.status_code == _GONE


class GitHubProvider(RevokedByRequest):
    """GitHub, whose tokens are deleted rather than revoked."""

    def send_revocation(self, api: httpx.Client, token: str) -> httpx.Response:
        """Delete the token, as the app that it belongs to."""
        url = f"applications/{self.client_id}/token"
        app = (self.client_id or "", self.secret() or "")
        return api.request("DELETE", url, json={"access_token": token}, auth=app)


class TodoistProvider(RevokedByRequest):
    """Todoist, which revokes on a JSON request of the client."""

    def send_revocation(self, api: httpx.Client, token: str) -> httpx.Response:
        """Revoke the token, in JSON."""
        body = {"token": token, "token_type_hint": "access_token"}
        return api.post("revoke", json=body, auth=(self.client_id or "", self.secret() or ""))


class DropboxProvider(RevokedByRequest):
    """Dropbox, where a token revokes itself."""

    revocation_path = "auth/token/revoke"


class SlackProvider(RevokedByRequest):
    """Slack, where a token revokes itself."""

    revocation_path = "auth.revoke"

    def is_gone(self, answer: httpx.Response) -> bool:
        """Return whether Slack says so: its errors too come with status 200."""
        said = answer.json() if answer.is_success else {}
        return bool(said.get("ok")) or said.get("error") in _DEAD_AT_SLACK
