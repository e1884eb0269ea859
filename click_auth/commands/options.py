"""The options that several commands share, and how a shell completes them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from click_auth.console.text import printable
from click_auth.invocation import INSTANCE, USER

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from click_auth.account import Account
    from click_auth.operations import Operations

    Body = Callable[..., Any]
    Parts = tuple[Body, list[click.Parameter]]


def account_options(auth: Operations, *, with_all: str | None = None) -> list[click.Parameter]:
    """Return `--user`, `--instance` where there are several, and `--all` where it has a help."""
    options: list[click.Parameter] = [user_parameter(auth), *instance_parameters(auth)]
    if with_all is not None:
        options.append(flag("--all all_accounts", with_all))
    return options


def option(names: str, text: str, **how: Any) -> click.Option:
    """Return an option of these *names*, apart by blanks; *text* is its help, *how* is Click's."""
    return click.Option(names.split(), help=text, **how)


def flag(names: str, text: str) -> click.Option:
    """Return an option without a value."""
    return option(names, text, is_flag=True)


def no_revoke_option() -> click.Option:
    """Return `--no-revoke`."""
    return flag("--no-revoke", "Don't revoke the token on the server.")


def user_parameter(
    auth: Operations, text: str = "Account to use (key, ID or label)."
) -> click.Option:
    """Return `--user REF`; the application's own calls know it too while the command runs."""
    return click.Option(
        ["--user"],
        metavar="REF",
        help=text,
        callback=_remembering(auth, USER),
        shell_complete=_completing_accounts(auth),
    )


def account_argument(auth: Operations, *, required: bool = True) -> click.Argument:
    """Return the argument REF, completed with the stored accounts."""
    complete, metavar = _completing_accounts(auth), "REF" if required else "[REF]"
    return click.Argument(["ref"], metavar=metavar, required=required, shell_complete=complete)


def instance_parameters(auth: Operations) -> list[click.Parameter]:
    """Return `--instance` where the application knows several services."""
    services = auth.context.services
    if not services.has_instances:
        return []
    choices = services.choices
    return [
        click.Option(
            ["--instance"],
            type=None if choices is None else click.Choice(choices),
            help="Service to use (name or URL).",
            callback=_remembering(auth, INSTANCE),
            shell_complete=None if choices else _completing_instances(auth),
        )
    ]


def user_option(auth: Operations) -> Callable[[Any], Any]:
    """Return the decorator of `Auth.user_option`: the command's function is not given the value."""

    def decorate(command: Any) -> Any:
        parameters = account_options(auth)
        for each in parameters:
            each.expose_value = False
        if isinstance(command, click.Command):
            command.params.extend(parameters)
        else:
            declared = getattr(command, "__click_params__", [])
            command.__click_params__ = [*declared, *reversed(parameters)]
        return command

    return decorate


def _remembering(auth: Operations, name: str) -> Any:
    def remember(context: click.Context, _parameter: object, value: str | None) -> str | None:
        auth.invocation.remember(context, name, value)
        return value

    return remember


def _stored(auth: Operations) -> list[Account]:
    """Return whom completion can name; never fails, never says a word or asks for a secret."""
    with contextlib.redirect_stderr(None), contextlib.suppress(Exception):
        return [each.account for each in auth.accounts()]
    return []


def _completing_accounts(auth: Operations) -> Any:
    def complete(_context: object, _parameter: object, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - completion only

        found = (each for each in _stored(auth) if _begins(each, incomplete))
        return [
            CompletionItem(each.key, help=each.label and printable(each.label)) for each in found
        ]

    return complete


def _begins(account: Account, incomplete: str) -> bool:
    """Whether a key, an id or a label begins so, in whatever case."""
    texts = (account.key, account.id, account.label or "")
    return any(text.casefold().startswith(incomplete.casefold()) for text in texts)


def _completing_instances(auth: Operations) -> Any:
    def complete(_context: object, _parameter: object, incomplete: str) -> list[str]:
        known = {each.instance or "" for each in _stored(auth)}
        # A shell takes each line for an answer of its own.
        return sorted(n for n in known if n and n.startswith(incomplete) and n == printable(n))

    return complete
