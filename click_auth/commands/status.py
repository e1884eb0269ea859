"""The `status` command."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from click_auth.commands.application import account_options
from click_auth.commands.command import flag
from click_auth.console import terminal
from click_auth.console.text import printable, wrap
from click_auth.defaults import PLACES
from click_auth.errors import AuthError
from click_auth.tokens import local_time, to_posix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from click_auth.commands.command import Parts
    from click_auth.console.console import Console
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


def build(auth: Operations, **hooks: Any) -> Parts:
    """Return what `status` does, and its options."""
    view = _View(auth, **hooks)

    def status(console: Console, *, all_accounts: bool, offline: bool) -> None:
        """Show who is logged in and whether the session is valid."""
        if all_accounts:
            deciding = view.show_all(console, auth.look_at_all(offline=offline))
            deciding = deciding or auth.look(offline=offline)
        else:
            deciding = auth.look(offline=offline)
            view.show(console, deciding)
        click.get_current_context().exit(deciding.status.exit_code)

    return status, [
        *account_options(auth),
        flag("--all all_accounts", "Show all accounts."),
        flag("--offline", "Don't contact the server or read secrets."),
    ]


class _View:
    """How a status is shown: as the application's hooks say, and without them as we do."""

    def __init__(
        self,
        auth: Operations,
        fetch_live: Callable[[StatusContext], Mapping[str, Any]] | None,
        render_text: Callable[[StatusContext], str | None] | None,
        render_json: Callable[[StatusContext], Mapping[str, Any]] | None,
    ) -> None:
        self._auth, self._fetch_live = auth, fetch_live
        self._as_text = render_text or (lambda context: _describe(auth, context))
        self._as_json = render_json or (lambda context: context.to_json())

    def show(self, console: Console, found: StatusContext) -> None:
        """Print one status."""
        context = self._with_live(found)
        text = self._with_removals(console, self._as_text(context))
        console.result(lambda: self._as_json(context), text)
        if context.status.reason is not None:
            console.aside("note", context.status.reason)

    def show_all(self, console: Console, found: Sequence[StatusContext]) -> StatusContext | None:
        """Print the status of every account; return the default one's, else the first."""
        contexts = [self._with_live(each) for each in found]
        rows = [self._as_json(each) for each in contexts]
        texts = [text for each in contexts if (text := self._as_text(each)) is not None]
        text = self._with_removals(console, "\n\n".join(texts) or "Not logged in.")
        console.result(lambda: {"accounts": rows}, text, rows)
        return next((each for each in found if each.status.default), found[0] if found else None)

    def _with_live(self, context: StatusContext) -> StatusContext:
        """Return *context* with what the service says, where it can be asked."""
        if self._fetch_live is None or context.bundle is None or context.status.state != "ok":
            return context
        return replace(context, live=self._fetch_live(context))

    def _with_removals(self, console: Console, text: str | None) -> str | None:
        """Return *text* with a line on each removed account whose secrets are still there."""
        lines: list[str] = [] if text is None else [text]
        pending: Sequence[str] = ()
        with suppress(AuthError):  # an environment's token is shown where there is no store at all
            pending = self._auth.context.store.pending_removals()
        for key in pending:
            line = f"The tokens of {printable(key, 80)} are waiting to be deleted from the keyring."
            lines.append(line)
            console.aside("removal", line, account=key)
        return "\n".join(lines) if lines else None


def _describe(auth: Operations, context: StatusContext) -> str:
    status = context.status
    if status.state == "none":
        return f"{status.reason} Run `{auth.invocation.login_line()}`."
    facts = _facts(auth, context)
    widest = max(len(name) for name, _ in facts) + 4  # two before it, a colon and a space
    width = terminal.columns(sys.stdout)
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
        way_out = f" Run `{auth.invocation.login_line()}`." if has_ended else ""
        facts.append(("Note", f"{status.reason}{way_out}"))
    facts.extend(
        (printable(name, 30), printable(value)) for name, value in (context.live or {}).items()
    )
    return facts


def _kept_in(auth: Operations, status: Status) -> str:
    if status.source == "env":
        return f"the environment ({auth.context.environment.token_env})"
    if status.source == "plaintext":
        return f"{auth.context.folder / 'auth.json'} (unencrypted)"
    return _SOURCES.get(status.source or "", "unknown")


def _remaining(moment: datetime, *, is_over: bool) -> str:
    seconds = (to_posix(moment) or 0.0) - time.time()
    size, unit = next((u for u in _UNITS if abs(seconds) >= u[0]), _UNITS[-1])
    count = int(abs(seconds) // size)
    span = f"{count} {unit}{'' if count == 1 else 's'}"
    when = local_time(moment)
    if seconds > 0:
        return "no longer usable" if is_over else f"expires in {span} ({when})"
    return f"expired {span} ago ({when})"
