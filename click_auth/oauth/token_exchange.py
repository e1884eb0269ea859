"""Token exchange (RFC 8693): the ID token of a CI job for an access token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.errors import NotLoggedIn
from click_auth.oauth.endpoint import EndpointFailed
from click_auth.oauth.token_endpoint import FOR_PEOPLE, request_tokens
from click_auth.record import Hidden, TokenBundle

if TYPE_CHECKING:
    from click_auth.oauth.server import Server

_HINT = "Check which jobs the server trusts and which audience it expects."


def exchange_id_token(server: Server, id_token: str) -> TokenBundle:
    """Return the tokens for the *id_token* of a job, in one POST. Blocks.

    Raises `NotLoggedIn` where the server does not take it, in its words, `Unreachable` for every
    other failure.
    """
    facts = server.facts
    scopes = tuple(scope for scope in facts.scopes if scope not in FOR_PEOPLE)
    form = Hidden(
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": id_token,
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            **server.request_fields(scopes),
        }
    )
    del id_token
    try:
        client = server.known_client()
        if client is None:
            message = "A client that registers itself can't exchange a job's ID token."
            raise NotLoggedIn(message, hints=["Set client_id= to a client the server trusts."])
        return request_tokens(server, client, form, scopes)
    except EndpointFailed as error:
        if error.error:
            message = f"This CI job's ID token was rejected: {error.reason}."
            raise NotLoggedIn(message, hints=[_HINT]) from None
        raise error.as_refresh_error("check which jobs the server trusts") from None
