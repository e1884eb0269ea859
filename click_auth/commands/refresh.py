"""The `refresh` command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.commands.attaching import G, attach
from click_auth.commands.options import account_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import click

    from click_auth.console.console import Console
    from click_auth.operations import Operations


def attach_refresh(
    auth: Operations,
    name: str = "refresh",
    *,
    cls: type[click.Command] | None = None,
    params: Sequence[click.Parameter] = (),
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `refresh` to a group. Arguments are as for `attach_login`."""

    def refresh(output: Console, **_: Any) -> None:
        """Rotate the stored credential now."""
        from click_auth.refresh import rotate_now  # noqa: PLC0415 - the edge
        from click_auth.tokens import from_posix, local_time, rfc3339  # noqa: PLC0415

        record = rotate_now(auth.context, *auth.named()).record
        expires_at = rfc3339(record.access_token_expires_at)
        moment = from_posix(record.access_token_expires_at)
        until = "" if moment is None else f", good until {local_time(moment)}"
        output.done(f"Renewed the credential of {record.account.title}{until}.")
        as_json = {"account": record.account.to_json(), "expires_at": expires_at}
        output.result(lambda: as_json, None)

    return attach(auth, name, refresh, account_options(auth), cls=cls, params=params, **attrs)
