"""A check that checks: `required` and `pass_client` on whatever they are put on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click
import httpx
import pytest

from click_auth import Auth
from click_auth.testing import logged_in
from commands.conftest import Todo


def plain() -> None:
    """Do what somebody who is logged in may do."""
    click.echo("in")


def third_party() -> click.Command:
    """Return a command of somebody else."""
    return click.Command("third", callback=plain)


CHECKED: dict[str, Callable[[Auth], click.Command]] = {
    "bare, below": lambda auth: click.command("x")(auth.required(plain)),
    "called, below": lambda auth: click.command("x")(auth.required()(plain)),
    "bare, above": lambda auth: auth.required(click.command("x")(plain)),
    "called, above": lambda auth: auth.required()(click.command("x")(plain)),
    "scopes, above": lambda auth: auth.required(["tasks:read"])(click.command("x")(plain)),
    "scopes by name": lambda auth: auth.required(scopes=iter(["tasks:read"]))(third_party()),
    "third party's": lambda auth: auth.required()(third_party()),
    "twice": lambda auth: auth.required(auth.required(scopes=["tasks:read"])(third_party())),
    "a partial": lambda auth: click.Command("x", callback=auth.required(functools.partial(plain))),
}


@pytest.mark.parametrize("made", CHECKED.values(), ids=CHECKED)
def test_h1_m8_the_check_runs_wherever_the_decorator_stands(
    todo: Todo, made: Callable[[Auth], click.Command]
) -> None:
    """Above the command or below it, bare or called: nobody passes who is not logged in."""
    todo.cli.add_command(made(todo.auth), "x")
    refused = todo.run("x")
    assert (refused.exit_code, refused.stdout) == (4, "")
    logged_in(todo.auth, server=todo.server)
    assert todo.run("x").stdout == "in\n"


def test_h1_the_same_command_is_returned(todo: Todo) -> None:
    """Its options, its type and its place in a group stay as they were."""
    command = third_party()
    assert todo.auth.required(command) is command
    assert todo.auth.required()(command) is command
    assert todo.auth.pass_client(command) is command
    assert todo.auth.pass_client(user="ada")(command) is command


def test_h1_a_group_is_guarded_with_all_its_commands(todo: Todo) -> None:
    """With a callback or without one: a check above a group is not silently none."""
    for group in (click.Group("bare"), click.Group("own", callback=lambda: click.echo("group"))):
        todo.cli.add_command(todo.auth.required(group))
        group.command("sub")(plain)
    assert todo.run("bare", "sub").exit_code == todo.run("own", "sub").exit_code == 4
    logged_in(todo.auth, server=todo.server)
    assert todo.run("bare", "sub").stdout == "in\n"
    assert todo.run("own", "sub").stdout == "group\nin\n"


def test_h1_pass_client_above_the_command(todo: Todo) -> None:
    """The client comes before Click's own arguments, and is closed with the context."""
    logged_in(todo.auth, server=todo.server)
    clients: list[httpx.Client] = []

    @todo.auth.pass_client
    @todo.cli.command()
    @click.argument("word")
    def me(api: httpx.Client, word: str) -> None:
        clients.append(api)
        click.echo(word + api.get("/me").json()["id"])

    assert todo.run("me", "x").stdout == "xada\n"
    assert clients[0].is_closed


def test_h1_pass_client_above_a_group_that_does_nothing_itself(todo: Todo) -> None:
    """It has no callback to give the client to, and its commands run all the same."""
    group = todo.auth.pass_client(click.Group("bare"))
    todo.cli.add_command(group)
    group.command("sub")(plain)
    assert todo.run("bare", "sub").exit_code == 4
    logged_in(todo.auth, server=todo.server)
    assert todo.run("bare", "sub").stdout == "in\n"


@pytest.mark.parametrize("scopes", ["tasks:read", "a b", "", b"ab", [1], ["a", None]], ids=repr)
def test_m8_a_text_is_no_list_of_scopes(todo: Todo, scopes: Any) -> None:
    """Its letters are not what was meant: refused when the program is written."""
    with pytest.raises(TypeError, match="scopes"):
        todo.auth.required(scopes)
    with pytest.raises(TypeError, match="scopes"):
        todo.auth.required(scopes=scopes)
    with pytest.raises(TypeError, match="scopes"):
        todo.auth.login(scopes=scopes)
    assert len(todo.server.journal) == 0


class Foreign:
    """What can be called and is no function: a command of another library, for example."""

    def __call__(self) -> None: ...


THINGS = {
    "None": None,
    "a number": 5,
    "a text": "command",
    "an object": Foreign(),
    "a class": Foreign,
    "a list": [plain],
}


@pytest.mark.parametrize("thing", THINGS.values(), ids=THINGS)
def test_m8_what_cannot_be_wrapped_is_refused_when_it_is_decorated(todo: Todo, thing: Any) -> None:
    """A check that would never run is an error, and not a command without one."""
    with pytest.raises(TypeError, match=r"a function or a click\.Command"):
        todo.auth.required()(thing)
    with pytest.raises(TypeError, match=r"a function or a click\.Command"):
        todo.auth.pass_client(user="ada")(thing)
    with pytest.raises(TypeError):
        todo.auth.required(Foreign())


def test_m8_a_coroutine_function_is_checked_when_it_is_called(todo: Todo) -> None:
    """What it returns is for whoever runs it; the check comes before."""

    async def command() -> str:
        return "in"

    guarded = todo.auth.required(command)

    @todo.cli.command()
    def run() -> None:
        step = guarded()
        with pytest.raises(StopIteration, match="in"):
            step.send(None)

    assert todo.run("run").exit_code == 4
    logged_in(todo.auth, server=todo.server)
    assert todo.run("run").exit_code == 0


def test_m6_a_test_that_forgets_the_scopes_does_not_pass(todo: Todo) -> None:
    """`logged_in` grants what the provider asks for, and not whatever a command may need."""
    todo.cli.add_command(todo.auth.required(["admin"])(third_party()))
    for server in (todo.server, None):
        login = logged_in(todo.auth, server=server)
        assert login.bundle.scopes == ("tasks:read",)
        assert todo.run("third").exit_code == 4
