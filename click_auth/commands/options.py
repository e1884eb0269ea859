"""The options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from click_auth import asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from click_auth.auth import Auth


def account_options(auth: Auth, *, with_all: str | None = None) -> list[click.Parameter]:
    """Return `--user`, `--instance` where there are several, and `--all` where it has a help."""
    options: list[click.Parameter] = [user_parameter(auth), *instance_parameters(auth)]
    if with_all is not None:
        options.append(click.Option(["--all", "all_accounts"], is_flag=True, help=with_all))
    return options


def flag(name: str, text: str) -> click.Option:
    """Return an option without a value; *text* is its help."""
    return click.Option([name], is_flag=True, help=text)


def no_revoke_option() -> click.Option:
    """Return `--no-revoke`."""
    return flag("--no-revoke", "Do not tell the server.")


def user_parameter(
    auth: Auth, text: str = "Which account: a key, an id or a label."
) -> click.Option:
    """Return `--user REF`; what it is given is remembered for the running command."""
    return click.Option(
        ["--user"],
        metavar="REF",
        help=text,
        expose_value=False,
        callback=_remembering(auth, asked.USER),
        shell_complete=_completing_accounts(auth),
    )


def account_argument(auth: Auth) -> click.Argument:
    """Return the argument REF, completed with the stored accounts."""
    return click.Argument(["ref"], metavar="REF", shell_complete=_completing_accounts(auth))


def instance_parameters(auth: Auth) -> list[click.Parameter]:
    """Return `--instance` where the application knows several services."""
    services = auth.core.services
    if not services.has_instances:
        return []
    choices = services.choices
    return [
        click.Option(
            ["--instance"],
            type=None if choices is None else click.Choice(choices),
            help="Which service, by name or address.",
            expose_value=False,
            callback=_remembering(auth, asked.INSTANCE),
            shell_complete=None if choices else _completing_instances(auth),
        )
    ]


def user_option(auth: Auth) -> Callable[[Any], Any]:
    """Return the decorator of `Auth.user_option`."""

    def decorate(command: Any) -> Any:
        parameters = account_options(auth)
        if isinstance(command, click.Command):
            command.params.extend(parameters)
        else:
            declared = getattr(command, "__click_params__", [])
            command.__click_params__ = [*declared, *reversed(parameters)]
        return command

    return decorate


def completed_accounts(auth: Auth, incomplete: str) -> list[CompletionItem]:
    """Return the accounts that begin with *incomplete*; never fails, never asks for a secret."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - completion only

    try:
        identities, _default = auth.core.store.listing()
    except click.ClickException:
        return []
    return [
        CompletionItem(identity.key, help=identity.label)
        for identity in identities
        if identity.key.startswith(incomplete)
    ]


def _completing_accounts(auth: Auth) -> Any:
    return lambda _context, _parameter, incomplete: completed_accounts(auth, incomplete)


def _completing_instances(auth: Auth) -> Any:
    def complete(
        _context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[str]:
        try:
            identities, _default = auth.core.store.listing()
        except click.ClickException:
            return []
        known = {each.instance for each in identities if each.instance is not None}
        return sorted(name for name in known if name.startswith(incomplete))

    return complete


def _remembering(auth: Auth, name: str) -> Any:
    def callback(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        asked.remember(auth, name, value)

    return callback
