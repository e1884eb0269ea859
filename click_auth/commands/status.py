"""The `status` command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from click_auth.commands.attaching import G, attach
from click_auth.commands.options import account_options, flag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from click_auth.console.console import Console
    from click_auth.operations import Operations
    from click_auth.status import StatusContext


def attach_status(
    auth: Operations,
    name: str = "status",
    *,
    cls: type[click.Command] | None = None,
    params: Sequence[click.Parameter] = (),
    fetch_live: Callable[[StatusContext], Mapping[str, Any]] | None = None,
    render_text: Callable[[StatusContext], str | None] | None = None,
    render_json: Callable[[StatusContext], Mapping[str, Any]] | None = None,
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `status` to a group.

    *fetch_live* asks the service for more, with the bundle in effect; it is not called offline
    or where there is no usable token. The rest is as for `attach_login`.
    """

    def status(output: Console, *, all_accounts: bool, offline: bool, **_: Any) -> None:
        """Show who is logged in, and how well."""
        from click_auth.commands.status_body import Renderers, show  # noqa: PLC0415 - the edge

        asked = None if all_accounts else auth.named()
        hooks = Renderers(fetch_live, render_text, render_json)
        click.get_current_context().exit(show(auth, output, asked, hooks, offline=offline))

    own = [
        *account_options(auth, with_all="Show every account."),
        flag("--offline", "Ask nobody; read no secret."),
    ]
    return attach(auth, name, status, own, cls=cls, params=params, **attrs)
