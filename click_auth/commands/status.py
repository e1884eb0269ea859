"""The `status` command."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from click_auth.commands.application import account_options
from click_auth.commands.command import flag
from click_auth.console.console import Console, columns
from click_auth.console.text import printable, wrap
from click_auth.defaults import PLACES
from click_auth.errors import AuthError
from click_auth.record import local_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from click_auth.commands.command import AsJson, AsText, Parts
    from click_auth.operations import Operations
    from click_auth.status import Status, StatusContext

_COLORS = {"ok": "green", "none": "yellow", "unreachable": "yellow"}
_SOURCES = {
    "env": "the environment",
    **PLACES,
    "client_credentials": "client credentials",
    "workload": "this CI job's identity",
    "custom": "the application's own store",
}
_NO_REFRESH = "none (log in again when the token expires)"
_NARROWEST = 16  # columns
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def build(auth: Operations, fetch_live: AsJson, render_text: AsText, render_json: AsJson) -> Parts:
    """Return what `status` does, and its options."""
    as_text = render_text or (lambda context: _describe(auth, context))
    as_json = render_json or (lambda context: context.to_json())

    def status(console: Console, *, all_accounts: bool, offline: bool) -> None:
        """Show who is logged in and whether the session is valid."""
        stored = auth.look_at_all(offline=offline) if all_accounts else []
        found = stored or [auth.look(offline=offline)]
        contexts = [_with_live(each, fetch_live) for each in found]
        texts = [text for each in contexts if (text := as_text(each)) is not None]
        lines = ["\n\n".join(texts)] if texts else []
        for key in _pending_removals(auth):
            line = f"The tokens of {printable(key, 80)} are waiting to be deleted from the keyring."
            lines.append(line)
            console.aside("removal", line, account=key)
        text = "\n".join(lines) if lines else None
        if all_accounts:
            rows = [as_json(each) for each in contexts] if stored else []
            console.result(lambda: {"accounts": rows}, text, rows)
        else:
            console.result(lambda: as_json(contexts[0]), text)
            if found[0].status.reason is not None:
                console.aside("note", found[0].status.reason)
        deciding = [each for each in found if each.status.default] or found
        click.get_current_context().exit(deciding[0].status.exit_code)

    return status, [
        *account_options(auth),
        flag("--all all_accounts", "Show all accounts."),
        flag("--offline", "Don't contact the server or read secrets."),
    ]


def _with_live(context: StatusContext, fetch_live: AsJson) -> StatusContext:
    """Return *context* with what the service says, where it can be asked."""
    if fetch_live is None or context.bundle is None or context.status.state != "ok":
        return context
    return replace(context, live=fetch_live(context))


def _pending_removals(auth: Operations) -> Sequence[str]:
    """Return the keys of removed accounts whose secrets are still there."""
    with suppress(AuthError):  # an environment's token is shown where there is no store at all
        return auth.context.store.pending_removals()
    return ()


def _describe(auth: Operations, context: StatusContext) -> str:
    status = context.status
    if status.state == "none":
        return f"{status.reason}{_login_hint(auth, status)}"
    facts = _facts(auth, context)
    widest = max(len(name) for name, _ in facts) + 4  # two before it, a colon and a space
    width = columns(sys.stdout)
    room = None if width is None else max(width - widest, _NARROWEST)
    lines = [
        f"{f'  {name}:':<{widest}}" + wrap(value, room).replace("\n", "\n" + " " * widest)
        for name, value in facts
    ]
    return "\n".join((_headline(status), *lines))


def _headline(status: Status) -> str:
    account = status.account
    who = "Token from " + _SOURCES[status.source or ""] if account is None else account.title
    state = click.style(status.state, fg=_COLORS.get(status.state, "red"), bold=True)
    return f"{click.style(who, bold=True)}  {state}" + ("  (default)" if status.default else "")


def _facts(auth: Operations, context: StatusContext) -> list[tuple[str, str]]:
    status, account = context.status, context.status.account
    facts = []
    if account is not None and account.instance is not None:
        facts.append(("Instance", printable(account.instance)))
    has_ended = status.state in ("expired", "invalid")
    if status.expires_at is not None:
        facts.append(("Token", _remaining(status.expires_at, is_over=has_ended)))
    if account is not None:
        renewed = "automatic" if status.refreshable else _NO_REFRESH
        facts.append(("Refresh", "session ended" if status.state == "expired" else renewed))
    if status.scopes is not None:
        facts.append(("Scopes", printable(", ".join(status.scopes)) or "none"))
    facts.append(("Stored in", _kept_in(auth, status)))
    if status.reason is not None:
        way_out = _login_hint(auth, status) if has_ended else ""
        facts.append(("Note", f"{status.reason}{way_out}"))
    facts.extend(
        (printable(name, 30), printable(value)) for name, value in (context.live or {}).items()
    )
    return facts


def _login_hint(auth: Operations, status: Status) -> str:
    """Return the line to type, unless a variable would apply after that login as well."""
    if status.account is None and auth.overriding_variable(*auth.resolve()) is not None:
        return ""
    return f" Run `{auth.invocation.login_line()}`."


def _kept_in(auth: Operations, status: Status) -> str:
    if status.source == "env":
        return f"the environment ({auth.context.environment.token_env})"
    if status.source == "plaintext":
        return f"{auth.context.folder / 'auth.json'} (unencrypted)"
    return _SOURCES.get(status.source or "", "unknown")


def _remaining(moment: datetime, *, is_over: bool) -> str:
    seconds = moment.timestamp() - time.time()
    size, unit = next((u for u in _UNITS if abs(seconds) >= u[0]), _UNITS[-1])
    count = int(abs(seconds) // size)
    span = f"{count} {unit}{'' if count == 1 else 's'}"
    when = local_time(moment)
    if seconds > 0:
        return "no longer usable" if is_over else f"expires in {span} ({when})"
    return f"expired {span} ago ({when})"
