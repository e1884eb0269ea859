"""Versions, what the end user's environment sets, and the browser that follows from it."""

from __future__ import annotations

import importlib
import platform
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from click_auth._version import __version__
from click_auth.console.text import printable, without_password
from click_auth.credentials import EnvironmentToken
from click_auth.doctor.report import Check, advise
from click_auth.doctor.storage import store_of
from click_auth.http.client import CERTIFICATE_VARIABLES
from click_auth.login.browser import choose_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.context import Context

_LIBRARIES = ("click", "keyring", "portalocker", "pydantic")


def versions(context: Context) -> Iterator[Check]:
    """Yield a check for each version that matters."""
    yield Check("click-auth", __version__, str(Path(__file__).parent.parent))
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    yield Check("Python", python, sys.executable)
    yield Check("platform", platform.platform(), "")
    yield from map(_version, sorted((*_LIBRARIES, context.settings.http)))


def _version(name: str) -> Check:
    with suppress(metadata.PackageNotFoundError):
        return Check(name, metadata.version(name), "installed")
    try:
        importlib.import_module(name)  # a frozen program has the modules and none of the facts
    except ImportError:
        return Check(name, "not installed", "", "fail", f"Install {name} beside click-auth.")
    return Check(name, "version unknown", "imported")


def overrides(context: Context) -> Iterator[Check]:
    """Yield each variable that is set: its value, unless that is secret, and its effect.

    Raises `AuthError` or Click's usage error where a token, account or instance cannot be used.
    """
    env = context.environment
    effects = _effects(context)
    found = [name for name in effects if env.environ.get(name, "").strip()]
    for name in found:
        value, (effect, applies) = env.environ[name], effects[name]
        is_address = "://" in value or name.endswith("INSTANCE")
        shown = without_password(value) if is_address else printable(value)
        if name in (env.token_env, env.name("CLIENT_SECRET"), env.name("AUTH_KEY")):
            shown = "set"
        yield Check(name, f"{shown}; {effect if applies else 'no effect'}", "environment")
    if not found:
        yield Check("environment", "no overrides", "")
    instance = context.instance(None)
    if env.token is not None:
        EnvironmentToken(context, instance)
    elif env.account is not None:
        store_of(context).record(env.account)


def _effects(context: Context) -> dict[str, tuple[str, bool]]:
    """Return for each variable what it does, and whether it does it here and now."""
    env, settings, several = context.environment, context.settings, context.services.has_instances
    is_taken = context.takes_tokens(None)
    is_client = is_taken and env.token is None and env.client_credentials is not None
    client = ("client credentials, used instead of any stored account", is_client)
    trusted = "trusted certificates, unless the application sets its own"
    return {
        env.token_env or "": ("used instead of any stored account, never refreshed", is_taken),
        env.account_env or "": (
            "account to use without --user",
            not (is_taken and env.token),
        ),
        env.name("TOKEN_INSTANCE"): ("service that the token and client are for", several),
        env.name("INSTANCE"): ("service to use without --instance", several),
        env.name("CLIENT_ID"): client,
        env.name("CLIENT_SECRET"): client,
        env.name("ID_TOKEN_FILE"): ("ID token to exchange for an access token", is_taken),
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
