"""The client that the application is to a server: given to it, or registered (RFC 7591)."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote_plus, urlencode

from click_auth.errors import DCR_FAILED, LoginFailed
from click_auth.http.call import Call
from click_auth.oauth.endpoint import EndpointFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click_auth.oauth.server import Granted, Server

T = TypeVar("T")

NONE = "none"
BASIC = "client_secret_basic"
POST = "client_secret_post"
_SECRETS = ("client_secret", "code", "code_verifier", "device_code", "refresh_token", "token")
_KEPT = (
    *("client_id", "client_secret", "client_secret_expires_at", "token_endpoint_auth_method"),
    *("registration_access_token", "registration_client_uri"),
)
_MARGIN = 60.0  # seconds before its expiry in which a secret is not begun with


@dataclass(frozen=True)
class Client:
    """A client as the server knows it, and the method by which it authenticates."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    method: str = NONE

    def authenticated(self, form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return *form* and the headers of a request, with this client's authentication.

        RFC 6749 section 2.3.
        """
        if self.secret is None or self.method == NONE:
            return {**form, "client_id": self.client_id}, {}
        if self.method == POST:
            return {**form, "client_id": self.client_id, "client_secret": self.secret}, {}
        pair = [self.client_id, self.secret]
        if self.method == BASIC:  # form-encoded first: section 2.3.1, appendix B
            pair = [quote_plus(each) for each in pair]
        credentials = base64.b64encode(":".join(pair).encode()).decode("ascii")
        return dict(form), {"Authorization": f"Basic {credentials}"}

    def call(self, url: str, form: Mapping[str, str], proof: Mapping[str, str]) -> Call:
        """Return the POST of *form* to *url* as this client, with the header *proof*.

        What it returns shows nothing; a traceback of who sends it does not pass through here.
        """
        fields, headers = self.authenticated(form)
        secrets = [value for name, value in fields.items() if name in _SECRETS]
        secrets += [self.secret or "", headers.get("Authorization", "").partition(" ")[2]]
        headers |= {**proof, "Content-Type": "application/x-www-form-urlencoded"}
        return Call(url, urlencode(fields).encode("ascii"), headers, tuple(secrets))

    def post(self, server: Server, endpoint: str, form: Mapping[str, str]) -> Granted:
        """Return what an *endpoint* grants this client for *form*. Raises `EndpointFailed`."""
        # Only what the token endpoint is asked has a grant type.
        meaning = server.facts.token_response if "grant_type" in form else None
        return server.fetch(endpoint, lambda url: self.call(url, form, server.proof(url)), meaning)


def method_for(secret: str | None, configured: str | None, supported: object) -> str:
    """Return the method for a client with this *secret* (None: a public client).

    *configured* wins; else what the server says it supports, RFC 8414's default where it does
    not say. Raises `EndpointFailed` when none of that can be done.
    """
    if secret is None:
        return NONE
    if configured not in (None, NONE):
        return configured
    offered = supported if supported and isinstance(supported, list) else [BASIC]
    for method in (BASIC, POST):
        if method in offered:
            return method
    raise EndpointFailed("the server supports none of this client's authentication methods")


def with_method(server: Server, client: Client) -> Client:
    """Return *client* with the method by which the server lets it authenticate."""
    configured, supported = server.facts.token_endpoint_auth_method, None
    if client.secret is not None and configured is None:
        supported = server.metadata.get("token_endpoint_auth_methods_supported")
    return replace(client, method=method_for(client.secret, configured, supported))


def known_client(server: Server) -> Client | None:
    """Return the client that a grant may already have been given to; None: not registered."""
    if server.client_id is not None:
        return with_method(server, Client(server.client_id, server.facts.secret()))
    known = server.context.registrations.load(_name(server))
    return None if known is None else _usable(known)


def obtain_client(server: Server) -> Client:
    """Return the client, registered now if it has to be. Blocks. Raises `LoginFailed`."""
    return known_client(server) or _register(server)


def as_client(server: Server, use: Callable[[Client], T]) -> tuple[Client, T]:
    """Return the client and what *use* gets as it, registered anew where the server forgot it."""
    client = obtain_client(server)
    try:
        return client, use(client)
    except EndpointFailed as error:
        if not error.rejects_client or server.client_id is not None:
            raise
    forget_client(server)
    client = obtain_client(server)
    return client, use(client)


def forget_client(server: Server) -> None:
    """Forget a registered client that the server no longer knows; a fixed one stays."""
    if server.client_id is None:
        server.context.registrations.forget(_name(server))


def _name(server: Server) -> str:
    where = server.facts.issuer or server.facts.registration_endpoint
    return " ".join((str(where), *server.facts.redirect_uris))


def _register(server: Server) -> Client:
    body, kind = json.dumps(_metadata(server)).encode(), {"Content-Type": "application/json"}
    try:
        answer = server.fetch("registration_endpoint", lambda url: Call(url, body, kind)).document
    except EndpointFailed as error:
        raise error.as_login_error(DCR_FAILED) from None
    client = _usable(answer)
    if client is None:
        message = f"{server.facts.display_name} returned an unusable client registration."
        raise LoginFailed(message, code=DCR_FAILED)
    ours = {name: answer[name] for name in _KEPT if answer.get(name) is not None}
    registrations = server.context.registrations
    first = _usable(registrations.insert(_name(server), ours))  # another login's, at times
    if first is None:
        registrations.save(_name(server), ours)
    return first or client


def _metadata(server: Server) -> Mapping[str, Any]:
    facts = server.facts
    grant_types = ["authorization_code", "refresh_token"]
    if server.usable("device_authorization_endpoint") is not None:
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


def _usable(registration: Mapping[str, Any]) -> Client | None:
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
