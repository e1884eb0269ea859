"""The login through a browser: the authorization code grant, and tokens that are brought along."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, urlencode

from click_auth.console import console
from click_auth.errors import LoginFailed
from click_auth.http.urls import Url
from click_auth.oauth.endpoint import Client, EndpointFailed, granted
from click_auth.oauth.facts import OURS
from click_auth.oauth.token_endpoint import request_tokens, usable_token
from click_auth.oauth.userinfo import checked_claims
from click_auth.providers.authorization import (
    AuthorizationRequest,
    code_challenge,
    random_text,
)
from click_auth.providers.request import LoginRequest, LoginUI, accept_token
from click_auth.record import Hidden, TokenBundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click_auth.oauth.server import Server
    from click_auth.providers.authorization import AuthorizationResponse

    Way = Literal["device", "redirect", "both"]


def login(
    server: Server,
    request: LoginRequest,
    ui: LoginUI,
    authorize: Callable[[LoginRequest], AuthorizationRequest],
    exchange: Callable[[AuthorizationRequest, AuthorizationResponse], TokenBundle],
) -> TokenBundle:
    """Return the tokens of a new grant. Blocks. Raises `LoginFailed`."""
    if request.token is not None:
        return accept_token(request.token)
    started: dict[str, AuthorizationRequest] = {}

    def start(redirect_uri: str) -> AuthorizationRequest:
        started[redirect_uri] = authorize(dataclasses.replace(request, redirect_uri=redirect_uri))
        return started[redirect_uri]

    try:
        uris, port, timeout = server.facts.redirect_uris, request.callback_port, request.timeout
        response = ui.wait_for_redirect(start, uris, callback_port=port, timeout=timeout)
    except (KeyboardInterrupt, LoginFailed):
        server.forget_metadata()  # the page may have moved, which nobody else can see
        raise
    return exchange(started[response.redirect_uri], response)


def choose_way(server: Server, request: LoginRequest, ui: LoginUI) -> Way:
    """Return how the person logs in: as they wish, by what the server has, and is at hand.

    "both" is where no browser opens here: whichever is answered first. Raises `LoginFailed`.
    """
    if request.token is not None:
        return "redirect"
    way: Way = "device" if request.device else "redirect"
    why, opens = "asked for", request.browser and ui.has_browser
    if request.device is None and not request.needs_browser:
        way = _choose_way(server, ui, opens=opens)
        why = "a browser opens" if opens else "no browser opens"
    console.log("login by %s: %s", way, why)
    return way


def _choose_way(server: Server, ui: LoginUI, *, opens: bool) -> Way:
    facts = server.facts
    if opens and facts.authorization_endpoint is not None:
        return "redirect"
    try:
        if server.usable("device_authorization_endpoint") is None:
            return "redirect"
        is_alone = not (opens or ui.has_terminal)
        if not is_alone and server.offered("authorization_endpoint") is None:
            return "device"
    except EndpointFailed:
        if facts.device_authorization_endpoint is None:
            raise
        return "device"  # it is all that is known
    return "redirect" if opens else "both"


def authorize(server: Server, request: LoginRequest) -> AuthorizationRequest:
    """Return a new authorization request (RFC 6749 section 4.1.1, RFC 7636, RFC 9700)."""
    if request.redirect_uri is None:
        raise ValueError("authorize() needs a request with a redirect_uri")
    scopes = server.requested_scopes(request)
    nonce = random_text() if "openid" in scopes else None
    uri, issuer = request.redirect_uri, server.facts.issuer
    begun = AuthorizationRequest("", uri, random_text(), random_text(), nonce, scopes, issuer)
    parameters = Hidden(_parameters(server, request, begun))
    server.offered("token_endpoint")  # no good: better known before anybody is sent anywhere
    url = _url(server.endpoint("authorization_endpoint"), _pushed(server, parameters))
    is_promised = server.promises("authorization_response_iss_parameter_supported")
    return dataclasses.replace(begun, url=url, iss_required=is_promised)


def _parameters(
    server: Server, request: LoginRequest, begun: AuthorizationRequest
) -> dict[str, str]:
    facts = server.facts
    return {
        **({} if request.user is None else {"login_hint": request.user}),
        **facts.authorize_params,
        **({} if request.acr_values is None else {"acr_values": request.acr_values}),
        **({} if request.max_age is None else {"max_age": str(request.max_age)}),
        **server.request_fields(begun.scopes),
        "response_type": "code",
        "client_id": server.client().client_id,
        "redirect_uri": begun.redirect_uri,
        "state": begun.state,
        "code_challenge": code_challenge(begun.code_verifier),
        "code_challenge_method": "S256",
        **({} if begun.nonce is None else {"nonce": begun.nonce}),
        **({} if server.prover is None else {"dpop_jkt": server.prover().thumbprint}),
    }


def _pushed(server: Server, parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Return *parameters*, or what stands for them where they have to be pushed (RFC 9126)."""
    name = "require_pushed_authorization_requests"
    if not (server.facts.client_metadata.get(name) or server.promises(name)):
        return parameters

    def push(client: Client) -> dict[str, str]:
        form = Hidden({**parameters, "client_id": client.client_id})
        pushed = granted(server.post("pushed_authorization_request_endpoint", client, form))
        request_uri = usable_token(pushed.get("request_uri"), "request_uri")
        return {"client_id": client.client_id, "request_uri": request_uri}

    return server.as_client(push)


def _url(endpoint: str, parameters: Mapping[str, str]) -> str:
    """Return *endpoint*, its own query kept (section 3.1), with *parameters*."""
    query = Url(endpoint).query
    if OURS.intersection(name for name, _ in parse_qsl(query or "", keep_blank_values=True)):
        raise EndpointFailed("the authorization endpoint's query sets reserved parameters")
    joint = "?" if query is None else "&" if query else ""
    return f"{endpoint}{joint}{urlencode(parameters)}"


def exchange(
    server: Server, request: AuthorizationRequest, response: AuthorizationResponse
) -> TokenBundle:
    """Return the tokens for a code (RFC 6749 section 4.1.3); one attempt, a code lives once."""
    form = Hidden(
        {
            "grant_type": "authorization_code",
            "code": response.code,
            "redirect_uri": response.redirect_uri,
            "code_verifier": request.code_verifier,
        }
    )
    try:
        bundle = request_tokens(server, server.client(), form, request.scopes)
        if request.nonce is not None and bundle.id_token is not None:
            checked_claims(server, bundle.id_token, request.nonce)
    except EndpointFailed as error:
        server.drop_client(error)
        raise
    return dataclasses.replace(bundle, extra={**response.extra, **bundle.extra})
