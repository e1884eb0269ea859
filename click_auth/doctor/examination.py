"""What is looked at, in its order: storage, and all that surrounds the application.

That is versions, variables, the browser, TLS, proxies and servers.
"""

from __future__ import annotations

import contextlib
import platform
import ssl
import sys
import time
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from click_auth._version import __version__
from click_auth.console.text import printable, without_password
from click_auth.credentials import find_override
from click_auth.doctor import storage
from click_auth.doctor.report import Check, Report, advise, report_error, run_check
from click_auth.doctor.storage import store_of
from click_auth.errors import AuthError, StorageUnavailable
from click_auth.http.call import Call, TransportFailed, send
from click_auth.http.client import CERTIFICATE_VARIABLES, proxy_error
from click_auth.login.browser import choose_browser
from click_auth.providers import Provider, ProviderContext

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from click_auth.context import Context

SECONDS = 8.0  # two bounded calls of the keyring, and a little
SERVER_SECONDS = 5.0
SERVERS_SECONDS = 15.0
LARGEST_CLOCK_DIFFERENCE_SECONDS = 60.0

_LIBRARIES = ("click", "keyring", "portalocker", "pydantic")
_MOST_SERVICES = 10
_SERVER_ERROR = 500


def examine(context: Context) -> Report:
    """Return what can be said of an application and its surroundings, each check bounded.

    Writes nothing. No secret is in the report, and none of an account is read.
    """
    found: list[Check] = []
    for name, look in _EXAMINATIONS.items():
        seconds = SECONDS + (SERVERS_SECONDS if name == "server" else 0.0)
        found += run_check(name, partial(look, context), seconds)
    return Report(tuple(found))


def versions(context: Context) -> Iterator[Check]:
    """Yield a check for each version that matters."""
    yield Check("click-auth", __version__, str(Path(__file__).parent.parent))
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    yield Check("Python", python, sys.executable)
    yield Check("platform", platform.platform(), "")
    yield from map(_version, sorted((*_LIBRARIES, context.settings.http)))


def _version(name: str) -> Check:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return Check(name, metadata.version(name), "installed")
    if find_spec(name) is None:
        return Check(name, "not installed", "", "fail", f"Install {name} beside click-auth.")
    # A frozen program has the modules and none of the facts.
    return Check(name, "version unknown", "installed")


def overrides(context: Context) -> Iterator[Check]:
    """Yield each variable that is set: its value, unless that is secret, and its effect.

    Raises `AuthError` where a token, account or instance cannot be used.
    """
    env, effects = context.environment, _effects(context)
    found = {name: env.environ[name] for name in effects if env.environ.get(name, "").strip()}
    for name, value in found.items():
        effect, applies = effects[name]
        is_address = "://" in value or name.endswith("INSTANCE")
        shown = without_password(value) if is_address else printable(value)
        if name in (env.token_env, env.name("CLIENT_SECRET"), env.name("AUTH_KEY")):
            shown = "set"
        yield Check(name, f"{shown}; {effect if applies else 'no effect'}", "environment")
    if not found:
        yield Check("environment", "no overrides", "")
    instance = context.instance(None)
    override = find_override(context)
    if override is not None:
        override[1](context, instance)
    elif env.account is not None:
        store_of(context).record(env.account)


def _effects(context: Context) -> dict[str, tuple[str, bool]]:
    """Return for each variable what it does, and whether it does it here and now."""
    env, settings, services = context.environment, context.settings, context.services
    is_any_url = services.has_instances and services.choices is None
    is_taken = context.takes_tokens(None)
    is_token = is_taken and env.token is not None
    is_client = is_taken and not is_token and env.client_credentials is not None
    is_free = not (is_token or is_client)
    client = ("client credentials, used instead of any stored account", is_client)
    job = "ID token to exchange for an access token, if the service takes one"
    trusted = "trusted certificates, unless the application sets its own"
    return {
        env.token_env or "": ("used instead of any stored account, never refreshed", is_taken),
        env.account_env or "": ("account to use without --user", is_free),
        env.name("TOKEN_INSTANCE"): ("service that the token and client are for", is_any_url),
        env.name("INSTANCE"): ("service to use without --instance", services.has_instances),
        env.name("CLIENT_ID"): client,
        env.name("CLIENT_SECRET"): client,
        env.name("ID_TOKEN_FILE"): (job, is_taken and is_free),
        env.name("AUTH_STORAGE"): ("where new tokens are stored", settings.store is None),
        env.name("AUTH_KEY"): ("key that encrypts stored tokens", settings.store is None),
        env.name("AUTH_KEY_FILE"): ("file that holds that key", settings.store is None),
        env.name("KEYRING_TIMEOUT"): ("keyring timeout in seconds", settings.store is None),
        env.name("CONFIG_DIR"): ("folder for records and locks", settings.folder is None),
        env.name("AUTH_DEBUG"): ("debug log on stderr, without secrets", env.debug),
        env.name("NO_BROWSER"): ("URLs are printed, not opened", env.browser_forbidden),
        "ACCESSIBLE": ("no moving lines", env.environ.get("ACCESSIBLE", "").strip() != "0"),
        "BROWSER": ("browser for logins, if installed and not text-only", True),
        **{name: (trusted, context.http.trust == name) for name in CERTIFICATE_VARIABLES},
    }


