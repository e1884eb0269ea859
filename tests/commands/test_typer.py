"""The commands on a Typer application; `nox -s frameworks` runs this with four versions."""

# No `from __future__ import annotations`: Typer reads those of functions within the tests.

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import click
import click.testing
import httpx
import pytest

import click_auth
from click_auth import (
    Auth,
    MemoryTokenStore,
    NotLoggedIn,
    attach_login,
    attach_status,
)
from click_auth.testing import logged_in
from commands.conftest import Todo
from runner import APART, CliRunner

typer = pytest.importorskip("typer", reason="of the group `tests`, which nox installs")
pytest.importorskip("typer.testing")

from typer.core import TyperGroup  # noqa: E402

from click_auth.typer import InstanceOption, UserOption, mount  # noqa: E402

HAS_CHAIN = "chain" in TyperGroup.__init__.__code__.co_varnames or issubclass(
    TyperGroup, click.Group
)
STANDARD = ["account", "doctor", "login", "logout", "refresh", "status", "token"]
MODES = ["rich", "markdown", None]


@pytest.fixture
def app(todo: Todo) -> Any:
    """An application with two commands of its own, and ours."""
    return application(todo)


def application(todo: Todo, **settings: Any) -> Any:
    """Return a `todo` made with Typer."""
    app = typer.Typer(help="Keep track.", **settings)
    mount(app, todo.auth)

    @app.command()
    def me(user: Annotated[str | None, UserOption(todo.auth)] = None) -> None:
        """Say who this is."""
        with todo.auth.client() as api:
            typer.echo(api.get("/me").json()["id"])

    @app.command()
    def hello(
        name: str, as_json: Annotated[bool, typer.Option("--json")] = False, loud: bool = False
    ) -> None:
        """Greet."""
        todo.auth.required()
        typer.echo(f"hello {name}" + "!" * loud)

    return app


def run(todo: Todo, app: Any, *arguments: str, stdin: str | None = None, **environ: str) -> Any:
    """Run `todo ARGUMENTS`."""
    with todo.auth.override(environ={**todo.environ, **environ}, browser=todo.browser):
        return runner().invoke(app, arguments, input=stdin, prog_name="todo")


def runner(**environ: str) -> Any:
    """Return Typer's test runner, on a terminal of 200 columns."""
    is_clicks = issubclass(typer.testing.CliRunner, click.testing.CliRunner)
    settings = APART if is_clicks else {}
    environ = {"COLUMNS": "200", "TERMINAL_WIDTH": "200", **environ}
    return typer.testing.CliRunner(env=environ, **settings)


@pytest.mark.parametrize("mode", MODES)
def test_a_day_of_an_application(todo: Todo, mode: Any) -> None:
    """Login, status, a command of its own, a silent refresh, two accounts, token, logout."""
    app = application(todo, rich_markup_mode=mode)
    assert run(todo, app, "auth", "status").exit_code == 4
    done = run(todo, app, "auth", "login", "--scope", "tasks:write")
    assert done.exit_code == 0, done.output
    assert "Logged in" in done.stderr
    assert run(todo, app, "me").stdout == "ada\n"
    todo.server.expire_access_tokens()
    assert run(todo, app, "me").stdout == "ada\n"
    assert todo.server.refresh_count == 1
    logged_in(todo.auth, "bob", server=todo.server)
    assert run(todo, app, "me").stdout == "bob\n"
    assert run(todo, app, "me", "--user", "ada").stdout == "ada\n"
    assert run(todo, app, "auth", "account", "use", "ada").exit_code == 0
    assert json.loads(run(todo, app, "auth", "status", "--json").stdout)["account"]["id"] == "ada"
    token = run(todo, app, "auth", "token", "--user", "bob", "--min-ttl", "1m").stdout
    assert token == todo.auth.access_token("bob")
    assert run(todo, app, "auth", "logout", "--all").exit_code == 0
    assert run(todo, app, "me").exit_code == 4


