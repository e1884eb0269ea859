"""What the commands do on groups that are not Click's own, and in programs that are no Click."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import click_auth
from click_auth import (
    ApiKeyProvider,
    Auth,
    NotLoggedIn,
    attach_accounts,
    attach_all,
    attach_login,
    attach_token,
)
from commands.conftest import Todo
from runner import CliRunner

# A host that draws every error, as rich-click and Typer do.
DRAWN = "+--- error ---+"


class DrawingGroup(click.Group):
    """Draws a panel around the errors that reach it."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)
        try:
            code = super().main(*args, standalone_mode=False, **extra)
        except click.ClickException as error:
            click.echo(f"{DRAWN}\n{error.format_message()}", err=True)
            code = error.exit_code
        sys.exit(code)


@pytest.fixture
def drawing(todo: Todo) -> DrawingGroup:
    """Such a host, with our commands."""
    group = DrawingGroup("todo")
    group.add_command(todo.auth.group())
    return group


@pytest.mark.parametrize("option", ["--json", "--ndjson"])
def test_an_error_under_json_is_printed_by_us(
    todo: Todo, drawing: DrawingGroup, option: str
) -> None:
    """It is one bare object on stderr, whatever draws the errors of the host."""
    with todo.auth.override(environ=todo.environ):
        done = CliRunner().invoke(drawing, ["auth", "token", option], prog_name="todo")
        drawn = CliRunner().invoke(drawing, ["auth", "token"], prog_name="todo")
    assert (done.exit_code, done.stdout) == (4, "")
    assert json.loads(done.stderr)["error"]["hints"] == ["Run `todo auth login`."]
    assert drawn.exit_code == 4
    assert drawn.stderr.startswith(DRAWN)


def test_without_standalone_mode_it_is_the_exit_code(todo: Todo) -> None:
    """Click returns the code of what was printed, and raises what was not."""
    with todo.auth.override(environ=todo.environ):
        assert todo.cli(["auth", "token", "--json"], standalone_mode=False) == 4
        with pytest.raises(NotLoggedIn):
            todo.cli(["auth", "token"], standalone_mode=False)


def test_a_command_of_ones_own_with_json_fails_with_an_object(todo: Todo) -> None:
    """Where it was given its own `--json`; else with a line."""

    @todo.cli.command()
    @click.option("--json", "as_json", is_flag=True)
    @todo.auth.required()
    def own(as_json: bool) -> None: ...

    assert json.loads(todo.run("own", "--json").stderr)["error"]["code"] == "NOT_AUTHENTICATED"
    assert todo.run("own").stderr == "Error: Not logged in. Run `todo auth login`.\n"


def test_reporting_in_a_command_ends_the_command(todo: Todo) -> None:
    """Click's `Exit` is raised, so that its callers get the code."""

    @todo.cli.command()
    def own() -> None:
        with todo.auth.reporting(json=True):
            todo.auth.access_token()

    done = todo.run("own")
    assert (done.exit_code, done.stdout) == (4, "")
    assert json.loads(done.stderr)["error"]["code"] == "NOT_AUTHENTICATED"
    with todo.auth.override(environ=todo.environ):
        assert todo.cli(["own"], standalone_mode=False) == 4


SCRIPT = """\
import os, signal, sys
from click_auth import Auth, OAuthProvider
provider = OAuthProvider(client_id="x", issuer="https://id.example")
how, *words = sys.argv[1:]
auth = Auth("todo", {"eu": provider} if how == "mars" else provider)
if how == "group":
    auth.group().main(words, prog_name="tool auth")
with auth.reporting(json=how == "json"):
    if how == "bug":
        raise KeyError("mine")
    if how == "signal":
        os.kill(os.getpid(), int(words[0]))
        signal.pause()
    if how != "well":
        auth.access_token(instance=how if how == "mars" else None)
print("went on")
"""


