"""Where services leave the standard: what they return, how they revoke, who they say one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.errors import Refused

if TYPE_CHECKING:
    import httpx

    from click_auth.oauth.provider import OAuthProvider

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


def end_github_token(service: OAuthProvider, api: httpx.Client, token: str) -> bool:
    """Delete the token, as the app that it belongs to."""
    url, app = f"applications/{service.client_id}/token", _app(service)
    return _is_gone(api.request("DELETE", url, json={"access_token": token}, auth=app))


def end_todoist_token(service: OAuthProvider, api: httpx.Client, token: str) -> bool:
    """Revoke the token on a JSON request of the client."""
    body = {"token": token, "token_type_hint": "access_token"}
    return _is_gone(api.post("revoke", json=body, auth=_app(service)))


def end_dropbox_token(_: OAuthProvider, api: httpx.Client, token: str) -> bool:
    """Let the token revoke itself."""
    return _is_gone(api.post("auth/token/revoke", headers={"Authorization": f"Bearer {token}"}))


def end_slack_token(_: OAuthProvider, api: httpx.Client, token: str) -> bool:
    """Let the token revoke itself; Slack's errors too come with status 200."""
    answer = api.post("auth.revoke", headers={"Authorization": f"Bearer {token}"})
    said = answer.json() if answer.is_success else None
    return isinstance(said, dict) and (
        said.get("ok") is True or said.get("error") in _DEAD_AT_SLACK
    )


def _is_gone(answer: httpx.Response) -> bool:
    return answer.is_success or answer.status_code == _GONE


def _app(service: OAuthProvider) -> tuple[str, str]:
    return service.client_id or "", service.secret() or ""
