"""What `status` does when it is called."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from click_auth.console.text import printable
from click_auth.errors import AuthError
from click_auth.status import look, look_at_all
from click_auth.tokens import local_time, to_posix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from click_auth.console.console import Console
    from click_auth.operations import Operations
    from click_auth.status import Status, StatusContext

_COLORS = {"ok": "green", "none": "yellow", "unreachable": "yellow"}
_SOURCES = {
    "env": "the environment",
    "system": "the system keyring",
    "plaintext": "a file, in plain text",
    "client_credentials": "client credentials",
    "custom": "the application's own store",
}
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(eq=False, repr=False)  # made by each `status`: no method that nobody calls
class Renderers:
    """The hooks of `attach_status`."""

    fetch_live: Callable[[StatusContext], Mapping[str, Any]] | None
    render_text: Callable[[StatusContext], str | None] | None
    render_json: Callable[[StatusContext], Mapping[str, Any]] | None

    def live(self, context: StatusContext) -> StatusContext:
        """Return *context* with what the service says, where it can be asked."""
        if self.fetch_live is None or context.bundle is None or context.status.state != "ok":
            return context
        return replace(context, live=self.fetch_live(context))

    def text(self, auth: Operations, context: StatusContext) -> str | None:
        """Return the status as a person reads it."""
        return _described(auth, context) if self.render_text is None else self.render_text(context)

    def json(self, context: StatusContext) -> Mapping[str, Any]:
        """Return the status as a program reads it."""
        return context.to_json() if self.render_json is None else self.render_json(context)


def show(
    auth: Operations,
    output: Console,
    asked: tuple[str | None, str | None] | None,
    hooks: Renderers,
    *,
    offline: bool,
) -> int:
    """Print the status of what was *asked* for, of all accounts where that is None.

    Returns the exit code: that of the one, or of the default account.
    """
    if asked is not None:
        context = hooks.live(look(auth.context, *asked, offline=offline))
        text = _with_removals(auth, output, hooks.text(auth, context))
        output.result(lambda: hooks.json(context), text)
        if context.status.reason is not None:
            output.aside("note", context.status.reason)
        return context.status.exit_code
    contexts = [hooks.live(each) for each in look_at_all(auth.context, offline=offline)]
    rows = [hooks.json(each) for each in contexts]
    texts = [text for each in contexts if (text := hooks.text(auth, each)) is not None]
    text = _with_removals(auth, output, "\n\n".join(texts) or "Not logged in.")
    output.result(lambda: {"accounts": rows}, text, rows)
    deciding = [each for each in contexts if each.status.default] or contexts
    deciding = deciding or [look(auth.context, offline=offline)]
    return deciding[0].status.exit_code


def _with_removals(auth: Operations, output: Console, text: str | None) -> str | None:
    """Return *text* with a line on each removed account whose secrets are still there."""
    lines: list[str] = [] if text is None else [text]
    pending: Sequence[str] = ()
    with suppress(AuthError):  # an environment's token is shown where there is no store at all
        pending = auth.context.store.pending_removals()
    for key in pending:
        line = f"The tokens of {printable(key, 80)} wait to be deleted from the keyring."
        lines.append(line)
        output.aside("removal", line, account=key)
    return "\n".join(lines) if lines else None


def _described(auth: Operations, context: StatusContext) -> str:
    status = context.status
    if status.state == "none":
        return f"{status.reason} Run `{auth.invocation.login_line()}`."
    lines = (f"  {name + ':':<12} {value}" for name, value in _facts(auth, context))
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
    if status.expires_at is not None:
        facts.append(("Token", _remaining(status.expires_at)))
    if account is not None:
        renewed = "renews itself" if status.refreshable else "ends when its token does"
        facts.append(("Session", "over" if status.state == "expired" else renewed))
    if status.scopes is not None:
        facts.append(("Scopes", printable(", ".join(status.scopes)) or "none"))
    facts.append(("Kept in", _kept_in(auth, status)))
    if status.reason is not None:
        facts.append(("Note", status.reason))
    facts.extend(
        (printable(name, 30), printable(value)) for name, value in (context.live or {}).items()
    )
    return facts


def _kept_in(auth: Operations, status: Status) -> str:
    if status.source == "env":
        return f"{auth.context.environment.token_env}, in the environment"
    if status.source == "plaintext":
        return f"{auth.context.folder / 'auth.json'}, in plain text"
    return _SOURCES.get(status.source or "", "unknown")


def _remaining(moment: datetime) -> str:
    seconds = (to_posix(moment) or 0.0) - time.time()
    size, unit = next((u for u in _UNITS if abs(seconds) >= u[0]), _UNITS[-1])
    count = int(abs(seconds) // size)
    span = f"{count} {unit}{'' if count == 1 else 's'}"
    when = local_time(moment)
    return f"expires in {span} ({when})" if seconds > 0 else f"expired {span} ago ({when})"
