"""A client that registers itself with the server (RFC 7591)."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from click_auth.errors import DCR_FAILED, LoginFailed
from click_auth.http.call import Call
from click_auth.oauth.endpoint import BASIC, NONE, Client, EndpointFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click_auth.oauth.facts import Facts

_KEPT = (
    *("client_id", "client_secret", "client_secret_expires_at", "token_endpoint_auth_method"),
    *("registration_access_token", "registration_client_uri"),
)
_MARGIN = 60.0  # seconds before its expiry in which a secret is not begun with


class Registration:
    """The client as which an application is registered with one server, kept between logins."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._kept = facts.context.registrations
        where = facts.issuer or facts.registration_endpoint
        self._name = " ".join((str(where), *facts.redirect_uris))

    def load(self) -> Client | None:
        """Return the registered client, None where there is none, or none any longer."""
        known = self._kept.load(self._name)
        return None if known is None else _client_of(known)

    def forget(self) -> None:
        """Forget a client that the server no longer knows."""
        self._kept.forget(self._name)

    def register(
        self, send: Callable[[Callable[[str], Call]], dict[str, Any]], *, by_device: bool
    ) -> Client:
        """Return the client that is registered now, or that another login has. Blocks.

        *send* returns what the server says to the call that is made for its URL. Raises
        `LoginFailed`.
        """
        body = json.dumps(self._metadata(by_device=by_device)).encode()
        try:
            said = send(lambda url: Call(url, body, {"Content-Type": "application/json"}))
        except EndpointFailed as error:
            raise error.as_login_error(DCR_FAILED) from None
        client = _client_of(said)
        if client is None:
            message = f"{self._facts.display_name} returned an unusable client registration."
            raise LoginFailed(message, code=DCR_FAILED)
        ours = {name: said[name] for name in _KEPT if said.get(name) is not None}
        first = _client_of(self._kept.insert(self._name, ours))  # another login's, at times
        if first is None:
            self._kept.save(self._name, ours)
        return first or client

    def _metadata(self, *, by_device: bool) -> Mapping[str, Any]:
        facts = self._facts
        grant_types = ["authorization_code", "refresh_token"]
        if by_device:
            grant_types.append("urn:ietf:params:oauth:grant-type:device_code")
        metadata: dict[str, Any] = {
            "redirect_uris": list(facts.redirect_uris),
            "grant_types": grant_types,
            "response_types": ["code"],
            "application_type": "native",
            "token_endpoint_auth_method": facts.token_endpoint_auth_method or NONE,
        }
        if facts.scopes:
            metadata["scope"] = " ".join(facts.scopes)
        return {**metadata, **facts.client_metadata}


def _client_of(registration: Mapping[str, Any]) -> Client | None:
    """Return the client of *registration*, or None where it is none, or none any longer."""
    client_id, secret = registration.get("client_id"), registration.get("client_secret")
    expires = registration.get("client_secret_expires_at") or 0
    if not isinstance(client_id, str) or not client_id:
        return None
    if secret is None:
        return Client(client_id)
    is_moment = isinstance(expires, (int, float)) and not isinstance(expires, bool)
    if not (isinstance(secret, str) and secret and is_moment):
        return None
    if expires and expires <= time.time() + _MARGIN:
        return None
    method = registration.get("token_endpoint_auth_method")
    if method == NONE:
        return Client(client_id)
    return Client(client_id, secret, method if isinstance(method, str) else BASIC)