def test_errors_of_its_own_commands_end_as_in_click(todo: Todo, app: Any) -> None:
    """One line and the exit code; an object where the command was given its `--json`."""
    for arguments in (["me"], ["hello", "you"]):
        done = run(todo, app, *arguments)
        assert (done.exit_code, done.stdout) == (4, "")
        assert done.stderr == "Error: Not logged in. Run `todo auth login`.\n"
    done = run(todo, app, "hello", "you", "--json")
    assert done.exit_code == 4
    assert json.loads(done.stderr)["error"]["code"] == "NOT_AUTHENTICATED"


@pytest.mark.parametrize("mode", MODES)
def test_an_error_under_json_is_a_bare_object(todo: Todo, mode: Any) -> None:
    """No panel is drawn around what a program reads."""
    app = application(todo, rich_markup_mode=mode)
    done = run(todo, app, "auth", "token", "--json")
    assert (done.exit_code, done.stdout) == (4, "")
    assert json.loads(done.stderr)["error"]["hints"] == ["Run `todo auth login`."]
    done = run(todo, app, "auth", "token", "--user", "eve")
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1


def test_without_standalone_mode_errors_are_raised(todo: Todo, app: Any) -> None:
    """Who calls the application gets the exception itself; of `--json`, the exit code."""

    def call(*arguments: str) -> Any:
        with todo.auth.override(environ=todo.environ):
            return app(list(arguments), prog_name="todo", standalone_mode=False)

    for arguments in (["me"], ["auth", "token"]):
        with pytest.raises(NotLoggedIn):
            call(*arguments)
    assert call("auth", "token", "--json") == 4
    assert call("auth", "status") == 4


def test_other_errors_of_clicks_end_as_in_click(todo: Todo, app: Any) -> None:
    """An exception, an exit and an abort of Click's in a command of the application."""
    raised = {
        "failed": click.ClickException("no luck"),
        "left": click.exceptions.Exit(7),
        "stopped": click.Abort(),
    }

    @app.command()
    def fail(how: str) -> None:
        raise raised[how]

    done = run(todo, app, "fail", "failed")
    assert done.exit_code == 1
    assert "no luck" in done.stderr
    assert run(todo, app, "fail", "left").exit_code == 7
    done = run(todo, app, "fail", "stopped")
    assert done.exit_code == 1
    assert "Aborted" in done.stderr


