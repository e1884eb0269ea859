"""Discovery: what a server says about itself (RFC 8414, OpenID Connect Discovery)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from click_auth.console.text import printable
from click_auth.http.call import Call
from click_auth.http.urls import checked_endpoint, host_of, named_by, origin, split
from click_auth.oauth.endpoint import EndpointFailed, EndpointUnfit, ask, granted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from click_auth.providers.context import ProviderContext

OAUTH = "oauth-authorization-server"
OPENID = "openid-configuration"
_ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "device_authorization_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
    "registration_endpoint",
    "pushed_authorization_request_endpoint",
    "jwks_uri",
)
# What only OpenID's document may say; a server may put one of them into the other document too.
_OPENIDS_OWN = {"jwks_uri", "userinfo_endpoint"}


@dataclass(frozen=True)
class Metadata:
    """What a server publishes about itself. None and empty: it did not say.

    `endpoints` are as they were said: `endpoint` judges the one that is used.
    """

    issuer: str | None = None
    endpoints: Mapping[str, object] = field(default_factory=dict)
    auth_methods: tuple[str, ...] | None = None
    names_itself: bool = False
    """Whether the redirect carries `iss` (RFC 9207)."""
    wants_pushed_requests: bool = False
    """Whether authorization requests must be pushed (RFC 9126)."""

    def endpoint(self, name: str) -> str | None:
        """Return the URL of an endpoint, None where the server has none.

        Raises `EndpointUnfit` for one to which no secret may go. The machine's own services are
        no business of a server elsewhere.
        """
        url = self.endpoints.get(name)
        if url is None:
            return None
        try:
            return checked_endpoint(named_by(self.issuer or "", url, name))
        except ValueError as error:
            reason = f"the server's metadata cannot be used: {str(error).rstrip('.')}"
        raise EndpointUnfit(reason)


def discover(context: ProviderContext, issuer: str, *, openid: bool, timeout: float) -> Metadata:
    """Return the metadata of *issuer*, from the cache if it is there.

    Blocks at most *timeout* seconds. Raises `EndpointFailed`, also for metadata that names
    another issuer.
    """
    cached = context.cache.load(issuer)
    if cached is not None:
        try:
            return checked(cached, issuer)
        except EndpointFailed:
            pass  # something else wrote it; the server will say
    document = _fetched(context, issuer, openid=openid, deadline=time.monotonic() + timeout)
    metadata = checked(document, issuer)
    context.cache.save(issuer, document)
    return metadata


def well_known(issuer: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the URL of each place where *issuer* may publish its metadata.

    RFC 8414 inserts the well-known part before the issuer's path, OpenID appends it (RFC 8414
    section 5); servers are found that do either with the other's name.
    """
    base = issuer.rstrip("/")
    path = split(base).path
    yield OAUTH, f"{origin(issuer)}/.well-known/{OAUTH}{path}"
    yield OPENID, f"{base}/.well-known/{OPENID}"
    if path:
        yield OAUTH, f"{base}/.well-known/{OAUTH}"
        yield OPENID, f"{origin(issuer)}/.well-known/{OPENID}{path}"


def _fetched(
    context: ProviderContext, issuer: str, *, openid: bool, deadline: float
) -> dict[str, Any]:
    """Return the first document that is *issuer*'s, completed by OpenID's where that is asked."""
    found: dict[str, Any] = {}
    other = None
    for kind, url in well_known(issuer):
        if found and (kind == OAUTH or not openid or found.keys() >= _OPENIDS_OWN):
            continue
        try:
            left = max(deadline - time.monotonic(), 0.1)
            document = granted(ask(context.http, Call(url), left))
        except EndpointFailed as error:
            if error.status is None and not found:
                raise
            continue
        if document.get("issuer") == issuer:
            found = {**document, **found}
        else:
            other = document.get("issuer")
    if found:
        return found
    if other is not None:
        raise EndpointFailed(f"{host_of(issuer)} calls itself {printable(other)}, not {issuer}")
    raise EndpointFailed(f"{host_of(issuer)} publishes no metadata for {issuer}")


def checked(document: Mapping[str, Any], issuer: str) -> Metadata:
    """Return the metadata that *document* holds. Raises `EndpointFailed`."""
    if document.get("issuer") != issuer:
        raise EndpointFailed(f"the metadata of {issuer} names another issuer")
    return Metadata(
        issuer=issuer,
        endpoints={name: document[name] for name in _ENDPOINTS if document.get(name)},
        auth_methods=_texts(document.get("token_endpoint_auth_methods_supported")),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        wants_pushed_requests=document.get("require_pushed_authorization_requests") is True,
    )


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(text for text in value if isinstance(text, str))
