"""What happens to a grant after the login: it is renewed, or ended. And the client's own grant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.errors import REFRESH_EXPIRED, REFRESH_UNAVAILABLE, NotLoggedIn
from click_auth.oauth.endpoint import SUCCESS, EndpointFailed, ask, error_code
from click_auth.oauth.server import Server
from click_auth.tokens import Hidden

if TYPE_CHECKING:
    from click_auth.oauth.client import Client
    from click_auth.oauth.provider import OAuthProvider
    from click_auth.tokens import TokenBundle

REVOCATION_SECONDS = 10.0
_FOR_PEOPLE = ("openid", "offline_access")
_REFUSALS = ("invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type")


def refresh(provider: OAuthProvider, bundle: TokenBundle) -> TokenBundle:
    """Return what one POST yields for the refresh token of *bundle* (RFC 6749 section 6).

    The new bundle has no refresh token where the server did not rotate it. Raises `NotLoggedIn`
    where the grant is dead, `AnswerLost` where the server may have rotated and no status came,
    `Unreachable` for all else.
    """
    if bundle.refresh_token is None:
        message = "There is no refresh token, so the login cannot be renewed."
        raise NotLoggedIn(message, code=REFRESH_UNAVAILABLE, hints=["Log in again."])
    server = Server(provider)
    form = Hidden({"grant_type": "refresh_token", "refresh_token": bundle.refresh_token})
    try:
        client = server.known_client()
        if client is None:
            raise _client_is_gone(server)
        return server.tokens(form, client, renews=bundle)
    except EndpointFailed as error:
        if error.rejects_client and provider.client_id is None:
            raise _client_is_gone(server) from None
        raise error.as_refresh_error() from None


def _client_is_gone(server: Server) -> NotLoggedIn:
    """Return the error for a registered client that is no more, and its grants with it."""
    server.forget_client()
    message = f"{server.provider.display_name} no longer knows this application's client."
    return NotLoggedIn(message, code=REFRESH_EXPIRED, hints=["Log in again."])


def revoke(provider: OAuthProvider, bundle: TokenBundle) -> bool | None:
    """Revoke both tokens of *bundle* (RFC 7009), the one that can make new ones first."""
    server = Server(provider, REVOCATION_SECONDS)
    try:
        if server.offered("revocation_endpoint") is None:
            return None
        client = server.known_client()
    except EndpointFailed:
        return False
    if client is None:
        return False
    hints = [hint for hint in ("refresh_token", "access_token") if getattr(bundle, hint)]
    gone = [_is_gone(server, client, hint, bundle) for hint in hints]
    return all(gone)


def _is_gone(server: Server, client: Client, hint: str, bundle: TokenBundle) -> bool:
    form = Hidden({"token": getattr(bundle, hint), "token_type_hint": hint})

    def revoked(url: str) -> bool:
        answer = ask(server.context.http, client.call(url, form), server.timeout)
        # Some call it an error that the token is invalid already; section 2.2 does not.
        if answer.status in SUCCESS or error_code(answer) == "invalid_token":
            return True
        raise EndpointFailed("it was not revoked", status=answer.status)

    try:
        return server.at("revocation_endpoint", revoked)
    except EndpointFailed:
        return False


def client_credentials(provider: OAuthProvider, given: Client) -> TokenBundle:
    """Return a token for the client itself. Raises `NotLoggedIn` or `Unreachable`."""
    server = Server(provider)
    scopes = tuple(scope for scope in provider.scopes if scope not in _FOR_PEOPLE)
    form = {"grant_type": "client_credentials"}
    if scopes:
        form["scope"] = provider.scope_separator.join(scopes)
    try:
        client = server.with_method(given)
        return server.tokens(form, client, scopes)
    except EndpointFailed as error:
        if error.error in _REFUSALS:
            message = f"The client credentials were refused: {error.reason}."
            raise NotLoggedIn(message, hints=["Check the client's id and secret."]) from None
        raise error.as_refresh_error("check the client's id and secret") from None
