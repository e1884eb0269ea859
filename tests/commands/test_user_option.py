"""`--user` holds for the command on whose line it stands, and for what that command invokes."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest

from click_auth import Auth
from click_auth.testing import logged_in
from commands.conftest import Todo
from runner import CliRunner


@pytest.fixture
def auth(todo: Todo) -> Auth:
    """An application with two accounts, of which ada is the default."""
    logged_in(todo.auth, "bob", server=todo.server)
    logged_in(todo.auth, "ada", server=todo.server)
    return todo.auth


def who(auth: Auth, name: str) -> click.Command:
    """Return a command that says whose token it would use."""

    @click.command(name)
    @auth.user_option
    def command() -> None:
        click.echo(f"{name}={_acting(auth)}")

    return command


def _acting(auth: Auth) -> str:
    account = auth.current_account()
    return "nobody" if account is None else account.id


def run(command: click.Command, line: str) -> list[str]:
    """Return the words that a command line prints."""
    result = CliRunner().invoke(command, line.split())
    assert result.exception is None, result.output
    return result.output.split()


@pytest.mark.parametrize(
    "line, said",
    [
        ("pull push", "pull=ada push=ada"),
        ("pull --user bob push", "pull=bob push=ada"),
        ("pull --user bob push --user ada", "pull=bob push=ada"),
        ("pull push --user bob", "pull=ada push=bob"),
        ("--user bob pull push --user ada", "pull=bob push=ada"),
        ("--user bob pull push", "pull=bob push=bob"),
    ],
)
def test_b28_each_command_of_a_chain_has_its_own_user(auth: Auth, line: str, said: str) -> None:
    """Click parses all lines of a chain before it runs the first; a group's option is for all."""
    cli = click.Group("todo", chain=True, commands=[who(auth, "pull"), who(auth, "push")])
    assert run(auth.user_option(cli), line) == said.split()


def test_b28_a_repl_forgets_the_user_of_an_earlier_line(auth: Auth) -> None:
    """Each line is a child of one context that stays."""
    cli = click.Group("todo", commands=[who(auth, "pull")])

    @click.command()
    def repl() -> None:
        for line in ("pull --user bob", "pull"):
            parent = click.get_current_context()
            with cli.make_context(None, line.split(), parent=parent) as context:
                cli.invoke(context)

    assert run(repl, "") == ["pull=bob", "pull=ada"]


@pytest.mark.parametrize("way", [click.Context.invoke, click.Context.forward])
def test_b28_what_a_command_invokes_acts_as_its_user(
    auth: Auth, way: Callable[..., object]
) -> None:
    """A command that calls another hands its account on, and has it still afterwards."""
    pull = who(auth, "pull")

    @click.command()
    @auth.user_option
    @click.pass_context
    def both(context: click.Context) -> None:
        way(context, pull)
        click.echo(f"both={_acting(auth)}")

    assert run(both, "--user bob") == ["pull=bob", "both=bob"]
    assert run(both, "") == ["pull=ada", "both=ada"]


def test_b28_a_line_that_a_command_runs_by_main_acts_as_its_user(auth: Auth) -> None:
    """As REPLs and scripts do it: without a parent, and with a user of its own where it has one."""
    pull = who(auth, "pull")

    @click.command()
    @auth.user_option
    def script() -> None:
        for line in ([], ["--user", "ada"], []):
            pull.main(line, "pull", standalone_mode=False)

    assert run(script, "--user bob") == ["pull=bob", "pull=ada", "pull=bob"]
    chain = click.Group("todo", chain=True, commands=[who(auth, "push"), script])
    assert run(chain, "push --user bob script") == ["push=bob", *["pull=ada"] * 3]


def test_b28_a_context_that_parses_a_second_line_forgets_the_first(auth: Auth) -> None:
    """A REPL may keep the very context of a command."""
    pull = who(auth, "pull")

    @click.command()
    def repl() -> None:
        with click.Context(pull) as context:
            for line in (["--user", "bob"], []):
                pull.parse_args(context, line)
                pull.invoke(context)

    assert run(repl, "") == ["pull=bob", "pull=ada"]


def test_b28_the_user_of_a_subcommand_is_not_the_groups(auth: Auth) -> None:
    """What a group does after its command, in a result callback, it does as its own account."""
    cli = auth.user_option(click.Group("todo", commands=[who(auth, "pull")]))

    @cli.result_callback()
    def after(_: object) -> None:
        click.echo(f"after={_acting(auth)}")

    assert run(cli, "pull --user bob") == ["pull=bob", "after=ada"]
    assert run(cli, "--user bob pull --user ada") == ["pull=ada", "after=bob"]


def test_b28_two_applications_in_one_run_do_not_share_a_user(auth: Auth, todo: Todo) -> None:
    """The option of one `Auth` says nothing to another one."""
    other = Auth("other", todo.auth.context.settings.provider, store=todo.auth.store)

    @click.command()
    @auth.user_option
    def both() -> None:
        click.echo(f"{_acting(auth)} {_acting(other)}")

    assert run(both, "--user bob") == ["bob", "ada"]
