"""Who logged in, according to the application, the server's userinfo, or the ID token."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from click_auth.errors import OAUTH_FAILED, AuthError, LoginFailed
from click_auth.http import Call
from click_auth.providers.base import DEFAULT_ID
from click_auth.providers.endpoint import EndpointFailed, ask, granted
from click_auth.providers.server import Server
from click_auth.text import inert
from click_auth.urls import host_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from click_auth.providers.oauth import OAuthProvider
    from click_auth.tokens import TokenBundle

_LABELS = ("preferred_username", "email", "name")


def identify(
    provider: OAuthProvider, client: httpx.Client, bundle: TokenBundle
) -> Mapping[str, Any]:
    """Return who logged in. Blocks. Raises `LoginFailed` when that could not be found out."""
    if provider.identify_with is not None:
        return asked(provider.identify_with, client)
    try:
        return _according_to_the_server(Server(provider), bundle)
    except EndpointFailed as error:
        raise error.as_login_error(OAUTH_FAILED) from None


def asked(function: Any, client: httpx.Client) -> Mapping[str, Any]:
    """Return what the application's `identify=` says, its failures as `LoginFailed`."""
    module = sys.modules[type(client).__module__.partition(".")[0]]
    failures: tuple[type[Exception], ...] = (getattr(module, "HTTPError", ValueError), ValueError)
    try:
        who: Mapping[str, Any] = function(client)
    except AuthError:
        raise
    except failures as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        reason = f"status {status}" if status is not None else type(error).__name__
    else:
        return who
    message = f"The token is there, but the API did not say whose it is ({reason})."
    raise LoginFailed(message, hints=["Nothing was stored."])


def _according_to_the_server(server: Server, bundle: TokenBundle) -> dict[str, str]:
    claims = _claims(server, bundle)
    url = _userinfo_endpoint(server, bundle)
    if url is None:
        return {"id": DEFAULT_ID} if claims is None else named(claims)
    userinfo = _userinfo(server, url, bundle)
    if claims is not None and claims["sub"] != userinfo.get("sub"):  # OpenID Connect 5.3.2
        raise EndpointFailed("userinfo and the ID token name different accounts")
    return named(userinfo)


def _claims(server: Server, bundle: TokenBundle) -> Mapping[str, Any] | None:
    if bundle.id_token is None or "openid" not in (bundle.scopes or server.provider.scopes):
        return None
    from click_auth.providers import id_token  # noqa: PLC0415 - an extra

    return id_token.validated(server, bundle.id_token) if id_token.can_be_checked(server) else None


def _userinfo_endpoint(server: Server, bundle: TokenBundle) -> str | None:
    """Return where to ask; a discovered endpoint is asked only where `openid` was granted."""
    configured = server.provider.userinfo_endpoint
    scopes = server.provider.scopes if bundle.scopes is None else bundle.scopes
    if configured is not None or "openid" not in scopes:
        return configured
    return server.offered("userinfo_endpoint")


def _userinfo(server: Server, url: str, bundle: TokenBundle) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {bundle.access_token}"}
    answer = ask(server.surroundings.http, Call(url, headers=headers), server.timeout)
    return granted(answer, host_of(url), [bundle.access_token])


def named(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return `id` and, where there is one, `label`. Raises `EndpointFailed` without a subject."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise EndpointFailed("the server did not say who logged in (no sub)")
    labels = (claims.get(name) for name in _LABELS)
    label = next((text for text in labels if isinstance(text, str) and inert(text)), None)
    return {"id": subject} if label is None else {"id": subject, "label": inert(label)}


def same_account(provider: OAuthProvider, bundle: TokenBundle, account_id: str) -> bool:
    """Return whether the ID token of a refresh names *account_id* still (OpenID Connect 12.2)."""
    if provider.identify_with is not None or bundle.id_token is None or account_id == DEFAULT_ID:
        return True
    from click_auth.providers.id_token import unverified_claims  # noqa: PLC0415 - rare

    claims = unverified_claims(bundle.id_token)
    return claims is None or claims.get("sub") in (None, account_id)
