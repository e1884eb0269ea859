"""What an application says about an OAuth 2 server, and about itself as that server's client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.http.urls import Url, checked_endpoint, is_loopback
from click_auth.providers import LOGIN_OPTIONS, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import httpx

ENDPOINTS = (
    *("authorization_endpoint", "token_endpoint", "device_authorization_endpoint"),
    *("revocation_endpoint", "userinfo_endpoint", "registration_endpoint"),
)
AUTH_METHODS = (
    *("none", "client_secret_basic", "client_secret_basic_unencoded", "client_secret_post"),
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


class Facts(Provider):
    """The facts that `OAuthProvider` is made of, checked: what the OAuth client is handed.

    A plain class: a dataclass of so many fields would be compiled at each start.
    """

    # Kept as they are given.
    client_id: str | None
    client_secret: str | Callable[[], str] | None
    issuer: str | None
    api_url: str | None
    authorization_endpoint: str | None
    token_endpoint: str | None
    device_authorization_endpoint: str | None
    revocation_endpoint: str | None
    userinfo_endpoint: str | None
    registration_endpoint: str | None
    token_endpoint_auth_method: str | None
    scope_separator: str
    resource: str | None
    token_response: Callable[[dict[str, Any]], Mapping[str, Any]] | None
    workload_audience: str | None
    http_timeout: float

    def __init__(
        self,
        *,
        client_id: str | None = None,
        client_secret: str | Callable[[], str] | None = None,
        issuer: str | None = None,
        api_url: str | None = None,
        authorization_endpoint: str | None = None,
        token_endpoint: str | None = None,
        device_authorization_endpoint: str | None = None,
        revocation_endpoint: str | None = None,
        userinfo_endpoint: str | None = None,
        registration_endpoint: str | None = None,
        token_endpoint_auth_method: str | None = None,
        client_metadata: Mapping[str, Any] | None = None,
        scopes: Sequence[str] = (),
        read_only_scopes: Sequence[str] | None = None,
        scope_separator: str = " ",
        resource: str | None = None,
        authorize_params: Mapping[str, str] | None = None,
        token_params: Mapping[str, str] | None = None,
        identify: Callable[[httpx.Client], Mapping[str, Any]] | None = None,
        token_response: Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
        workload_audience: str | None = None,
        redirect_uris: Sequence[str] = ("http://127.0.0.1/callback",),
        http_timeout: float = 30.0,
    ) -> None:
        given = locals()
        vars(self).update({name: given[name] for name in Facts.__annotations__})
        self.client_metadata: Mapping[str, Any] = client_metadata or {}
        self.scopes: tuple[str, ...] = _checked_scopes(scopes, scope_separator)
        self.read_only_scopes: tuple[str, ...] | None = None
        if read_only_scopes is not None:
            self.read_only_scopes = _checked_scopes(read_only_scopes, scope_separator)
        self.authorize_params: Mapping[str, str] = authorize_params or {}
        self.token_params: Mapping[str, str] = token_params or {}
        self.identify_with = identify
        self.redirect_uris: tuple[str, ...] = tuple(redirect_uris)
        self._check()

    def _check(self) -> None:
        """Draw conclusions. Raises `ValueError` for facts that are wrong or contradict others."""
        by_hand = self.authorization_endpoint and self.token_endpoint
        is_known = self.issuer or any(getattr(self, name) for name in ENDPOINTS)
        self.asks_api: bool = self.api_url is not None and not is_known
        """Whether the API is asked which server issues its tokens (RFC 9728)."""
        self.discovers: bool = self.asks_api or (self.issuer is not None and not by_hand)
        """Whether the server is asked for what is not given by hand."""
        self.binds_tokens: bool = self.client_metadata.get("dpop_bound_access_tokens") is True
        """Whether tokens are to be bound to a key of ours: RFC 9449's own client metadata."""
        _check_urls(self)
        _check_client(self)
        _check_parameters(self)
        if not 0 < self.http_timeout < float("inf"):
            raise ValueError("http_timeout is a number of seconds greater than 0")
        self.home: str = self.issuer or self.token_endpoint or self.api_url or ""
        """Where a login goes, as far as it is known."""
        self.described_at: str | None = None
        """Where the API's own description of these facts lies, once it was asked."""
        self.options: frozenset[str] = _offered_options(self)