def script(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program that is no Click."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(click_auth.__file__).parents[1]),
            "TODO_CONFIG_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("how", ["text", "json"])
def test_reporting_in_a_script(tmp_path: Path, how: str) -> None:
    """An error of ours is printed as the commands do, and ends the program with its code."""
    done = script(tmp_path, how)
    assert (done.returncode, done.stdout) == (4, "")
    if how == "json":
        assert json.loads(done.stderr)["error"]["code"] == "NOT_AUTHENTICATED"
    else:
        assert done.stderr.startswith("Error: Not logged in. Run `")
        assert len(done.stderr.splitlines()) == 1


def test_reporting_knows_an_instance_that_there_is_not(tmp_path: Path) -> None:
    """What a person may have named is no traceback where no Click would catch a usage error."""
    done = script(tmp_path, "mars")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Error: 'mars' is not one of eu.\n")
    assert "Traceback" not in done.stderr


def test_reporting_leaves_alone_what_is_not_ours(tmp_path: Path) -> None:
    """A program without an error goes on, and its own bug is its own."""
    assert script(tmp_path, "well").stdout == "went on\n"
    assert "KeyError: 'mine'" in script(tmp_path, "bug").stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_reporting_and_signals(tmp_path: Path, number: int, code: int) -> None:
    """Ctrl-C ends the program with 130, SIGTERM with 143, and neither with a traceback."""
    done = script(tmp_path, "signal", str(int(number)))
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_the_group_by_itself_names_the_programs_own_login_line(tmp_path: Path) -> None:
    """`auth.group().main(words, prog_name="tool auth")`: `tool auth login`."""
    done = script(tmp_path, "group", "token")
    assert done.returncode == 4
    assert "Run `tool auth login`." in done.stderr
    done = script(tmp_path, "group", "account", "current", "--json")
    assert "Run `tool auth login`." in json.loads(done.stderr)["error"]["hints"]


class Unasked(click.Group):
    """A lazy group that would load an application to say what it has, as Flask's does."""

    def load(self) -> list[str]:
        raise AssertionError("loaded")

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *(name for name in self.load())]


class Static(click.Group):
    """A lazy group that says what it has without loading it, as in Click's documentation."""

    def __init__(self, *args: Any, lazy: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        base = super().list_commands(ctx)
        return base + sorted(name for name in self.lazy.keys())  # noqa: SIM118 - as it is written

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.lazy:
            return click.Command(cmd_name, callback=lambda: click.echo("theirs"))
        return super().get_command(ctx, cmd_name)


@pytest.mark.parametrize("attach", [attach_all, attach_login, attach_accounts])
def test_attaching_asks_a_group_for_nothing_that_it_would_have_to_load(
    todo: Todo, attach: Callable[..., Any]
) -> None:
    """What a group does to list its commands is its own affair."""
    group = attach(todo.auth)(Unasked("todo"))
    assert {"login", "account"} & set(group.commands)


def test_a_name_of_a_lazy_group_is_found_at_once_where_nothing_is_loaded(todo: Todo) -> None:
    """Its listing names nothing but what the group holds."""
    group = Static("todo", lazy={"token": "todo.token"})
    with pytest.raises(ValueError, match="'token'"):
        attach_token(todo.auth)(group)
    attach_all(todo.auth)(group)
    assert "token" not in group.commands


def test_another_is_found_when_the_command_is_asked_for(todo: Todo) -> None:
    """Nothing of ours is shadowed in silence; the other commands go on to work."""

    class Hidden(Static):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return [name.lower() for name in super().list_commands(ctx)]

    group = attach_all(todo.auth)(Hidden("todo", lazy={"token": "todo.token", "other": "x"}))
    with todo.auth.override(environ=todo.environ):
        assert CliRunner().invoke(group, ["status"]).exit_code == 4
        assert CliRunner().invoke(group, ["other"]).stdout == "theirs\n"
        found = CliRunner().invoke(group, ["token"]).exception
    assert isinstance(found, ValueError)
    assert "'token'" in str(found)


def test_another_library_than_click_is_told_so_at_once(todo: Todo) -> None:
    """A group of ours below a context that is not Click's: a TypeError that says what it got."""

    class Context:
        parent = None

    foreign: Any = Context()
    for group in (todo.auth.group(), todo.auth.group(cls=click.Group)):
        with pytest.raises(TypeError, match=r"Context.*"):
            group.make_context("auth", ["--help"], parent=foreign)


def test_a_group_that_looks_at_the_commands_it_is_made_with(
    todo: Todo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of `rich_click.patch`, which stand in for `click.Group`."""

    class Looking(click.Group):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            for name in self.commands:
                self.commands[name]

    monkeypatch.setattr(click, "Group", Looking)
    assert set(todo.auth.group().commands) > {"account", "login"}


def test_only_what_a_shell_would_read_otherwise_is_quoted(tmp_path: Path) -> None:
    """The line to type is as short as a person would write it, and can be pasted."""
    words = ("read_write", "https://id.example:8443/a", "me@example.org", "a b", "it's", "")
    line = Auth("todo", ApiKeyProvider(), folder=tmp_path).invocation.login_line(*words)
    assert line.startswith("todo auth login read_write https://id.example:8443/a me@example.org ")
    assert shlex.split(line)[3:] == list(words)
