"""Whether the service answers, whose certificates are trusted, and what stands in between."""

from __future__ import annotations

import contextlib
import ssl
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from click_auth.console.text import without_password
from click_auth.doctor.examination import examined, refused, worth_a_look
from click_auth.doctor.storage import records_of
from click_auth.errors import AuthError, StorageUnavailable
from click_auth.http.call import Call, TransportFailed, send
from click_auth.http.network import proxy_error
from click_auth.oauth.endpoint import EndpointFailed
from click_auth.oauth.metadata import discover
from click_auth.providers.context import ProviderContext
from click_auth.results import Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from click_auth.context import Context
    from click_auth.http.client import Http
    from click_auth.providers.base import Provider

SERVER_SECONDS = 5.0
SERVERS_SECONDS = 15.0
LARGEST_CLOCK_DIFFERENCE_SECONDS = 60.0

_MOST_SERVICES = 10
_SERVER_ERROR = 500


def tls(context: Context) -> Iterator[Check]:
    """Yield whose certificates are trusted. Raises `AuthError` where they are not there."""
    given, verify = context.settings.http_options or {}, context.http.options.get("verify")
    if verify is False:
        hint = "Whoever is on the way can read tokens. Do not set verify=False."
        value = "certificates are NOT verified"
        yield worth_a_look("TLS", value, "Auth(http_options=)", hint)
    elif callable(given) or not {"verify", "transport"}.isdisjoint(given):
        yield Check("TLS", "as the application says", "Auth(http_options=)")
    else:
        yield Check("TLS", f"certificates of {context.http.trust}", ssl.OPENSSL_VERSION)


def proxy(context: Context) -> Iterator[Check]:
    """Yield the proxies that requests go through; never with their passwords."""
    options: Mapping[str, Any] = {}
    with contextlib.suppress(AuthError):  # certificates that are not there; `tls` says so
        options = context.http.options
    if "transport" in options or options.get("proxy") or options.get("proxies"):
        yield Check("proxy", "as the application says", "Auth(http_options=)")
        return
    found = getproxies() if options.get("trust_env", True) else {}
    problem = proxy_error(context.http.module) if found else None
    if problem is not None:
        yield refused("proxy", problem, source="environment")
        return
    used = "; ".join(f"{scheme}: {without_password(found[scheme])}" for scheme in found)
    yield Check("proxy", used or "none", "environment" if used else "")


def servers(context: Context) -> Iterator[Check]:
    """Yield for each service whether it answers, and how far its clock is from ours."""
    instances = _instances(context)[:_MOST_SERVICES]
    seconds = min(SERVER_SECONDS, SERVERS_SECONDS / len(instances))
    for instance in instances:
        yield from examined("server", partial(_server, context, instance, seconds), seconds + 1.0)


def _instances(context: Context) -> list[str | None]:
    """Return the services to ask: those known beforehand, else those in use, else the default."""
    if context.services.choices is not None or not context.services.has_instances:
        return list(context.services.choices or (None,))
    used = [context.instance(None)]
    with contextlib.suppress(StorageUnavailable):
        used += [record.instance for record in records_of(context)[0]]
    return list(dict.fromkeys(filter(None, used))) or [None]


def _server(context: Context, instance: str | None, seconds: float) -> Iterator[Check]:
    provider = context.services.provider(instance)
    about = "" if instance is None else f"{without_password(instance)}: "
    address = _address(provider)
    if not address:
        yield Check("server", f"{about}nobody to ask", type(provider).__name__)
        return
    source = address.partition("?")[0]
    look = partial(_at, context.http, provider, about, seconds)
    yield from examined("server", look, seconds + 0.5, source)


def _at(http: Http, provider: Provider, about: str, seconds: float) -> Iterator[Check]:
    address, started = _address(provider), time.monotonic()
    source = address.partition("?")[0]
    try:
        value, hint = _asked(http, provider, address, seconds)
    except (EndpointFailed, TransportFailed) as error:
        hint = "Check the network, the proxy and the address; everything stored is kept."
        yield Check("server", about + error.reason, source, "fail", hint)
    else:
        value = f"{about}{value} in {time.monotonic() - started:.2f} s"
        yield worth_a_look("server", value, source, hint)
    difference = http.clock_difference(address)
    if difference is not None:
        yield _clock(about, difference, source)


def _address(provider: Provider) -> str:
    names = ["issuer"] if getattr(provider, "discovers", False) else []
    names += ["token_endpoint", "api_url", "create_url"]
    return next((str(url) for name in names if (url := getattr(provider, name, None))), "")


def _asked(http: Http, provider: Provider, address: str, seconds: float) -> tuple[str, str | None]:
    """Return what is at *address*, and a hint where that is worth a look."""
    if getattr(provider, "discovers", False):
        openid = "openid" in getattr(provider, "scopes", ())
        discover(ProviderContext(http), address, openid=openid, timeout=seconds)
        return "published its metadata", None
    try:
        status = send(http, Call(address), seconds).status
    except TransportFailed as failed:
        if failed.status is None:
            raise
        status = failed.status  # nobody needs its body
    hint = "Try again later." if status >= _SERVER_ERROR else None
    return f"answered with status {status}", hint


def _clock(about: str, difference: float, source: str) -> Check:
    side = "behind" if difference > 0 else "ahead of"
    value = f"{about}{abs(difference):.0f} s {side} the server's"
    is_off = abs(difference) > LARGEST_CLOCK_DIFFERENCE_SECONDS
    hint = "Set the clock of this machine: ID tokens may be refused, and shown times are wrong."
    return worth_a_look("clock", value, f"Date of {source}", hint if is_off else None)