def _checked_scopes(names: Sequence[str], separator: str) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ValueError(f"scopes must be a sequence: ({names!r},)")  # noqa: TRY004 - as the others
    for name in names:
        if not name or separator in name or any(c.isspace() or c in '"\\' for c in name):
            raise ValueError(f"{name!r} is not one scope")
    return tuple(names)


def _check_urls(facts: Facts) -> None:
    for name in (*ENDPOINTS, "api_url", "issuer"):
        url = getattr(facts, name)
        if url is not None:
            checked_endpoint(url, name)
    if not (facts.asks_api or facts.issuer or facts.token_endpoint):
        raise ValueError(
            "OAuthProvider needs issuer=, token_endpoint= or an api_url= that names its server"
        )
    if facts.issuer is not None and Url(facts.issuer).query is not None:
        raise ValueError("issuer has a query")
    if not facts.redirect_uris:
        raise ValueError("redirect_uris is empty")
    for uri in facts.redirect_uris:
        if not is_loopback(Url(checked_endpoint(uri, "redirect_uris")).host):
            raise ValueError(f"{uri} is not on a loopback address, where this machine can listen")


def _check_client(facts: Facts) -> None:
    method = facts.token_endpoint_auth_method
    if method is not None and method not in AUTH_METHODS:
        raise ValueError(f"token_endpoint_auth_method must be one of {', '.join(AUTH_METHODS)}")
    if facts.client_secret is not None and method == "none":
        raise ValueError("there is a client_secret, and token_endpoint_auth_method is none")
    if facts.client_secret is not None and facts.asks_api:
        raise ValueError("there is a client_secret and no issuer: the API would say who gets it")
    if facts.client_id is not None:
        return
    if facts.client_secret is not None:
        raise ValueError("there is a client_secret and no client_id")
    starts = facts.authorization_endpoint or facts.device_authorization_endpoint
    if starts and not facts.discovers and not facts.registration_endpoint:
        raise ValueError("without client_id= there must be a registration_endpoint=")


def _check_parameters(facts: Facts) -> None:
    url = facts.authorization_endpoint
    query = (Url(url).query or "") if url else ""
    names = (pair.partition("=")[0] for pair in query.split("&"))
    _refuse(OURS.intersection(names), "authorization_endpoint")
    _refuse(OURS.intersection(facts.authorize_params), "authorize_params")
    _refuse(OURS_AT_THE_TOKEN_ENDPOINT.intersection(facts.token_params), "token_params")
    if facts.resource is not None:
        scheme, colon, rest = facts.resource.partition(":")
        if not (colon and rest and scheme[:1].isalpha() and facts.resource.isascii()):
            raise ValueError("resource is not an absolute URI")
        if "#" in rest:
            raise ValueError("resource has a fragment (RFC 8707 section 2)")


def _refuse(names: Iterable[str], where: str) -> None:
    listed = ", ".join(sorted(names))
    if listed:
        raise ValueError(f"{where} sets {listed}, which click-auth sets itself")


def _offered_options(facts: Facts) -> frozenset[str]:
    missing = set()
    if facts.read_only_scopes is None:
        missing.add("--read-only")
    if not (facts.discovers or facts.device_authorization_endpoint):
        missing.add("--device")
    has_redirect = facts.discovers or facts.authorization_endpoint is not None
    authorities = (uri.partition("://")[2].partition("/")[0] for uri in facts.redirect_uris)
    if not has_redirect or any(":" in each.rpartition("]")[2] for each in authorities):
        missing.add("--callback-port")
    return LOGIN_OPTIONS - missing
