"""What presets are made of: a provider of a service, and where services leave the standard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.defaults import REVOCATION_SECONDS
from click_auth.errors import Refused
from click_auth.interrupts import TimedOut, call_with_timeout
from click_auth.oauth.provider import OAuthProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx

    from click_auth.record import TokenBundle

    Secret = str | Callable[[], str] | None
    Scopes = Sequence[str] | None

#: The ports of the redirect URIs to register where a service compares them whole.
PORTS = (8484, 8485, 8486)

LOCALHOST = tuple(f"http://localhost:{port}/callback" for port in PORTS)
LOOPBACK = tuple(f"http://127.0.0.1:{port}/callback" for port in PORTS)

_GONE = 404
_DEAD_AT_SLACK = ("token_revoked", "token_expired", "invalid_refresh_token", "invalid_auth")


class Service(OAuthProvider):
    """A provider made of a preset's *facts* and what the application has *given*.

    That is the client id and secret, the scopes or None, and arguments of `OAuthProvider`, which
    win over the facts. *api_headers* are what the API wants on every request. *end_token* ends a
    token where the service does not do so as RFC 7009 says: it is called with this provider, a
    client whose base URL is the API's, and the token, and returns whether that is good no more.
    """

    def __init__(
        self,
        given: tuple[str, Secret, Scopes, Mapping[str, Any]],
        *,
        api_headers: Mapping[str, str] | None = None,
        end_token: Callable[[OAuthProvider, httpx.Client, str], bool] | None = None,
        **facts: Any,
    ) -> None:
        client_id, client_secret, scopes, changes = given
        said = {} if scopes is None else {"scopes": tuple(scopes)}
        client = {"client_id": client_id, "client_secret": client_secret}
        super().__init__(**{**facts, **client, **said, **changes})
        self._api_headers = api_headers or {}
        self._end_token = end_token

    def apply(self, request: httpx.Request, bundle: TokenBundle) -> None:
        """Put the credential on *request*, and the API's headers that it does not have."""
        super().apply(request, bundle)
        for name, value in self._api_headers.items():
            request.headers.setdefault(name, value)

    def identify(self, client: httpx.Client, bundle: TokenBundle) -> Mapping[str, Any]:
        """Return who logged in. Raises `ValueError` where the response has another shape."""
        try:
            return super().identify(client, bundle)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError("the response has another shape") from error

    def revoke(self, bundle: TokenBundle) -> bool | None:
        """Return whether the token is gone, after at most 10 seconds."""
        end, token = self._end_token, bundle.access_token
        if end is None:
            return super().revoke(bundle)
        try:
            with self.http.client(base_url=self.api_url) as api:
                return call_with_timeout(lambda: end(self, api, token), REVOCATION_SECONDS)
        except (self.http.module.HTTPError, TimedOut, ValueError):  # which is for no JSON
            return False


def who(
    path: str, id_field: str, label_field: str, method: str = "GET"
) -> Callable[[httpx.Client], Mapping[str, Any]]:
    """Return an `identify=` that reads two fields of what the API says at *path*."""

    def identify(api: httpx.Client) -> dict[str, Any]:
        person = api.request(method, path).raise_for_status().json()
        return {"id": person[id_field], "label": person.get(label_field)}

    return identify


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
