"""Whether the service answers, whose certificates are trusted, and what stands in between."""

from __future__ import annotations

import copy
import importlib.util
import ssl
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from click_auth.certificates import SYSTEM, VARIABLES
from click_auth.doctor.examination import together, trouble
from click_auth.doctor.subject import document_of
from click_auth.errors import AuthError, StorageUnavailable
from click_auth.http import Call, Http, TransportFailed
from click_auth.providers.endpoint import EndpointFailed
from click_auth.providers.metadata import discover
from click_auth.providers.oauth import OAuthProvider
from click_auth.providers.surroundings import Surroundings
from click_auth.results import Check
from click_auth.text import inert
from click_auth.urls import host_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from click_auth.core import Core
    from click_auth.providers.base import Provider

SERVER_SECONDS = 5.0
LARGEST_CLOCK_DIFFERENCE_SECONDS = 60.0

_MOST_SERVICES = 10
_SERVER_ERROR = 500


def servers(core: Core) -> Iterator[Check]:
    """Yield for each service whether it answers, and how far its clock is from ours."""
    examinations = [
        ("server", partial(_server, core, instance))
        for instance in _instances(core)[:_MOST_SERVICES]
    ]
    yield from together(examinations, SERVER_SECONDS + 1.0)


def tls(core: Core) -> Iterator[Check]:
    """Yield whose certificates are trusted, and each variable that has a say in it."""
    try:
        verify = core.http.options.get("verify")
    except AuthError as error:
        yield trouble("TLS", error, ssl.OPENSSL_VERSION)
    else:
        yield _trust(core, verify=verify)
    for name in VARIABLES:
        path = core.environment.environ.get(name)
        if path:
            yield _certificates(name, path, is_used=core.http.trust == name)


def proxies(core: Core) -> Iterator[Check]:
    """Yield the proxies that requests go through; never with their passwords."""
    given = _options(core)
    if "transport" in given or given.get("proxy") is not None or given.get("proxies") is not None:
        yield Check("proxy", "as the application says", "Auth(http_options=)")
        return
    found = getproxies() if given.get("trust_env", True) else {}
    used = {scheme: found[scheme] for scheme in ("https", "http", "all") if scheme in found}
    if not used:
        yield Check("proxy", "none", "")
        return
    value = ", ".join(f"{scheme} through {_proxy(url)}" for scheme, url in used.items())
    if found.get("no"):
        value += f"; not for {inert(found['no'])}"
    wants_socks = any(url.startswith("socks") for url in used.values())
    if wants_socks and importlib.util.find_spec("socksio") is None:
        hint = f"Install {core.settings.http}[socks], or unset the proxy."
        yield Check("proxy", value, "environment", "fail", hint)
        return
    yield Check("proxy", value, "environment")


def _options(core: Core) -> Mapping[str, Any]:
    try:
        return core.http.options
    except AuthError:  # certificates that are not there; `tls` says so
        return {}


def _instances(core: Core) -> list[str | None]:
    """Return the services to ask: those known beforehand, else the default and those in use."""
    if core.services.choices is not None:
        return list(core.services.choices)
    in_use: list[str | None] = [core.instance(None)]
    if core.services.has_instances:
        try:
            document = document_of(core)
        except StorageUnavailable:
            document = None
        records = [] if document is None else document.records.values()
        in_use += [record.instance for record in records if record.instance is not None]
        if in_use[0] is None and len(in_use) > 1:
            del in_use[0]
    return list(dict.fromkeys(in_use))


def _server(core: Core, instance: str | None) -> Iterator[Check]:
    provider = core.services.provider(instance)
    http = copy.copy(core.http)  # with a clock difference of its own
    about = "" if instance is None else f"{inert(instance, 60)}: "
    started = time.monotonic()
    try:
        value, source, verdict = _asked(http, provider)
    except (EndpointFailed, TransportFailed) as error:
        hint = "Check the network, the proxy and the address; everything stored is kept."
        yield Check("server", about + error.reason, _address(provider), "fail", hint)
    else:
        took = f"{value} in {time.monotonic() - started:.2f} s"
        later = None if verdict == "ok" else "Try again later."
        yield Check("server", about + took, source, verdict, later)
    if http.clock_difference is not None:
        yield _clock(http.clock_difference, about, provider)


def _asked(http: Http, provider: Provider) -> tuple[str, str, Any]:
    """Return what the service of *provider* did, where it was asked, and what to think of it."""
    if isinstance(provider, OAuthProvider) and provider.discovers and provider.issuer:
        openid = "openid" in provider.scopes
        discover(Surroundings(http), provider.issuer, openid=openid, timeout=SERVER_SECONDS)
        return "published its metadata", provider.issuer, "ok"
    url = _address(provider)
    if not url:
        return "nobody to ask: the provider names no address", type(provider).__name__, "ok"
    try:
        status = http.call(Call(url), timeout=SERVER_SECONDS).status
    except TransportFailed as failed:
        if failed.status is None:
            raise
        status = failed.status
    verdict = "warn" if status >= _SERVER_ERROR else "ok"
    return f"{host_of(url)} answered with status {status}", shown(url), verdict


def _address(provider: Provider) -> str:
    known = [getattr(provider, name, None) for name in ("token_endpoint", "api_url", "create_url")]
    if getattr(provider, "discovers", False):
        known.insert(0, getattr(provider, "issuer", None))
    return next((str(url) for url in known if url), "")


def _clock(difference: float, about: str, provider: Provider) -> Check:
    source = f"Date of {inert(provider.display_name)}"
    seconds = abs(difference)
    if seconds < 2:  # noqa: PLR2004 - a Date has whole seconds
        return Check("clock", f"{about}as the server's", source)
    value = f"{about}{seconds:.0f} s {'behind' if difference > 0 else 'ahead of'} the server's"
    if seconds <= LARGEST_CLOCK_DIFFERENCE_SECONDS:
        return Check("clock", value, source)
    hint = "Set the clock of this machine: ID tokens may be refused, and shown times are wrong."
    return Check("clock", value, source, "warn", hint)


def _trust(core: Core, *, verify: Any) -> Check:
    given = core.settings.http_options
    own: Mapping[str, Any] = {} if given is None or callable(given) else given
    if "transport" in core.http.options:
        return Check("TLS", "the application's own transport", "Auth(http_options=)")
    if verify is False:
        hint = "Whoever is on the way can read tokens. Do not set verify=False."
        return Check("TLS", "certificates are NOT verified", "Auth(http_options=)", "warn", hint)
    if own.get("verify", True) is not True:
        return Check("TLS", "the application's own certificates", "Auth(http_options=)")
    trust = core.http.trust
    names = {SYSTEM: "certificates of the operating system (truststore)"}
    default = f"certificates in {trust}" if trust in VARIABLES else f"certificates of {trust}"
    unless = ", unless http_options says otherwise" if callable(given) else ""
    return Check("TLS", names.get(trust, default) + unless, ssl.OPENSSL_VERSION)


def _certificates(name: str, path: str, *, is_used: bool) -> Check:
    effect = "trusted" if is_used else "no effect beside the others"
    value = f"{inert(path)}; {effect}"
    if Path(path).exists():
        return Check(name, value, "environment")
    hint = f"There is no such file. Correct {name}, or unset it."
    return Check(name, f"{inert(path)}; not there", "environment", "fail", hint)


def _proxy(url: str) -> str:
    """Return the address of a proxy without the user name and password in it."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "an address that cannot be read"
    where = f"{parts.scheme}://{inert(host)}" + (f":{port}" if port else "")
    return where + (" (with a password)" if parts.password or parts.username else "")
