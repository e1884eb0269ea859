"""The `token` command: the hot path of scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from click_auth.commands.options import account_options, flag
from click_auth.console.console import echo
from click_auth.defaults import DEFAULT_MIN_TTL
from click_auth.tokens import rfc3339, to_posix

if TYPE_CHECKING:
    from click_auth.commands.options import Parts
    from click_auth.console.console import Console
    from click_auth.credentials import Credential
    from click_auth.operations import Operations
    from click_auth.tokens import TokenBundle

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = r"(\d+(?:\.\d+)?)([smhd]?)"


def duration(text: str) -> float:
    """Return the seconds in `90`, `30m` or `2h`. Raises ValueError."""
    matched = re.fullmatch(_DURATION, str(text).strip())
    if matched is None:
        raise ValueError(f"{text!r} is not a duration. Use 90, 30m or 2h, for example.")
    return float(matched[1]) * _SECONDS[matched[2]]


def min_ttl_option() -> click.Option:
    """Return `--min-ttl`, in seconds."""
    text = "Refresh if it expires sooner than this (e.g. 90 or 30m)."
    return click.Option(["--min-ttl"], type=duration, default=DEFAULT_MIN_TTL, help=text)


def build(auth: Operations) -> Parts:
    """Return what `token` does, and its options."""

    def token(
        console: Console,
        *,
        user: str | None,
        instance: str | None = None,
        min_ttl: float,
        stored: bool,
        format_name: str | None,
    ) -> None:
        """Print an access token, refreshing it first if needed."""
        select = auth.stored_credential if stored else auth.credential
        credential = select(user, instance)
        bundle = credential.bundle(min_ttl)
        if format_name is None:
            console.bare(lambda: _as_json(credential, bundle), bundle.access_token)
        elif console.is_json:
            raise click.UsageError("Use --format or --json, not both.")
        else:
            from click_auth.commands.credential_formats import formatted  # noqa: PLC0415 - then only

            echo(formatted(format_name, credential.provider, bundle, variable), err=False)

    variable = auth.context.environment.token_env or auth.context.environment.name("TOKEN")
    formats = click.Choice(["header", "env", "exec-credential"])
    return token, [
        *account_options(auth),
        min_ttl_option(),
        click.Option(
            ["--format", "format_name"], type=formats, help="Print it for curl, a shell or kubectl."
        ),
        flag("--stored", "Ignore the token in the environment."),
    ]


def _as_json(credential: Credential, bundle: TokenBundle) -> dict[str, Any]:
    return {
        "access_token": bundle.access_token,
        "token_type": bundle.token_type,
        "expires_at": rfc3339(to_posix(bundle.expires_at)),
        "account": None if credential.account is None else credential.account.to_json(),
    }
