"""What an API says about itself: who issues its tokens, and for which scopes (RFC 9728)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from click_auth.console.text import printable
from click_auth.http.call import Answer, Call
from click_auth.http.step_up import challenge_parameters
from click_auth.http.urls import Url, checked_endpoint, host_of, named_by, origin
from click_auth.oauth.endpoint import EndpointFailed, ask, granted
from click_auth.oauth.token_endpoint import SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click_auth.http.client import Http
    from click_auth.oauth.facts import Facts

_MOST_SCOPES = 50


def describe(facts: Facts, timeout: float) -> Facts:
    """Return *facts*, of which only the API is known, completed by what the API says.

    That is the issuer (its first authorization server), `resource`, and the scopes where the
    application gives none. Blocks at most *timeout* seconds, unless the response is in the cache.
    Raises `EndpointFailed`, also where the API's metadata is that of another resource.
    """
    api = facts.api_url or ""
    place = well_known(api)
    document = facts.context.cache.load(place)
    is_new = document is None or not _is_of(document, api)
    if document is None or is_new:
        document = _fetch(facts.context.http, api, place, timeout)
    issuer = _issuer(document, api)
    described = object.__new__(type(facts))
    vars(described).update(
        vars(facts),
        issuer=issuer,
        home=issuer,
        described_at=place,
        scopes=facts.scopes or _scopes(document, facts.scope_separator),
        resource=facts.resource or document["resource"],
    )
    if is_new:
        facts.context.cache.save(place, document)
    return described


def well_known(api: str) -> str:
    """Return where the API at the URL *api* says who issues its tokens (section 3.1)."""
    parts = Url(api)
    path = "" if parts.path == "/" else parts.path
    query = "" if parts.query is None else f"?{parts.query}"
    return f"{origin(api)}/.well-known/oauth-protected-resource{path}{query}"


def _fetch(http: Http, api: str, place: str, timeout: float) -> Mapping[str, Any]:
    """Return the metadata from its well-known place, or from where a 401 of the API points."""
    deadline = time.monotonic() + timeout

    def get(url: str) -> Answer:
        return ask(http, Call(url), max(deadline - time.monotonic(), 0.1))

    try:
        document = granted(ask(http, Call(place), timeout))
    except EndpointFailed as error:
        if error.status is None:
            raise
        document = _follow(api, get)
    if not _is_of(document, api):
        other = printable(document.get("resource") or "none")
        raise EndpointFailed(f"the metadata of {api} is about another resource: {other}")
    return document


def _follow(api: str, get: Callable[[str], Answer]) -> dict[str, Any]:
    """Return the API's metadata from where the challenge of its 401 points (section 5.1)."""
    answer = get(api)
    url = challenge_parameters(answer.headers.get("www-authenticate", "")).get("resource_metadata")
    if answer.status != 401 or url is None:  # noqa: PLR2004
        raise EndpointFailed(f"{api} doesn't say who issues its tokens (RFC 9728)")
    try:
        return granted(get(_checked(api, url, "resource_metadata")))
    except EndpointFailed as error:
        error.error = None  # an API's word for its failure says nothing of a grant
        raise


def _is_of(document: Mapping[str, Any], api: str) -> bool:
    """Return whether *document* is about the very URL *api* (section 3.3)."""
    resource = document.get("resource")
    return isinstance(resource, str) and _without_root(resource) == _without_root(api)


def _without_root(url: str) -> str:
    """Return *url* without the slash that is all of its path: both spellings are one URL."""
    is_root = url.endswith("/") and url.count("/") == 3 and "?" not in url  # noqa: PLR2004
    return url[:-1] if is_root else url


def _scopes(document: Mapping[str, Any], separator: str) -> tuple[str, ...]:
    """Return the scopes that the API has, and nothing in the list that cannot be asked for."""
    listed = document.get("scopes_supported")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    fit = [name for name in names if SCOPE.fullmatch(name) and separator not in name]
    return tuple(fit[:_MOST_SCOPES])


def _issuer(document: Mapping[str, Any], api: str) -> str:
    servers = document.get("authorization_servers")
    if not isinstance(servers, list) or not servers:
        raise EndpointFailed(f"{host_of(api)} doesn't name an authorization server")
    issuer = _checked(api, servers[0], "authorization_servers")
    if Url(issuer).query is not None:
        raise EndpointFailed(f"{host_of(api)} names an authorization server with a query")
    return issuer


def _checked(api: str, url: object, name: str) -> str:
    try:
        return checked_endpoint(named_by(api, url, name), name)
    except ValueError as error:
        reason = f"{host_of(api)} can't be used: {str(error).rstrip('.')}"
    raise EndpointFailed(reason)