def test_ctrl_c_in_a_command_is_130(todo: Todo) -> None:
    """An interrupted command exits as it does in Click."""

    def interrupt(_context: object) -> None:
        raise KeyboardInterrupt

    group = click.Group("auth")
    attach_login(todo.auth, on_login=interrupt)(group)
    app = typer.Typer()
    mount(app, todo.auth, group=group)
    assert run(todo, app, "auth", "login").exit_code == 130


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["auth", "token", "--nope"], "--nope"),
        (["auth", "nope"], "nope"),
        (["auth", "login", "--storage", "x"], "'x' is not one of 'system'"),
        (["auth", "login", "--timeout", "-1"], "0<=x<=86400"),
        (["auth", "login", "--callback-port", "abc"], "not a valid integer"),
        (["auth", "token", "--min-ttl", "soon"], "soon"),
        (["auth", "account", "use"], "Missing argument 'REF'"),
        (["auth", "account", "use", "a", "b"], "unexpected extra argument"),
        (["auth", "token", "--user"], "requires an argument"),
    ],
)
@pytest.mark.parametrize("mode", ["rich", None])
def test_usage_errors_are_typers_own(
    todo: Todo, arguments: list[str], says: str, mode: Any
) -> None:
    """They name the command, offer its help and exit with 2; with Rich they stand in a panel."""
    done = run(todo, application(todo, rich_markup_mode=mode), *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    if mode is None:
        assert "Error: " in done.stderr
    assert "Usage: todo auth" in done.stderr or arguments[-1] == "--user"
    assert ("╭" in done.stderr) is (mode == "rich")


@pytest.mark.parametrize("mode", MODES)
def test_help_is_whole(todo: Todo, mode: Any) -> None:
    """Every option of every command is there with its text; square brackets are kept."""
    option = click.Option(
        ["--level"], help="One of [low|high], [bold]or[/bold] [REF]; see [a] [1]."
    )
    group = todo.auth.group()
    attach_status(todo.auth, "look", params=[option], help="Look [here|there].")(group)
    app = typer.Typer(rich_markup_mode=mode)
    mount(app, todo.auth, group=group)
    assert "Log in and out." in run(todo, app, "--help").stdout
    shown = " ".join(run(todo, app, "auth", "--help").stdout.split())
    for name, command in group.commands.items():
        assert name in shown
        assert str(command.help).split(".")[0].split("[")[0].strip() in shown
    assert "Look [here|there]." in shown
    for name in ("login", "logout", "status", "token", "look", "account use"):
        _assert_whole(todo, app, group, name.split())


def _assert_whole(todo: Todo, app: Any, group: click.Group, path: list[str]) -> None:
    done = run(todo, app, "auth", *path, "--help")
    assert done.exit_code == 0
    shown = " ".join(done.stdout.replace("│", " ").split())
    command: Any = group
    for name in path:
        command = command.commands[name]
    assert f"Usage: todo auth {' '.join(path)}" in shown
    for each in command.params:
        if isinstance(each, click.Argument):
            assert "REF" in shown
            continue
        context = click.Context(command)
        names, text = each.get_help_record(context)
        assert each.opts[0] in shown
        assert all(word in shown for word in text.split()), (each.opts, shown)
        if not each.is_flag:
            assert names.split()[-1] in shown


def test_nothing_is_made_before_it_is_asked_for(todo: Todo, tmp_path: Path) -> None:
    """A command of the application loads none of ours, and the root's help neither."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, typer\n"
        "from click_auth import Auth, OAuthProvider\n"
        "from click_auth.typer import UserOption, mount\n"
        "auth = Auth('todo', OAuthProvider(client_id='x', issuer='https://id.example'))\n"
        "app = typer.Typer()\n"
        "mount(app, auth)\n"
        "@app.command()\n"
        "def own(user: str | None = UserOption(auth)): ...\n"
        "try: app()\n"
        "finally: print(*sorted(n for n in sys.modules if n.startswith('click_auth')))\n"
    )
    for arguments in (["own"], ["--help"]):
        loaded = subprocess.run(
            [sys.executable, str(program), *arguments],
            env={**os.environ, "PYTHONPATH": str(Path(click_auth.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")[-2]
        beyond = {name for name in loaded.split() if "commands." in name} - {
            "click_auth.commands.attach",
            "click_auth.commands.application",
        }
        assert beyond == set()
        assert not {"httpx", "pydantic", "keyring"} & set(loaded.split())


def test_on_the_application_itself(todo: Todo) -> None:
    """With `name=None` there is `todo login`, and errors name that line."""
    app = typer.Typer()
    mount(app, todo.auth, name=None)

    @app.command()
    def me() -> None:
        with todo.auth.client() as api:
            typer.echo(api.get("/me").json()["id"])

    shown = run(todo, app, "--help").stdout
    assert all(name in shown for name in [*STANDARD, "me"])
    assert run(todo, app, "me").stderr == "Error: Not logged in. Run `todo login`.\n"
    assert run(todo, app, "login").exit_code == 0
    assert run(todo, app, "me").stdout == "ada\n"
    assert run(todo, app, "account", "current").stdout == "ada@todo.example (ada)\n"
    with pytest.raises(ValueError, match="'account'"):
        mount(app, todo.auth, name=None)


def test_an_application_of_one_command_becomes_a_group(todo: Todo) -> None:
    """Its own command is called by its name then."""
    app = typer.Typer()
    mount(app, todo.auth)

    @app.command()
    def me() -> None:
        typer.echo("me")

    assert run(todo, app, "me").stdout == "me\n"
    assert run(todo, app, "auth", "status").exit_code == 4


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("where", ["Typer", "callback"])
@pytest.mark.parametrize("name", ["auth", None])
def test_a_class_of_its_own_is_kept(todo: Todo, before: bool, where: str, name: str | None) -> None:
    """The group's own class goes on to work, whether it is named before the mount or after it."""

    class Backwards(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return sorted(super().list_commands(ctx), reverse=True)

    app = typer.Typer(**({"cls": Backwards} if where == "Typer" else {}))
    if before:
        mount(app, todo.auth, name)
    options = {"cls": Backwards} if where == "callback" else {}

    @app.callback(**options)
    def callback(verbose: bool = False) -> None:
        """Greet."""

    @app.command()
    def a_command() -> None:
        todo.auth.required()

    if not before:
        mount(app, todo.auth, name)
    done = run(todo, app, "a-command")
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr.startswith("Error: Not logged in")
    assert run(todo, app, *([name] if name else []), "status").exit_code == 4
    shown = run(todo, app, "--help").stdout
    last = "auth" if name else "account"
    assert shown.rindex("a-command") > shown.rindex(f" {last} ")


def test_a_name_that_is_taken(todo: Todo) -> None:
    """At the mount, or when the application runs, where its command came later."""
    app = typer.Typer()

    @app.command("auth")
    def own() -> None: ...

    with pytest.raises(ValueError, match="already has a command 'auth'"):
        mount(app, todo.auth)
    app = typer.Typer()
    app.add_typer(typer.Typer(name="own"))
    with pytest.raises(ValueError, match="'own'"):
        mount(app, todo.auth, "own")
    app = application(todo)
    with pytest.raises(ValueError, match="'auth'"):
        mount(app, todo.auth)
    app.command("auth")(own)
    with pytest.raises(ValueError, match="'auth'"):
        run(todo, app, "hello", "you")


def test_two_services_under_two_names(todo: Todo) -> None:
    """Each has its own group, and each hint its own line."""
    other = Auth("notes", todo.auth.context.settings.provider, store=MemoryTokenStore())
    app = typer.Typer()
    mount(app, todo.auth, "auth")
    mount(app, other, "notes", help="Log in to the notes.")

    @app.command()
    def both() -> None:
        todo.auth.required()
        other.required()

    assert "Log in to the notes." in run(todo, app, "--help").stdout
    assert "`todo auth login`" in run(todo, app, "both").stderr
    assert run(todo, app, "auth", "login").exit_code == 0
    assert "`todo notes login`" in run(todo, app, "both").stderr


def test_only_a_typer_application_is_mounted_on(todo: Todo) -> None:
    """For a group of Click's the error says what to do there."""
    for thing in (click.Group("x"), object(), None):
        with pytest.raises(TypeError, match=type(thing).__qualname__):
            mount(thing, todo.auth)  # type: ignore[arg-type]


def test_a_typer_that_is_too_old(todo: Todo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 0.16 the mount says so."""
    monkeypatch.setattr(typer, "__version__", "0.15.4")
    with pytest.raises(RuntimeError, match=r"0\.16 or later, not 0\.15\.4"):
        mount(typer.Typer(), todo.auth)


def test_without_typer_the_extra_is_named() -> None:
    """The import error says what to install."""
    script = "import sys; sys.modules['typer'] = None; import click_auth.typer"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(Path(click_auth.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "click-auth[typer]" in done.stderr.splitlines()[-1]


def test_user_option_of_clicks_is_refused(todo: Todo) -> None:
    """At the mount, or when the application runs: Typer would overlook it."""

    @todo.auth.user_option
    def me() -> None: ...

    app = typer.Typer()
    app.command()(me)
    with pytest.raises(TypeError, match=r"@auth.user_option on me\(\).*UserOption\(auth\)"):
        mount(app, todo.auth)
    app, below = application(todo), typer.Typer()
    below.command()(me)
    app.add_typer(below, name="below")
    with pytest.raises(TypeError, match="user_option"):
        run(todo, app, "hello", "you")


def test_attachers_name_the_mount(todo: Todo, app: Any) -> None:
    """Above an application or a group of Typer's they say what to use."""
    things = [app]
    if not issubclass(TyperGroup, click.Group):
        things.append(typer.main.get_command(app))
    for thing in things:
        with pytest.raises(TypeError, match=r"click_auth\.typer\.mount"):
            attach_login(todo.auth)(thing)


@pytest.mark.skipif(issubclass(TyperGroup, click.Group), reason="this Typer runs on Click")
@pytest.mark.parametrize("arguments", [["status"], ["--help"]])
def test_a_group_of_clicks_in_a_typer_that_is_none_says_so(
    todo: Todo, arguments: list[str]
) -> None:
    """Put there by hand it works at first sight only."""
    root = typer.main.get_command(application(todo))
    root.add_command(todo.auth.group("login"))
    with pytest.raises(TypeError, match=r"click_auth\.typer\.mount"):
        root(["login", *arguments], prog_name="todo")


def test_a_client_is_passed_and_a_login_required(todo: Todo) -> None:
    """`pass_client` and `required` decorate Typer's commands; the client is no argument there."""
    app = typer.Typer()
    mount(app, todo.auth)
    clients: list[httpx.Client] = []

    @app.command()
    @todo.auth.required(scopes=["tasks:read"])
    @todo.auth.pass_client
    def me(
        api: httpx.Client, word: str, user: Annotated[str | None, UserOption(todo.auth)] = None
    ) -> None:
        """Say who this is."""
        clients.append(api)
        typer.echo(word + api.get("/me").json()["id"])

    @app.command()
    @todo.auth.pass_client(timeout=3)
    @todo.auth.required()
    def again(api: httpx.Client, loud: bool = False) -> None:
        clients.append(api)
        typer.echo(f"{api.get('/me').json()['id']} {loud}")

    assert "API" not in run(todo, app, "me", "--help").stdout.upper().replace("ADAPI", "")
    assert run(todo, app, "me", "x").exit_code == 4
    logged_in(todo.auth, "ada", server=todo.server)
    logged_in(todo.auth, "bob", server=todo.server)
    assert run(todo, app, "me", "x", "--user", "ada").stdout == "xada\n"
    assert run(todo, app, "again", "--loud").stdout == "bob True\n"
    assert all(client.is_closed for client in clients)
    assert len(clients) == 2


def test_user_stays_with_its_own_command(todo: Todo) -> None:
    """Below a group of the application, and on the application's own callback."""
    logged_in(todo.auth, "ada", server=todo.server)
    logged_in(todo.auth, "bob", server=todo.server)
    app, below = typer.Typer(), typer.Typer()
    mount(app, todo.auth)
    app.add_typer(below, name="below")

    @app.callback()
    def callback(user: Annotated[str | None, UserOption(todo.auth)] = None) -> None: ...

    @below.command()
    def me(user: Annotated[str | None, UserOption(todo.auth)] = None) -> None:
        account = todo.auth.current_account()
        assert account is not None
        typer.echo(account.id)

    @below.command()
    def other() -> None: ...

    assert run(todo, app, "below", "me").stdout == "bob\n"
    assert run(todo, app, "below", "me", "--user", "ada").stdout == "ada\n"
    assert run(todo, app, "--user", "ada", "below", "me").stdout == "ada\n"
    assert run(todo, app, "--user", "ada", "below", "me", "--user", "bob").stdout == "bob\n"


@pytest.mark.skipif(not HAS_CHAIN, reason="Typer has no chains any more")
def test_user_stays_with_its_own_command_in_a_chain(todo: Todo) -> None:
    """What one command of a chain is told holds for that one."""
    logged_in(todo.auth, "ada", server=todo.server)
    logged_in(todo.auth, "bob", server=todo.server)
    app = typer.Typer(chain=True)
    mount(app, todo.auth)

    @app.command()
    def me(user: Annotated[str | None, UserOption(todo.auth)] = None) -> None:
        account = todo.auth.current_account()
        assert account is not None
        typer.echo(account.id)

    done = run(todo, app, "me", "--user", "ada", "me", "me", "--user", "ada@todo.example")
    assert done.stdout == "ada\nbob\nada\n"


def test_several_services(make_todo: Callable[..., Todo], todo: Todo) -> None:
    """`--instance` stands on the commands, and on the application's own with InstanceOption."""
    with pytest.raises(ValueError, match=r"only one service.*--instance"):
        InstanceOption(todo.auth)
    provider = todo.auth.context.settings.provider
    both = make_todo(provider={"prod": provider, "test": provider})
    app = typer.Typer()
    mount(app, both.auth)

    @app.command()
    def where(instance: Annotated[str | None, InstanceOption(both.auth)] = None) -> None:
        account = both.auth.current_account()
        typer.echo(account and account.instance)

    assert run(both, app, "auth", "login", "--instance", "test").exit_code == 0
    assert run(both, app, "where", "--instance", "test").stdout == "test\n"
    assert run(both, app, "where", "--instance", "dev").exit_code == 2
    assert run(both, app, "auth", "login", "--instance", "dev").exit_code == 2


PARAMETERS = [
    click.Argument(["words"], nargs=-1),
    click.Option(["-v", "--verbose"], count=True),
    click.Option(["--color/--no-color", "-c/-C"], default=None),
    click.Option(["--upper", "case"], flag_value="upper"),
    click.Option(["--lower", "case"], flag_value="lower", default="lower"),
    click.Option(["--tag", "-t"], multiple=True),
    click.Option(["--pair"], nargs=2, type=(int, str)),
    click.Option(["--level"], type=click.Choice(["low", "high"], case_sensitive=False)),
    click.Option(["--size"], type=click.IntRange(1, 9), default=3, show_default=True),
    click.Option(["--when"], is_flag=False, flag_value="now", default="never"),
    click.Option(["--where"], envvar="WHERE_IT_IS"),
    click.Option(["--hush"], hidden=True),
]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a b --tag x -t y",
        "-vvv --verbose",
        "--color",
        "-C",
        "--upper",
        "--pair 1 -x",
        "--level HIGH --size 9",
        "--when",
        "--when -v",
        "--when=later w",
        "--hush h -- --tag -v",
        "a --size 4 b",
    ],
)
def test_every_kind_of_option_arrives_as_in_click(todo: Todo, line: str) -> None:
    """What the command is given is what Click makes of the same words."""
    seen: list[dict[str, Any]] = []

    def command() -> click.Command:
        return click.Command("see", params=PARAMETERS, callback=lambda **given: seen.append(given))

    group = click.Group("auth", commands={"see": command()})
    app = typer.Typer()
    mount(app, todo.auth, group=group)
    here = runner(WHERE_IT_IS="there").invoke(app, ["auth", "see", *line.split()])
    there = CliRunner(env={"WHERE_IT_IS": "there"}).invoke(group, ["see", *line.split()])
    assert (here.exit_code, there.exit_code) == (0, 0), (here.output, there.output)
    assert seen[0] == seen[1]


def test_help_and_completion_of_every_kind(todo: Todo) -> None:
    """Each is shown, but for what is hidden; choices are completed."""
    group = click.Group("auth", commands={"see": click.Command("see", params=PARAMETERS)})
    app = typer.Typer()
    mount(app, todo.auth, group=group)
    shown = run(todo, app, "auth", "see", "--help").stdout
    for name in ("--verbose", "--no-color", "--tag", "--pair", "low|high", "1<=x<=9", "WORDS"):
        assert name in shown
    assert "--hush" not in shown
    assert completed(todo, app, "todo auth see --level ").split() == ["low", "high"]


def completed(todo: Todo, app: Any, words: str) -> str:
    """Return what bash would be told to complete the words with."""
    environ = {
        "_TODO_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    with todo.auth.override(environ=todo.environ):
        done = runner(**environ).invoke(app, prog_name="todo")
    return str(done.stdout)


def test_completion(todo: Todo, app: Any) -> None:
    """The shell completes commands, options, choices and accounts, ours and the application's."""
    logged_in(todo.auth, "ada", server=todo.server)
    logged_in(todo.auth, "bob", server=todo.server)
    assert completed(todo, app, "todo auth ").split() == STANDARD
    assert completed(todo, app, "todo ").split() == ["me", "hello", "auth"]
    assert "--min-ttl" in completed(todo, app, "todo auth token --")
    assert completed(todo, app, "todo auth login --storage ").split()[0] == "system"
    for words in ("todo auth token --user ", "todo auth account use ", "todo me --user "):
        assert completed(todo, app, words).split() == ["ada", "bob"], words
    assert completed(todo, app, "todo me --user b").split() == ["bob"]


def test_its_own_commands_stay_as_they_were(todo: Todo) -> None:
    """Help, usage errors and completion of the application's own are those without the mount."""
    bare, app = typer.Typer(help="Keep track."), application(todo)

    @bare.command()
    def hello(
        name: str, as_json: Annotated[bool, typer.Option("--json")] = False, loud: bool = False
    ) -> None:
        """Greet."""

    @bare.command()
    def another() -> None: ...

    for arguments in (["hello", "--help"], ["hello"], ["hello", "x", "--nope"]):
        ours, theirs = run(todo, app, *arguments), run(todo, bare, *arguments)
        assert (ours.exit_code, ours.output) == (theirs.exit_code, theirs.output)
    ours, theirs = (completed(todo, each, "todo hello --") for each in (app, bare))
    assert ours == theirs


def test_a_traceback_with_locals_shows_no_secret(todo: Todo, tmp_path: Path) -> None:
    """Typer prints the locals of every frame of a bug, where it is told to."""
    program = tmp_path / "program.py"
    program.write_text(
        "import typer\n"
        "from click_auth import Auth, OAuthProvider, MemoryTokenStore\n"
        "from click_auth.testing import AuthorizationServer, logged_in\n"
        "from click_auth.typer import mount\n"
        "app = typer.Typer(pretty_exceptions_show_locals=True)\n"
        "@app.command()\n"
        "def broken(where: str) -> None:\n"
        "    with AuthorizationServer() as server:\n"
        "        provider = OAuthProvider(client_id='todo-cli', issuer=server.issuer,\n"
        "                                 api_url=server.api_url)\n"
        "        auth = Auth('todo', provider, store=MemoryTokenStore())\n"
        "        logged_in(auth, server=server)\n"
        "        print(auth.access_token())\n"
        "        with auth.client(hosts=['http://127.0.0.1:1']) as api:\n"
        "            answer = api.get('/me')\n"
        "            if where == 'there': api.get('http://127.0.0.1:1/me')\n"
        "            answer.json()[where]\n"
        "@app.command()\n"
        "def other() -> None: ...\n"
        "auth = Auth('todo', OAuthProvider(client_id='x', issuer='https://id.example'))\n"
        "mount(app, auth)\n"
        "app()\n"
    )
    for where in ("nowhere", "there"):
        done = subprocess.run(
            [sys.executable, str(program), "broken", where],
            env={
                **os.environ,
                "PYTHONPATH": str(Path(click_auth.__file__).parents[1]),
                "TODO_CONFIG_DIR": str(tmp_path),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        token = done.stdout.strip()
        assert done.returncode == 1 or where == "there"
        assert len(token) > 10
        assert token not in done.stderr
