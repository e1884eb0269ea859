"""Who logged in, according to the server: its userinfo and its ID tokens."""

from __future__ import annotations

import base64
import importlib.util
from typing import TYPE_CHECKING, Any

from click_auth.console.text import printable
from click_auth.http.call import Call
from click_auth.oauth.endpoint import granted, parse_object, unusable
from click_auth.providers import DEFAULT_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.oauth.facts import Facts
    from click_auth.oauth.server import Server
    from click_auth.record import TokenBundle

_LABELS = ("preferred_username", "email", "name")


def identify(server: Server, bundle: TokenBundle) -> Mapping[str, Any]:
    """Return who logged in. Blocks. Raises `EndpointFailed`."""
    claims = None
    if bundle.id_token is not None and _goes_by_subject(server.facts, bundle):
        claims = checked_claims(server, bundle.id_token)
    if _userinfo_endpoint(server, bundle, is_needed=claims is None) is None:
        return {"id": DEFAULT_ID} if claims is None else account_of(claims)
    userinfo = _userinfo(server, bundle.access_token)
    if claims is not None and claims["sub"] != subject_of(userinfo):  # OpenID Connect 5.3.2
        raise unusable("userinfo and the ID token name different accounts")
    return account_of(userinfo)


def checked_claims(
    server: Server, id_token: str, nonce: str | None = None
) -> Mapping[str, Any] | None:
    """Return the claims of *id_token*, every one of them checked, `sub` a text.

    None where it cannot be checked, and so names nobody: joserfc is not installed, or the server
    publishes no keys. Blocks when these are not in the cache. Raises `EndpointFailed`.
    """
    if importlib.util.find_spec("joserfc") is None or server.offered("jwks_uri") is None:
        return None
    from click_auth.oauth.id_token import check_id_token  # noqa: PLC0415 - an extra

    return check_id_token(server, id_token, nonce)


def _refreshed_claims(facts: Facts, bundle: TokenBundle) -> Mapping[str, Any]:
    """Return what the ID token of a refresh says; nothing where no account goes by it.

    It came straight from the token endpoint, so no keys are needed.
    """
    if bundle.id_token is None or not _goes_by_subject(facts, bundle):
        return {}
    try:
        payload = bundle.id_token.split(".")[1]
        return parse_object(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        return {}


def _goes_by_subject(facts: Facts, bundle: TokenBundle) -> bool:
    """Return whether an account's id is the server's `sub`: only then an ID token names one."""
    return "openid" in (bundle.scopes or facts.scopes) and facts.identify_with is None


def _userinfo_endpoint(server: Server, bundle: TokenBundle, *, is_needed: bool) -> str | None:
    """Return where to ask; a discovered endpoint is asked only where `openid` was granted."""
    configured = server.facts.userinfo_endpoint
    scopes = server.facts.scopes if bundle.scopes is None else bundle.scopes
    if configured is not None or "openid" not in scopes:
        return configured
    return (server.offered if is_needed else server.usable)("userinfo_endpoint")


def _userinfo(server: Server, token: str) -> dict[str, Any]:
    def call_to(url: str) -> Call:
        headers = {"Authorization": f"Bearer {token}"}
        if server.prover is not None:
            headers = server.prover().with_token("GET", url, token)
        return Call(url, headers=headers, secrets=(token,))

    return granted(server.fetch("userinfo_endpoint", call_to))


def subject_of(claims: Mapping[str, Any]) -> str | None:
    """Return whom *claims* are about, None where they do not say; a number is its decimal text."""
    subject = claims.get("sub")
    if isinstance(subject, int) and not isinstance(subject, bool):
        return str(subject)
    return subject if isinstance(subject, str) and subject else None


def account_of(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return `id` and, where there is one, `label`. Raises `EndpointFailed` without a subject."""
    subject = subject_of(claims)
    if subject is None:
        said = "no sub" if claims.get("sub") in (None, "") else "its sub is not a string"
        raise unusable(f"the server didn't say who logged in ({said})")
    labels = _labels(claims)
    return {"id": subject, "label": labels[0]} if labels else {"id": subject}


def _labels(claims: Mapping[str, Any]) -> list[str]:
    labels = (claims.get(name) for name in _LABELS)
    return [printable(text) for text in labels if isinstance(text, str) and printable(text)]


def is_same_account(facts: Facts, bundle: TokenBundle, account_id: str) -> bool:
    """Return whether the ID token of a refresh names *account_id* still (OpenID Connect 12.2).

    Only its subject is looked at: another spelling of the issuer or the audience is no other
    account.
    """
    subject = subject_of(_refreshed_claims(facts, bundle))
    return account_id == DEFAULT_ID or subject in (None, account_id)


def new_label(facts: Facts, bundle: TokenBundle, label: str | None) -> str | None:
    """Return the first name in the ID token of a refresh, unless *label* is one of its names.

    An application that identifies by itself has names of its own, and keeps them.
    """
    labels = _labels(_refreshed_claims(facts, bundle))
    return labels[0] if labels and label is not None and label not in labels else None
