"""The `token` command: the hot path of scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from click_auth.commands.attaching import G, attach
from click_auth.commands.options import account_options, flag
from click_auth.defaults import DEFAULT_MIN_TTL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
        raise ValueError(f"{text!r} is no duration; 90, 30m and 2h are.")
    return float(matched[1]) * _SECONDS[matched[2]]


def attach_token(
    auth: Operations,
    name: str = "token",
    *,
    cls: type[click.Command] | None = None,
    params: Sequence[click.Parameter] = (),
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `token` to a group. The arguments are as for `attach_login`."""

    def token(output: Console, *, min_ttl: float, stored: bool, **_: Any) -> None:
        """Print the access token, renewed first if it must be."""
        from click_auth.credentials import select_credential, select_stored  # noqa: PLC0415 - the edge

        select = select_stored if stored else select_credential
        credential = select(auth.context, *auth.named())
        bundle = credential.bundle(min_ttl)
        output.bare(lambda: _as_json(credential, bundle), bundle.access_token)

    own = [
        *account_options(auth),
        click.Option(
            ["--min-ttl"],
            type=duration,
            default=DEFAULT_MIN_TTL,
            help="Renew it if less than this is left: 90, 30m.",
        ),
        flag("--stored", "Ignore the environment's token."),
    ]
    return attach(auth, name, token, own, cls=cls, params=params, **attrs)


def _as_json(credential: Credential, bundle: TokenBundle) -> dict[str, Any]:
    from click_auth.tokens import rfc3339, to_posix  # noqa: PLC0415 - for JSON only

    return {
        "access_token": bundle.access_token,
        "token_type": bundle.token_type,
        "expires_at": rfc3339(to_posix(bundle.expires_at)),
        "account": None if credential.account is None else credential.account.to_json(),
    }
