"""What an `OAuthProvider` may be told, and which options of `login` follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.http.urls import checked_endpoint, is_loopback, split
from click_auth.providers import options

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from click_auth.oauth.provider import OAuthProvider

ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "device_authorization_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "registration_endpoint",
)
AUTH_METHODS = (
    "none",
    "client_secret_basic",
    "client_secret_basic_unencoded",
    "client_secret_post",
)
# What the library itself says in a request, and nobody else may.
OURS = {
    *("client_id", "code_challenge", "code_challenge_method", "dpop_jkt", "nonce", "redirect_uri"),
    *("request", "request_uri", "resource", "response_mode", "response_type", "scope", "state"),
}
OURS_AT_THE_TOKEN_ENDPOINT = {
    *("client_assertion", "client_assertion_type", "client_id", "client_secret", "code"),
    *("code_verifier", "device_code", "grant_type", "redirect_uri", "refresh_token", "resource"),
}


def scopes(names: Sequence[str], separator: str) -> tuple[str, ...]:
    """Return *names* as a tuple. Raises `ValueError` for what is not a sequence of scopes."""
    if isinstance(names, str):
        raise ValueError(f"scopes is a sequence: ({names!r},)")  # noqa: TRY004 - as the others
    for name in names:
        if not name or separator in name or any(c.isspace() or c in '"\\' for c in name):
            raise ValueError(f"{name!r} is not one scope")
    return tuple(names)


def check(provider: OAuthProvider) -> None:
    """Raise `ValueError` for facts that are wrong or contradict each other."""
    _check_urls(provider)
    _check_client(provider)
    _check_parameters(provider)
    if not 0 < provider.http_timeout < float("inf"):
        raise ValueError("http_timeout is a number of seconds, more than none")


def _check_urls(provider: OAuthProvider) -> None:
    for name in (*ENDPOINTS, "api_url", "issuer"):
        url = getattr(provider, name)
        if url is not None:
            checked_endpoint(url, name)
    if provider.issuer is None and provider.token_endpoint is None:
        raise ValueError("OAuthProvider needs issuer= or at least token_endpoint=")
    if provider.issuer is not None and split(provider.issuer).query is not None:
        raise ValueError("issuer has a query")
    if provider.resource is not None:
        _check_resource(provider.resource)
    if not provider.redirect_uris:
        raise ValueError("redirect_uris is empty")
    for uri in provider.redirect_uris:
        if not is_loopback(split(checked_endpoint(uri, "redirect_uris")).host):
            raise ValueError(f"{uri} is not on a loopback address, where this machine can listen")


def _check_resource(resource: str) -> None:
    scheme, colon, rest = resource.partition(":")
    if not (colon and rest and scheme[:1].isalpha() and resource.isascii()):
        raise ValueError("resource is not an absolute URI")
    if "#" in resource:
        raise ValueError("resource has a fragment (RFC 8707 section 2)")


def _check_client(provider: OAuthProvider) -> None:
    method = provider.token_endpoint_auth_method
    if method is not None and method not in AUTH_METHODS:
        raise ValueError(f"token_endpoint_auth_method is one of {', '.join(AUTH_METHODS)}")
    if provider.client_secret is not None and method == "none":
        raise ValueError("there is a client_secret, and token_endpoint_auth_method is none")
    if provider.client_id is not None:
        return
    if provider.client_secret is not None:
        raise ValueError("there is a client_secret and no client_id")
    starts = provider.authorization_endpoint or provider.device_authorization_endpoint
    if starts and not provider.discovers and not provider.registration_endpoint:
        raise ValueError("without client_id= there must be a registration_endpoint=")


def _check_parameters(provider: OAuthProvider) -> None:
    url = provider.authorization_endpoint
    query = (split(url).query or "") if url else ""
    names = (pair.partition("=")[0] for pair in query.split("&"))
    _refuse(OURS.intersection(names), "authorization_endpoint")
    _refuse(OURS.intersection(provider.authorize_params), "authorize_params")
    _refuse(OURS_AT_THE_TOKEN_ENDPOINT.intersection(provider.token_params), "token_params")


def _refuse(names: Iterable[str], where: str) -> None:
    listed = ", ".join(sorted(names))
    if listed:
        raise ValueError(f"{where} sets {listed}, which click-auth sets itself")


def offered(provider: OAuthProvider) -> frozenset[str]:
    """Return the options that the provider's login has."""
    found = set(options.ALL)
    if provider.read_only_scopes is None:
        found.remove(options.READ_ONLY)
    if not (provider.discovers or provider.device_authorization_endpoint):
        found.remove(options.DEVICE)
    has_redirect = provider.discovers or provider.authorization_endpoint is not None
    if not has_redirect or any(has_port(uri) for uri in provider.redirect_uris):
        found.remove(options.CALLBACK_PORT)
    return frozenset(found)


def has_port(uri: str) -> bool:
    """Return whether *uri* names its port."""
    authority = uri.partition("://")[2].partition("/")[0]
    return ":" in authority.rpartition("]")[2]