def browser(context: Context) -> Iterator[Check]:
    """Yield the browser that a login would open, or why none."""
    env, own = context.environment, context.settings.browser
    found = choose_browser(env, own)
    hint = "Logins print a URL to open in any browser. Set $BROWSER to choose one."
    is_meant = found.reason is None or env.browser_forbidden
    source = "detected" if own is None else "Auth.override(browser=)"
    yield advise("browser", found.describe(), source, None if is_meant else hint)


def tls(context: Context) -> Iterator[Check]:
    """Yield whose certificates are trusted. Raises `AuthError` where they are not there."""
    given, verify = context.settings.http_options or {}, context.http.options.get("verify")
    if verify is False:
        hint = "Anyone on the network path can read tokens. Remove verify=False."
        yield advise("TLS", "certificate verification is OFF", "Auth(http_options=)", hint)
    elif callable(given) or not {"verify", "transport"}.isdisjoint(given):
        yield Check("TLS", "set by the application", "Auth(http_options=)")
    else:
        yield Check("TLS", f"certificates from {context.http.trust}", ssl.OPENSSL_VERSION)


def proxy(context: Context) -> Iterator[Check]:
    """Yield the proxies that requests go through; never with their passwords."""
    options: Mapping[str, Any] = {}
    with contextlib.suppress(AuthError):  # certificates that are not there; `tls` says so
        options = context.http.options
    if "transport" in options or options.get("proxy") or options.get("proxies"):
        yield Check("proxy", "set by the application", "Auth(http_options=)")
        return
    found = getproxies() if options.get("trust_env", True) else {}
    problem = proxy_error(context.http.module) if found else None
    if problem is not None:
        yield report_error("proxy", problem, "environment")
        return
    used = "; ".join(f"{scheme}: {without_password(found[scheme])}" for scheme in found)
    yield Check("proxy", used or "none", "environment" if used else "")


def servers(context: Context) -> Iterator[Check]:
    """Yield for each service whether it responds, and how far its clock is from ours."""
    instances = _instances(context)[:_MOST_SERVICES]
    seconds = min(SERVER_SECONDS, SERVERS_SECONDS / len(instances))
    for instance in instances:
        yield from run_check("server", partial(_server, context, instance, seconds), seconds + 1.0)


def _instances(context: Context) -> list[str | None]:
    """Return the services to ask: those known beforehand, else those in use, else the default."""
    if context.services.choices is not None or not context.services.has_instances:
        return list(context.services.choices or (None,))
    used = [context.instance(None)]
    with contextlib.suppress(StorageUnavailable):
        records = store_of(context).records.document().records
        used += [record.instance for record in records.values()]
    return list(dict.fromkeys(filter(None, used))) or [None]


def _server(context: Context, instance: str | None, seconds: float) -> Iterator[Check]:
    # With a cache of its own: what another process remembers of the server proves nothing.
    provider = context.services.provider(instance).with_context(ProviderContext(context.http))
    about = "" if instance is None else f"{without_password(instance)}: "
    if not provider.service_url:
        yield Check("server", f"{about}no server to contact", type(provider).__name__)
        return
    source = provider.service_url.partition("?")[0]
    ask = partial(_ask, provider, provider.service_url, about, seconds)
    yield from run_check("server", ask, seconds + 0.5, source)


def _ask(provider: Provider, url: str, about: str, seconds: float) -> Iterator[Check]:
    started, source = time.monotonic(), url.partition("?")[0]
    value, hint = "metadata found", None
    try:
        if not provider.check_metadata(seconds):
            status = _status(provider, url, seconds)
            value = f"returned status {status}"
            hint = AuthError.try_later if status >= _SERVER_ERROR else None
    except TransportFailed as error:
        hint = "Check the network, the proxy and the URL. Your stored credentials are safe."
        yield Check("server", about + error.reason, source, "fail", hint)
    else:
        value = f"{about}{value} in {time.monotonic() - started:.2f} s"
        yield advise("server", value, source, hint)
    difference = provider.http.clock_difference(url)
    if difference is not None:
        side = "behind" if difference > 0 else "ahead of"
        value = f"{about}{abs(difference):.0f} s {side} the server's"
        is_off = abs(difference) > LARGEST_CLOCK_DIFFERENCE_SECONDS
        hint = "Set this machine's clock: ID tokens may be rejected, and displayed times are wrong."
        yield advise("clock", value, f"Date of {source}", hint if is_off else None)


def _status(provider: Provider, url: str, seconds: float) -> int:
    try:
        return send(provider.http, Call(url), seconds).status
    except TransportFailed as failed:
        if failed.status is None:
            raise
        return failed.status  # nobody needs its body


_EXAMINATIONS = {
    "versions": versions,
    "folder": storage.folder,
    "record file": storage.records,
    "locks": storage.locks,
    "migration": storage.migration,
    "storage": storage.policy,
    "keyring backend": storage.keyring,
    "pending logins": storage.pending,
    "environment": overrides,
    "browser": browser,
    "TLS": tls,
    "proxy": proxy,
    "server": servers,
}
