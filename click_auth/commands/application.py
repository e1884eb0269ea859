"""The application's own groups and commands: its groups get ours, its commands `--user`."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections import UserDict
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from click_auth.console.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from click.shell_completion import CompletionItem

    from click_auth.account import Account
    from click_auth.operations import Operations

    G = TypeVar("G", bound=click.Group)
    Kind = type[click.Command] | None
    Params = Sequence[click.Parameter]

# What a `list_commands` may use and still load nothing.
_HARMLESS = {
    *("super", "__class__", "list_commands", "sorted", "list", "set", "tuple", "dict", "reversed"),
    *("keys", "items", "values", "union", "append", "extend", "insert", "add", "update", "sort"),
}


def load(name: str) -> Any:
    """Return a module of this folder, which nobody needs before it is used."""
    return import_module(f"click_auth.commands.{name}")


def attacher(  # noqa: PLR0917 - as the attachers have them
    auth: Operations,
    module: str,
    name: str,
    cls: Kind,
    params: Params,
    attrs: dict[str, Any],
    hooks: Mapping[str, Any] | None = None,
) -> Callable[[G], G]:
    """Return a decorator that adds a command of ours to a group, to be made when it is asked for.

    *module* builds the command, with the *hooks*; the group makes it of *cls*, with *params* and
    *attrs*.
    """
    own_kind = {} if cls is None else {"cls": cls}  # else the group is to choose

    def make(group: click.Group) -> Any:
        parts = load(module).build(auth, **(hooks or {}))
        how = {**attrs, **own_kind, "params": params}
        return load("command").make(group, auth, name, parts, **how)

    def attach(group: G) -> G:
        """Add the command; to a group that is not quite Click's own it is added at once.

        Raises TypeError above what is no group, ValueError where it has a command of that name.
        """
        if answers_to(group, name):
            raise _name_error(group, name)
        if type(group) is click.Group:
            if not isinstance(group.commands, _Commands):
                group.commands = _Commands(group.commands)
            group.commands.data[name] = functools.partial(make, group)
        else:
            _watch(group, name, make(group))
        auth.invocation.attach(module, group, name)
        return group

    return attach


class _Commands(UserDict[str, Any]):
    """The commands of a group, some of them yet to be made. A run asks for one, or for none."""

    def __getitem__(self, name: str) -> Any:
        if not isinstance(self.data[name], click.Command):
            self.data[name] = self.data[name]()
        return self.data[name]


def answers_to(group: click.Group, name: str) -> bool:
    """Whether *group* is known to have a command *name* already; loads and runs nothing of it.

    A lazy group is asked where its `list_commands` names nothing but what the group holds. Any
    other is watched: it is found out when the command is asked for. Raises TypeError above what
    is no group.
    """
    if not isinstance(group, click.Group):
        raise load("command").kind_error(group, "attach_* needs a click.Group")
    if name in group.commands or type(group) is click.Group:
        return name in group.commands
    return _lists_what_it_holds(group) and name in group.list_commands(
        click.Context(group, info_name=group.name)
    )


def only_below_click(group: click.Group) -> click.Group:
    """Return *group*, which raises TypeError as soon as another library than Click runs it."""
    make_context = group.make_context

    def checked(info_name: Any, args: Any, parent: Any = None, **extra: Any) -> click.Context:
        if not isinstance(parent, click.Context | None):
            load("command").check_host(parent)
        return make_context(info_name, args, parent, **extra)

    group.make_context = checked  # type: ignore[method-assign]
    return group


def _name_error(group: click.Group, name: str) -> ValueError:
    return ValueError(f"the group {group.name!r} already has a command {name!r}")


def _watch(group: click.Group, name: str, made: click.Command) -> None:
    """Raise ValueError when *name* is asked for, should a lazy group then answer with another."""
    if type(group).get_command is click.Group.get_command:
        return
    answer = group.get_command

    def get_command(ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = answer(ctx, cmd_name)
        if cmd_name == name and found is not made and group.commands.get(name) is made:
            raise _name_error(group, name)
        return found

    group.get_command = get_command  # type: ignore[method-assign]


def _lists_what_it_holds(group: click.Group) -> bool:
    listing = (vars(kind).get("list_commands") for kind in type(group).__mro__)
    names = {name for each in listing if each is not None for name in _names(each)}
    return all(name in _HARMLESS or _is_data(group, name) for name in names)


def _names(function: Any) -> set[str]:
    """Return the names that a function uses, of a scope around it and in comprehensions too."""
    code = getattr(function, "__code__", function)
    inner = (each for each in getattr(code, "co_consts", ()) if hasattr(each, "co_names"))
    around = getattr(code, "co_freevars", ())
    return {*getattr(code, "co_names", ["?"]), *around}.union(*map(_names, inner))


def _is_data(group: click.Group, name: str) -> bool:
    value = inspect.getattr_static(group, name, len)
    return not callable(value) and not hasattr(value, "__get__")


def user_option(auth: Operations) -> Callable[[Any], Any]:
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


def account_options(auth: Operations) -> list[click.Parameter]:
    """Return `--user`, and `--instance` where there are several services."""
    return [user_parameter(auth), *instance_parameters(auth)]


def user_parameter(
    auth: Operations, text: str = "Account to use (key, ID or label)."
) -> click.Option:
    """Return `--user REF`.

    No function is given the value: whatever is called while the command runs knows it.
    """
    return click.Option(
        ["--user"],
        metavar="REF",
        help=text,
        expose_value=False,
        callback=auth.invocation.remember,
        shell_complete=completing_accounts(auth),
    )


def instance_parameters(auth: Operations) -> list[click.Parameter]:
    """Return `--instance` where the application knows several services."""
    services = auth.context.services
    if not services.has_instances:
        return []
    choices = services.choices

    def complete(_context: object, _parameter: object, incomplete: str) -> list[str]:
        known = {each.instance or "" for each in _stored(auth)}
        # A shell takes each line for an answer of its own.
        return sorted(n for n in known if n and n.startswith(incomplete) and n == printable(n))

    return [
        click.Option(
            ["--instance"],
            type=None if choices is None else click.Choice(choices),
            help="Service to use (name or URL).",
            expose_value=False,
            callback=auth.invocation.remember,
            shell_complete=None if choices else complete,
        )
    ]


def completing_accounts(auth: Operations) -> Any:
    """Return a function that completes the key, id or label of an account to its key."""

    def complete(_context: object, _parameter: object, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - completion only

        found = [each for each in _stored(auth) if _begins(each, incomplete.casefold())]
        return [
            CompletionItem(each.key, help=each.label and printable(each.label)) for each in found
        ]

    return complete


def _begins(account: Account, folded: str) -> bool:
    """Whether a key, an id or a label begins so, in whatever case."""
    texts = (account.key, account.id, account.label or "")
    return any(text.casefold().startswith(folded) for text in texts)


def _stored(auth: Operations) -> list[Account]:
    """Return whom completion can name; never fails, never says a word or asks for a secret."""
    with contextlib.redirect_stderr(None), contextlib.suppress(Exception):
        return [each.account for each in auth.accounts()]
    return []
