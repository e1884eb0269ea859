"""How a preset is made of what it knows and what the application says."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

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

    def revoke(self, bundle: TokenBundle) -> bool | None:
        """Return whether the token is gone, after at most 10 seconds."""
        if self._end_token is None:
            return super().revoke(bundle)
        try:
            with self.http.client(base_url=self.api_url) as api:
                end = partial(self._end_token, self, api, bundle.access_token)
                return call_with_timeout(end, 10.0)
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
