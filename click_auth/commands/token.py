"""The `token` command: the hot path of scripts."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click

from click_auth.commands.application import account_options
from click_auth.commands.command import flag, option
from click_auth.console.console import Console, echo
from click_auth.defaults import DEFAULT_MIN_TTL
from click_auth.record import TokenBundle, rfc3339, to_posix

if TYPE_CHECKING:
    from click_auth.commands.command import Parts
    from click_auth.credentials import Credential
    from click_auth.operations import Operations
    from click_auth.providers import Provider

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = r"(\d+(?:\.\d+)?)([smhd]?)"
_FORMATS = ["header", "env", "exec-credential"]


def duration(text: str) -> float:
    """Return the seconds in `90`, `30m` or `2h`. Raises ValueError."""
    matched = re.fullmatch(_DURATION, str(text).strip())
    if matched is None:
        raise ValueError(f"{text!r} is not a duration. Use 90, 30m or 2h, for example.")
    return float(matched[1]) * _SECONDS[matched[2]]


def min_ttl_option() -> click.Option:
    """Return `--min-ttl`, in seconds."""
    text = "Refresh if it expires sooner than this (e.g. 90 or 30m)."
    return option("--min-ttl", text, type=duration, default=DEFAULT_MIN_TTL)


def build(auth: Operations) -> Parts:
    """Return what `token` does, and its options."""

    def token(console: Console, *, min_ttl: float, stored: bool, format_name: str | None) -> None:
        """Print an access token, refreshing it first if needed."""
        credential = auth.stored_credential() if stored else auth.credential()
        bundle = credential.bundle(min_ttl)
        if format_name is not None:
            if console.is_json:
                raise click.UsageError("Use --format or --json, not both.")
            echo(_format(format_name, credential.provider, bundle, variable), err=False)
            return
        console.bare(lambda: _as_json(credential, bundle), bundle.access_token)

    variable = auth.context.environment.token_env or auth.context.environment.name("TOKEN")
    formats, text = click.Choice(_FORMATS), "Print it for curl, a shell or kubectl."
    return token, [
        *account_options(auth),
        min_ttl_option(),
        option("--format format_name", text, type=formats),
        flag("--stored", "Ignore the token in the environment."),
    ]


def _as_json(credential: Credential, bundle: TokenBundle) -> dict[str, Any]:
    return {
        "access_token": bundle.access_token,
        "token_type": bundle.token_type,
        "expires_at": rfc3339(to_posix(bundle.expires_at)),
        "account": None if credential.account is None else credential.account.to_json(),
    }


def _format(name: str, provider: Provider, bundle: TokenBundle, variable: str) -> str:
    """Return the token for another program: in HTTP's words, a shell's or kubectl's."""
    if name == "header":  # the lines that carry it to the API, for `curl -H`
        request: Any = SimpleNamespace(headers={}, method="GET", url=provider.api_url or "")
        provider.apply(request, bundle)
        return "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    if name == "env":
        import shlex  # noqa: PLC0415 - for this format only

        return f"export {variable}={shlex.quote(bundle.access_token)}"
    status = {"token": bundle.access_token}
    expires_at = rfc3339(to_posix(bundle.expires_at))
    if expires_at is not None:
        status = {"expirationTimestamp": expires_at, **status}
    kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    return json.dumps({**kind, "status": status})
