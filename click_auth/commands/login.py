"""The `login` command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from click_auth.commands.attaching import attach
from click_auth.commands.options import flag, instance_parameters, user_parameter
from click_auth.defaults import LOGIN_TIMEOUT
from click_auth.providers import options as offered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from click_auth.auth import Auth
    from click_auth.commands.output import Human, Json
    from click_auth.results import LoginContext

G = TypeVar("G", bound=click.Group)

_LONGEST_WAIT = 24 * 60 * 60.0  # seconds


def attach_login(
    auth: Auth,
    name: str = "login",
    *,
    cls: type[click.Command] | None = None,
    params: Sequence[click.Parameter] = (),
    on_login: Callable[[LoginContext], object] | None = None,
    render_text: Callable[[LoginContext], str | None] | None = None,
    render_json: Callable[[LoginContext], Mapping[str, Any]] | None = None,
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `login` to a group.

    *on_login* sees who logged in before anything is stored, and may raise to refuse.
    *render_text* and *render_json* replace what is printed. *cls*, *params* and *attrs* are
    those of `click.command`. Raises TypeError above what is no `click.Group`, and ValueError
    where the group has the name already.
    """

    def login(output: Human | Json, **options: Any) -> None:
        """Log in, through the browser."""
        from click_auth.commands.login_body import log_in  # noqa: PLC0415 - the edge

        hooks = (on_login, render_text, render_json)
        log_in(auth, output, hooks, options)

    def decorate(group: G) -> G:
        attach(auth, name, login, _options(auth), cls=cls, params=params, **attrs)(group)
        auth.login_path.attached(group, name)
        return group

    return decorate


def _options(auth: Auth) -> list[click.Parameter]:
    """Return the options that the provider's login has, and no others."""
    possible = [
        user_parameter(auth, "Who should log in; anybody else is refused."),
        click.Option(
            [offered.SCOPE, "scopes"],
            multiple=True,
            metavar="SCOPE",
            help="Ask for this scope too. May be given several times.",
        ),
        flag(offered.READ_ONLY, "Ask for reading only."),
        flag(offered.NO_BROWSER, "Print the address, open nothing."),
        flag(offered.DEVICE, "Show a code to enter on another device."),
        flag(offered.WITH_TOKEN, "Read a token from standard input."),
        click.Option(
            [offered.CALLBACK_PORT],
            type=click.IntRange(1, 65535),
            help="Listen for the browser's answer on this port.",
        ),
        click.Option(
            [offered.TIMEOUT],
            type=click.FloatRange(min=0, max=_LONGEST_WAIT, min_open=True),
            default=LOGIN_TIMEOUT,
            metavar="SECONDS",
            help="Wait this long for the browser's answer.",
            show_default=True,
        ),
    ]
    storage = click.Option(
        ["--storage"],
        type=click.Choice(["system", "fallback", "plaintext"]),
        help="Where to keep the credential.",
    )
    has = auth.core.services.login_options
    chosen = [option for option in possible if has.issuperset(option.opts)]
    return [*chosen, storage, *instance_parameters(auth)]
