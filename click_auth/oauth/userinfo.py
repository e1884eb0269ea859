"""Who logged in, according to the application, the server's userinfo, or the ID token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.console.text import printable
from click_auth.errors import LoginFailed, Refused, Unreachable
from click_auth.http.call import Call
from click_auth.http.urls import host_of
from click_auth.oauth.endpoint import SUCCESS, EndpointFailed, ask, granted
from click_auth.oauth.server import Server
from click_auth.providers.base import DEFAULT_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from click_auth.oauth.dpop import Prover
    from click_auth.oauth.provider import OAuthProvider
    from click_auth.tokens import TokenBundle

UNAUTHORIZED = 401
_REFUSALS = (UNAUTHORIZED, 403)
_BUSY = (408, 425, 429)
_SERVER_ERRORS = 500
_LABELS = ("preferred_username", "email", "name")


def identify(
    provider: OAuthProvider, client: httpx.Client, bundle: TokenBundle
) -> Mapping[str, Any]:
    """Return who logged in. Blocks. Raises what `nobody` makes of a server's failure."""
    if provider.identify_with is not None:
        return provider.identify_with(client)
    try:
        return _according_to_the_server(Server(provider), bundle)
    except EndpointFailed as error:
        raise nobody(error.status, error.reason) from None


def nobody(status: int | None, reason: str) -> LoginFailed | Unreachable:
    """Return the error for a service that did not say who it is, by the status it answered with."""
    message = f"The service did not say whose credential this is: {reason}."
    if status in _REFUSALS:
        return Refused(message)
    if status is None or status in _BUSY or status >= _SERVER_ERRORS:
        return Unreachable(message, hints=["Try again later."])
    return LoginFailed(message)


def _according_to_the_server(server: Server, bundle: TokenBundle) -> dict[str, str]:
    claims = _claims(server, bundle)
    if _userinfo_endpoint(server, bundle, is_needed=claims is None) is None:
        return {"id": DEFAULT_ID} if claims is None else named(claims)
    userinfo = server.at("userinfo_endpoint", lambda url: _userinfo(server, url, bundle))
    if claims is not None and claims["sub"] != subject_of(userinfo):  # OpenID Connect 5.3.2
        raise _answered("userinfo and the ID token name different accounts")
    return named(userinfo)


def _claims(server: Server, bundle: TokenBundle) -> Mapping[str, Any] | None:
    if bundle.id_token is None or not _goes_by_subject(server.provider, bundle):
        return None
    from click_auth.oauth import id_token  # noqa: PLC0415 - an extra

    return id_token.validated(server, bundle.id_token) if id_token.can_be_checked(server) else None


def _goes_by_subject(provider: OAuthProvider, bundle: TokenBundle) -> bool:
    """Return whether an account's id is the server's `sub`: only then an ID token names one."""
    is_openid = "openid" in (bundle.scopes or provider.scopes)
    return is_openid and provider.identify_with is None


def _userinfo_endpoint(server: Server, bundle: TokenBundle, *, is_needed: bool) -> str | None:
    """Return where to ask; a discovered endpoint is asked only where `openid` was granted."""
    configured = server.provider.userinfo_endpoint
    scopes = server.provider.scopes if bundle.scopes is None else bundle.scopes
    if configured is not None or "openid" not in scopes:
        return configured
    return (server.offered if is_needed else server.usable)("userinfo_endpoint")


def _userinfo(server: Server, url: str, bundle: TokenBundle) -> dict[str, Any]:
    http = server.context.http
    if not server.provider.binds_tokens:
        call = Call(url, headers={"Authorization": f"Bearer {bundle.access_token}"})
        answer = ask(http, call, server.timeout)
        return granted(answer, host_of(url), [bundle.access_token])
    prover = server.provider.prover()
    answer = ask(http, _proven(prover, url, bundle), server.timeout)
    if prover.learn(url, answer.headers) and answer.status == UNAUTHORIZED:
        answer = ask(http, _proven(prover, url, bundle), server.timeout)
    return granted(answer, host_of(url), [bundle.access_token])


def _proven(prover: Prover, url: str, bundle: TokenBundle) -> Call:
    return Call(url, headers=prover.with_token("GET", url, bundle.access_token))


def subject_of(claims: Mapping[str, Any]) -> str | None:
    """Return whom *claims* are about, None where they do not say; a number is its decimal text."""
    subject = claims.get("sub")
    if isinstance(subject, int) and not isinstance(subject, bool):
        return str(subject)
    return subject if isinstance(subject, str) and subject else None


def named(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return `id` and, where there is one, `label`. Raises `EndpointFailed` without a subject."""
    subject = subject_of(claims)
    if subject is None:
        said = "no sub" if claims.get("sub") in (None, "") else "its sub is no text"
        raise _answered(f"the server did not say who logged in ({said})")
    labels = _labels(claims)
    return {"id": subject, "label": labels[0]} if labels else {"id": subject}


def _labels(claims: Mapping[str, Any]) -> list[str]:
    labels = (claims.get(name) for name in _LABELS)
    return [printable(text) for text in labels if isinstance(text, str) and printable(text)]


def _answered(what: str) -> EndpointFailed:
    return EndpointFailed(what, status=SUCCESS[0])


def same_account(provider: OAuthProvider, bundle: TokenBundle, account_id: str) -> bool:
    """Return whether the ID token of a refresh names *account_id* still (OpenID Connect 12.2).

    It came straight from the token endpoint, so no keys are needed. Only its subject is looked
    at: another spelling of the issuer or the audience is no other account.
    """
    is_named = bundle.id_token is not None and account_id != DEFAULT_ID
    if not is_named or not _goes_by_subject(provider, bundle):
        return True
    from click_auth.oauth.id_token import unverified_claims  # noqa: PLC0415 - rare

    return subject_of(unverified_claims(bundle.id_token or "")) in (None, account_id)


def renamed(provider: OAuthProvider, bundle: TokenBundle, label: str | None) -> str | None:
    """Return the first name in the ID token of a refresh, unless *label* is one of its names.

    An application that identifies by itself has names of its own, and keeps them.
    """
    if not _goes_by_subject(provider, bundle) or bundle.id_token is None or label is None:
        return None
    from click_auth.oauth.id_token import unverified_claims  # noqa: PLC0415 - rare

    labels = _labels(unverified_claims(bundle.id_token) or {})
    return labels[0] if labels and label not in labels else None
