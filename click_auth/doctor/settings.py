"""What the end user's environment sets, with its effect, and the browser that follows from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from click_auth.credentials import EnvironmentToken
from click_auth.doctor.subject import document_of
from click_auth.environment import POLICIES
from click_auth.errors import AuthError
from click_auth.login.browser import Browser, find_browser
from click_auth.results import Check, Verdict
from click_auth.stores.selection import select
from click_auth.text import inert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click_auth.core import Core

_UNSEEN = "set"


class _Effect(NamedTuple):
    text: str
    verdict: Verdict = "ok"
    hint: str | None = None


def overrides(core: Core) -> Iterator[Check]:
    """Yield each variable that is set: its value, unless that is secret, and its effect."""
    is_any_set = False
    for name, is_secret, effect_of in _known(core):
        value = core.environment.environ.get(name, "").strip()
        if value:
            is_any_set = True
            effect = effect_of(core, value)
            shown = _UNSEEN if is_secret else inert(value)
            yield Check(name, f"{shown}; {effect.text}", "environment", *effect[1:])
    if not is_any_set:
        yield Check("environment", "nothing overridden", "")


def browser(core: Core) -> Iterator[Check]:
    """Yield the browser that a login would open, or why none."""
    environment = core.environment
    if core.settings.browser is not None:
        yield Check("browser", "the application's own", "Auth.override(browser=)")
    elif environment.browser_forbidden:
        yield Check("browser", "none: it is forbidden", environment.name("NO_BROWSER"))
    else:
        found = find_browser(environment.environ)
        source = "$BROWSER" if _is_browser(core, environment.environ.get("BROWSER", "")) else ""
        if isinstance(found, Browser):
            yield Check("browser", found.describe(), source or "detected")
            return
        hint = "A login prints its address: open it in any browser, or name one in $BROWSER."
        yield Check("browser", found.describe(), "detected", "warn", hint)


def _known(core: Core) -> Iterator[tuple[str, bool, Callable[[Core, str], _Effect]]]:
    """Yield the name of each variable, whether its value is secret, and what tells its effect."""
    environment = core.environment
    for name, is_secret, effect in (
        (environment.token_env, True, _token),
        (environment.account_env, False, _account),
        (environment.name("INSTANCE"), False, _instance),
        (environment.name("CLIENT_ID"), False, _client),
        (environment.name("CLIENT_SECRET"), True, _client),
        (environment.name("AUTH_STORAGE"), False, _storage),
        (environment.name("CONFIG_DIR"), False, _folder),
        (environment.name("AUTH_DEBUG"), False, _debug),
        (environment.name("NO_BROWSER"), False, _no_browser),
        ("BROWSER", False, _browser),
    ):
        if name is not None:
            yield name, is_secret, effect


def _token(core: Core, value: str) -> _Effect:
    try:
        EnvironmentToken(core, None, value)
    except AuthError as error:
        return _Effect("cannot be sent", "fail", error.message)
    return _Effect("used instead of every stored account, never renewed")


def _account(core: Core, value: str) -> _Effect:
    token_env = core.environment.token_env
    if core.environment.token is not None:
        return _Effect(f"no effect while {token_env} is set")
    document = document_of(core)
    if document is not None:
        try:
            select((record.account for record in document.records.values()), value)
        except AuthError as error:
            return _Effect(error.message, "fail", " ".join(error.hints))
    return _Effect("the account where no --user is given")


def _instance(core: Core, value: str) -> _Effect:
    services = core.services
    if not services.has_instances:
        return _Effect("no effect: this application knows one service", "warn", "Unset it.")
    if services.choices is not None and value not in services.choices:
        return _Effect("not known here", "fail", f"Use one of {', '.join(services.choices)}.")
    return _Effect("the service where no --instance is given")


def _client(core: Core, value: str) -> _Effect:
    del value
    environment = core.environment
    if environment.token is not None:
        return _Effect(f"no effect while {environment.token_env} is set")
    if environment.client_credentials is None:
        both = f"{environment.name('CLIENT_ID')} and {environment.name('CLIENT_SECRET')}"
        return _Effect("no effect alone", "warn", f"Set both {both}, or neither.")
    return _Effect("client credentials, used instead of every stored account")


def _storage(core: Core, value: str) -> _Effect:
    if value not in POLICIES:
        return _Effect("no such policy", "fail", f"Use one of {', '.join(POLICIES)}.")
    if core.settings.store is not None:
        return _Effect("no effect: Auth(store=) was given")
    return _Effect("where new tokens go")


def _folder(core: Core, value: str) -> _Effect:
    del value
    if core.settings.folder is not None:
        return _Effect("no effect: Auth(folder=) was given")
    return _Effect("where records and locks are")


def _debug(core: Core, value: str) -> _Effect:
    del value
    on = "what happens is logged on stderr, secrets never"
    return _Effect(on if core.environment.debug else "no effect")


def _no_browser(core: Core, value: str) -> _Effect:
    del value
    forbidden = core.environment.browser_forbidden
    return _Effect("pages are printed, not opened" if forbidden else "no effect")


def _browser(core: Core, value: str) -> _Effect:
    if _is_browser(core, value):
        return _Effect("opens the pages of a login")
    return _Effect("no effect: not here, or a text browser")


def _is_browser(core: Core, setting: str) -> bool:
    """Return whether `$BROWSER` names one that is used: in a CI job nothing else would be."""
    path = core.environment.environ.get("PATH", os.defpath)
    return isinstance(find_browser({"BROWSER": setting, "PATH": path, "CI": "1"}), Browser)
