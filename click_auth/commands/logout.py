"""The `logout` command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.commands.attaching import G, attach
from click_auth.commands.options import account_options, no_revoke_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import click

    from click_auth.auth import Auth
    from click_auth.commands.output import Human, Json
    from click_auth.results import LogoutContext


def attach_logout(
    auth: Auth,
    name: str = "logout",
    *,
    cls: type[click.Command] | None = None,
    params: Sequence[click.Parameter] = (),
    on_logout: Callable[[LogoutContext], object] | None = None,
    render_text: Callable[[LogoutContext], str | None] | None = None,
    render_json: Callable[[LogoutContext], Mapping[str, Any]] | None = None,
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `logout` to a group.

    *on_logout* is called when all is removed. The rest is as for `attach_login`.
    """

    def logout(output: Human | Json, *, all_accounts: bool, no_revoke: bool, **_: Any) -> None:
        """Log out, here and at the server."""
        from click_auth.results import LogoutContext  # noqa: PLC0415 - the edge

        result = auth.logout(all=all_accounts, revoke=not no_revoke)
        context = LogoutContext(result)
        if on_logout is not None:
            on_logout(context)
        if render_text is None:
            gone = ", ".join(result.removed)
            output.done(f"Logged out: {gone}." if gone else "Nobody was logged in.")
        text = None if render_text is None else render_text(context)
        as_json = result.to_json if render_json is None else lambda: render_json(context)
        output.result(as_json, text)
        if auth.core.environment.token is not None:
            output.voice.warn(f"{auth.core.environment.token_env} is set and still applies.")

    own = [*account_options(auth, with_all="Log every account out."), no_revoke_option()]
    return attach(auth, name, logout, own, cls=cls, params=params, **attrs)
