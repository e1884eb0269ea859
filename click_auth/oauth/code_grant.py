"""The login of an `OAuthProvider`: a token brought along, a device, or the browser."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from click_auth.errors import OAUTH_FAILED, LoginFailed
from click_auth.http.urls import split
from click_auth.oauth.endpoint import EndpointFailed
from click_auth.oauth.facts import OURS
from click_auth.oauth.server import Server
from click_auth.oauth.token_response import usable_token
from click_auth.providers.authorization import (
    AuthorizationRequest,
    code_challenge,
    code_verifier,
    random_state,
)
from click_auth.tokens import Hidden, TokenBundle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.oauth.provider import OAuthProvider
    from click_auth.providers.authorization import AuthorizationResponse
    from click_auth.providers.request import LoginRequest, LoginUI


def login(provider: OAuthProvider, request: LoginRequest, ui: LoginUI) -> TokenBundle:
    """Return the tokens of a new grant. Blocks. Raises `LoginFailed`."""
    if request.token is not None:
        return brought_along(request.token)
    if _by_device(provider, request, ui):
        from click_auth.oauth.device import login as device_login  # noqa: PLC0415

        return device_login(provider, request, ui)
    started: dict[str, AuthorizationRequest] = {}

    def start(redirect_uri: str) -> AuthorizationRequest:
        bound = dataclasses.replace(request, redirect_uri=redirect_uri)
        started[redirect_uri] = provider.authorize(bound)
        return started[redirect_uri]

    try:
        response = ui.wait_for_redirect(
            start,
            provider.redirect_uris,
            callback_port=request.callback_port,
            timeout=request.timeout,
        )
    except (KeyboardInterrupt, LoginFailed):
        Server(provider).forget_metadata()  # the page may have moved, which nobody else can see
        raise
    return provider.exchange(started[response.redirect_uri], response)


def brought_along(token: str) -> TokenBundle:
    """Return the bundle of a token that the person has. Raises `LoginFailed`."""
    with contextlib.suppress(EndpointFailed):
        return TokenBundle(usable_token(token.strip(), "access token"))
    del token
    raise LoginFailed("That is not a token: it is empty or has odd characters.")


def _by_device(provider: OAuthProvider, request: LoginRequest, ui: LoginUI) -> bool:
    """Return whether the person wants it, the server has no other way, or nobody is here."""
    if request.device:
        return True
    server = Server(provider)
    is_alone = not ((request.browser and ui.has_browser) or ui.has_terminal)
    if provider.authorization_endpoint is not None and not is_alone:
        return False
    try:
        if server.usable("device_authorization_endpoint") is None:
            return False
        return is_alone or server.offered("authorization_endpoint") is None
    except EndpointFailed as error:
        if provider.device_authorization_endpoint is not None:  # it is all that is known
            return True
        raise error.as_login_error(OAUTH_FAILED) from None


def authorize(provider: OAuthProvider, request: LoginRequest) -> AuthorizationRequest:
    """Return a new authorization request (RFC 6749 section 4.1.1, RFC 7636, RFC 9700)."""
    if request.redirect_uri is None:
        raise ValueError("authorize() needs a request with a redirect_uri")
    server = Server(provider)
    scopes = provider.requested_scopes(request)
    nonce = random_state() if "openid" in scopes else None
    uri, issuer = request.redirect_uri, provider.issuer
    begun = AuthorizationRequest(
        "", uri, random_state(), code_verifier(), nonce, scopes, issuer=issuer
    )
    try:
        parameters = Hidden(_parameters(server, request, begun))
        server.offered("token_endpoint")  # no good: better known before anybody is sent anywhere
        url = _url(server.endpoint("authorization_endpoint"), _pushed(server, parameters))
        return dataclasses.replace(begun, url=url, iss_required=server.metadata.names_itself)
    except EndpointFailed as error:
        raise error.as_login_error(OAUTH_FAILED) from None


def _parameters(
    server: Server, request: LoginRequest, begun: AuthorizationRequest
) -> dict[str, str]:
    provider = server.provider
    optional = {
        "scope": provider.scope_separator.join(begun.scopes) or None,
        "nonce": begun.nonce,
        "resource": provider.resource,
        "dpop_jkt": provider.prover().thumbprint if provider.binds_tokens else None,
    }
    return {
        **({} if request.user is None else {"login_hint": request.user}),
        **provider.authorize_params,
        "response_type": "code",
        "client_id": server.client.client_id,
        "redirect_uri": begun.redirect_uri,
        "state": begun.state,
        "code_challenge": code_challenge(begun.code_verifier),
        "code_challenge_method": "S256",
        **{name: value for name, value in optional.items() if value is not None},
    }


def _pushed(server: Server, parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Return *parameters*, or what stands for them where they have to be pushed first."""
    wanted = server.provider.client_metadata.get("require_pushed_authorization_requests")
    if not (wanted or server.metadata.wants_pushed_requests):
        return parameters
    from click_auth.oauth.par import push  # noqa: PLC0415 - rare

    return push(server, parameters)


def _url(endpoint: str, parameters: Mapping[str, str]) -> str:
    """Return *endpoint*, its own query kept (section 3.1), with *parameters*."""
    query = split(endpoint).query
    if OURS.intersection(name for name, _ in parse_qsl(query or "", keep_blank_values=True)):
        raise EndpointFailed("the authorization endpoint's own query says what is not its to say")
    joint = "?" if query is None else "&" if query else ""
    return f"{endpoint}{joint}{urlencode(parameters)}"


def exchange(
    provider: OAuthProvider, request: AuthorizationRequest, response: AuthorizationResponse
) -> TokenBundle:
    """Return the tokens for a code (RFC 6749 section 4.1.3); one attempt, a code lives once."""
    server = Server(provider)
    form = Hidden(
        {
            "grant_type": "authorization_code",
            "code": response.code,
            "redirect_uri": response.redirect_uri,
            "code_verifier": request.code_verifier,
        }
    )
    try:
        bundle = server.tokens(form, server.client, request.scopes)
        _check_id_token(server, bundle, request.nonce)
    except EndpointFailed as error:
        if error.rejects_client:
            server.forget_client()
        raise error.as_login_error() from None
    return dataclasses.replace(bundle, extra={**response.extra, **bundle.extra})


def _check_id_token(server: Server, bundle: TokenBundle, nonce: str | None) -> None:
    """Check the ID token that was asked for; without joserfc it names nobody, and is ignored."""
    if nonce is None or bundle.id_token is None:
        return
    from click_auth.oauth import id_token  # noqa: PLC0415 - only where it was asked for

    if id_token.can_be_checked(server):
        id_token.validated(server, bundle.id_token, nonce=nonce)
