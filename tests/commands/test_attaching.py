"""How the commands hang on somebody else's group, and what they give to its commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
import httpx
import pytest

from click_auth import (
    Account,
    Auth,
    LoginContext,
    LogoutContext,
    NotLoggedIn,
    OAuthProvider,
    StatusContext,
    attach_accounts,
    attach_all,
    attach_doctor,
    attach_git_credential,
    attach_login,
    attach_logout,
    attach_refresh,
    attach_run,
    attach_status,
    attach_token,
)
from click_auth.testing import logged_in
from commands.conftest import Todo
from runner import CliRunner

STANDARD = ["account", "doctor", "login", "logout", "refresh", "status", "token"]


def test_decorators_return_the_same_group_and_stack(todo: Todo) -> None:
    """An attacher decorates a group and returns that same group."""
    group = click.Group("auth")
    assert attach_login(todo.auth)(attach_token(todo.auth)(group)) is group
    assert sorted(group.commands) == ["login", "token"]


def test_on_the_root_group(todo: Todo) -> None:
    """Attached to the root group they give `todo login`, and errors name that line."""
    root = click.Group("todo")
    attach_all(todo.auth)(root)
    assert sorted(root.commands) == STANDARD
    with todo.auth.override(environ=todo.environ):
        result = CliRunner().invoke(root, ["token"], prog_name="todo")
    assert result.stderr == "Error: Not logged in. Run `todo login`.\n"


def test_attach_all_leaves_names_that_are_taken(todo: Todo) -> None:
    """`attach_all` attaches what is free, so that one attacher can be customised before it."""
    group = click.Group("auth")
    attach_status(todo.auth, help="Mine.")(group)
    attach_all(todo.auth)(group)
    assert sorted(group.commands) == STANDARD
    assert group.commands["status"].help == "Mine."


@pytest.mark.parametrize("thing", [click.Command("x"), lambda: None, "auth", None])
def test_only_a_group_is_decorated(todo: Todo, thing: Any) -> None:
    """Above anything that is no group they raise TypeError saying what they got."""
    for attach in (attach_login(todo.auth), attach_all(todo.auth), attach_accounts(todo.auth)):
        with pytest.raises(TypeError, match=type(thing).__qualname__):
            attach(thing)


def test_typer_is_told_apart(todo: Todo) -> None:
    """For Typer the error says why its groups are none."""
    lookalike = type("Typer", (), {"__module__": "typer.main"})()
    with pytest.raises(TypeError, match="Typer bundles its own copy of Click"):
        attach_login(todo.auth)(lookalike)


def test_name_that_is_taken(todo: Todo) -> None:
    """A name that the group answers to is a ValueError, for lazy groups without loading any."""
    group = click.Group("auth")
    attach_login(todo.auth)(group)
    with pytest.raises(ValueError, match="'login'"):
        attach_login(todo.auth)(group)

    class Lazy(click.Group):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return ["logout", *super().list_commands(ctx)]

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            assert cmd_name != "logout", "loaded"
            return super().get_command(ctx, cmd_name)

    lazy = Lazy("auth")
    with pytest.raises(ValueError, match="'logout'"):
        attach_logout(todo.auth)(lazy)
    attach_all(todo.auth)(lazy)
    assert "logout" not in lazy.commands


def test_a_listing_behind_a_decorator_is_not_asked(todo: Todo) -> None:
    """What a function of a scope around it does is unknown: it may load the application."""
    asked: list[str] = []

    def watched(listing: Any) -> Any:
        def around(self: click.Group, ctx: click.Context) -> Any:
            return listing(self, ctx)

        return around

    class Lazy(click.Group):
        @watched
        def list_commands(self, ctx: click.Context) -> list[str]:
            asked.append("loaded")
            return super().list_commands(ctx)

    attach_all(todo.auth)(Lazy("auth"))
    assert asked == []


def test_command_class_of_the_group_holds(todo: Todo) -> None:
    """Commands are made by the group itself; `cls`, `params` and attrs are those of click."""

    class Fancy(click.Command):
        pass

    class Fancier(Fancy):
        pass

    class FancyGroup(click.Group):
        command_class = Fancy

    group = FancyGroup("auth")
    seen: list[str] = []
    extra = click.Option(["--team"], callback=lambda _c, _p, value: seen.append(value))
    attach_token(todo.auth)(group)
    attach_status(todo.auth, "who", cls=Fancier, params=[extra], hidden=True)(group)
    assert type(group.commands["token"]) is Fancy
    assert type(group.commands["who"]) is Fancier
    assert group.commands["who"].hidden
    with todo.auth.override(environ=todo.environ):
        CliRunner().invoke(group, ["who", "--team", "blue"])
    assert seen == ["blue"]


@pytest.mark.parametrize(
    "attach, words, exit_code",
    [
        (attach_login, [], 0),
        (attach_token, [], 0),
        (attach_refresh, [], 0),
        (attach_status, [], 0),
        (attach_doctor, [], 0),
        (attach_accounts, ["list"], 0),
        (attach_git_credential, ["store"], 0),
        (attach_run, ["--env", "TOKEN", "no-such-program-here"], 127),
        (attach_logout, [], 0),
    ],
)
def test_every_command_takes_an_option_of_the_applications(
    make_todo: Callable[..., Todo], attach: Callable[..., Any], words: list[str], exit_code: int
) -> None:
    """Its callback sees the value, and the command does what it does without it."""
    seen: list[str] = []
    extra = click.Option(["--team"], callback=lambda _c, _p, value: seen.append(value))
    provider = OAuthProvider(
        client_id="todo-cli",
        issuer=make_todo().server.issuer,
        scopes=("tasks:read", "offline_access"),
    )
    todo = make_todo(provider=provider)
    attach(todo.auth, "it", params=[extra])(todo.group)
    assert todo.run("auth", "login").exit_code == 0
    done = todo.run("auth", "it", "--team", "blue", *words)
    assert (done.exit_code, seen) == (exit_code, ["blue"]), done.output


def test_login_has_the_options_of_its_provider() -> None:
    """What a provider cannot do is no option of its login."""
    by_hand = OAuthProvider(
        client_id="x",
        authorization_endpoint="https://id.example/a",
        token_endpoint="https://id.example/t",
    )
    several = {"prod": by_hand, "test": by_hand}
    assert "--device" not in _options(Auth("todo", by_hand))
    assert "--instance" not in _options(Auth("todo", by_hand))
    assert "--instance" in _options(Auth("todo", several))
    assert "--device" in _options(
        Auth("todo", OAuthProvider(client_id="x", issuer="https://id.example"))
    )


def _options(auth: Auth) -> set[str]:
    return {name for each in auth.group().commands["login"].params for name in each.opts}


def test_hooks(todo: Todo) -> None:
    """Hooks are called with frozen contexts, and render what is printed."""
    events: list[Any] = []
    group = click.Group("auth")
    attach_login(
        todo.auth, on_login=events.append, render_text=lambda context: f"hi {context.account.id}"
    )(group)
    attach_status(
        todo.auth,
        fetch_live=lambda context: {"plan": "pro", "had_token": context.bundle is not None},
        render_text=lambda context: f"{context.status.state} {context.live}",
    )(group)
    attach_logout(
        todo.auth,
        on_logout=events.append,
        render_json=lambda context: {"gone": context.result.removed},
    )(group)

    def run(*arguments: str) -> Any:
        with todo.auth.override(environ=todo.environ, browser=todo.browser):
            return CliRunner().invoke(group, arguments, prog_name="todo")

    assert run("login").stdout == "hi ada\n"
    assert run("status").stdout == "ok {'plan': 'pro', 'had_token': True}\n"
    assert json.loads(run("status", "--json").stdout)["live"]["plan"] == "pro"
    assert json.loads(run("logout", "--json").stdout) == {"gone": ["ada"]}
    assert [type(event) for event in events] == [LoginContext, LogoutContext]
    with pytest.raises(AttributeError):
        events[0].account = None


def test_on_login_may_refuse(todo: Todo) -> None:
    """What `on_login` raises ends the login; nothing is stored and the grant is revoked."""

    def refuse(context: LoginContext) -> None:
        raise click.ClickException(f"{context.account.id} is not welcome")

    group = click.Group("auth")
    attach_login(todo.auth, on_login=refuse)(group)
    with todo.auth.override(environ=todo.environ, browser=todo.browser):
        result = CliRunner().invoke(group, ["login"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "ada is not welcome" in result.stderr
    assert todo.auth.accounts() == []
    assert not todo.server.family_alive("ada")


def test_user_option_and_client_in_commands_of_ones_own(todo: Todo) -> None:
    """`--user` holds for every method while the command runs; the client is closed with it."""
    logged_in(todo.auth, "ada", server=todo.server)
    logged_in(todo.auth, "bob", server=todo.server)
    clients: list[httpx.Client] = []

    @todo.cli.command()
    @todo.auth.user_option
    @todo.auth.pass_client
    def me(api: httpx.Client) -> None:
        clients.append(api)
        click.echo(api.get("/me").json()["id"])

    @todo.cli.command()
    @todo.auth.pass_client(user="bob", timeout=3)
    @click.argument("word")
    def named(api: httpx.Client, word: str) -> None:
        click.echo(word + api.get("/me").json()["id"])

    @todo.cli.command()
    @todo.auth.user_option
    def who() -> None:
        account = todo.auth.current_account()
        assert isinstance(account, Account)
        click.echo(account.id)

    assert todo.run("me", "--user", "ada").stdout == "ada\n"
    assert todo.run("me").stdout == "bob\n"
    assert todo.run("named", "x").stdout == "xbob\n"
    assert todo.run("who", "--user", "ADA@todo.example").stdout == "ada\n"
    assert all(client.is_closed for client in clients)
    assert todo.run("me", "--user", "eve").exit_code == 2


def test_required(todo: Todo) -> None:
    """`required` asks for a login, and for scopes, without the network."""

    @todo.cli.command()
    @todo.auth.required(scopes=["tasks:write"])
    def decorated() -> None:
        click.echo("in")

    @todo.cli.command()
    def called() -> None:
        todo.auth.required()
        click.echo("in")

    assert todo.run("decorated").exit_code == 4
    assert todo.run("called").exit_code == 4
    logged_in(todo.auth, server=todo.server, scopes=("tasks:read",))
    before = len(todo.server.journal)
    missing = todo.run("decorated")
    assert (missing.exit_code, missing.stdout) == (4, "")
    assert "tasks:write. Run `todo auth login --scope tasks:write`." in missing.stderr
    assert todo.run("called").stdout == "in\n"
    logged_in(todo.auth, server=todo.server, scopes=("tasks:read", "tasks:write"))
    assert todo.run("decorated").stdout == "in\n"
    assert len(todo.server.journal) == before


def test_required_waits_while_a_lazy_group_loads(todo: Todo) -> None:
    """Decorating a command that a lazy group loads just now checks nothing yet."""

    class Lazy(click.Group):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            @click.command(cmd_name)
            @todo.auth.required()
            def command() -> None:
                """Say so."""

            return command

    result = CliRunner().invoke(Lazy("todo"), ["late", "--help"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_accounts(todo: Todo, shell: str) -> None:
    """The shell completes accounts, in our commands and under `user_option`."""
    logged_in(todo.auth, "ada", server=todo.server)
    logged_in(todo.auth, "bob", server=todo.server)

    @todo.cli.command()
    @todo.auth.user_option
    def me() -> None: ...

    for words in ("todo auth token --user ", "todo auth account use ", "todo me --user "):
        runner = CliRunner(
            env={
                "_TODO_COMPLETE": f"{shell}_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": "" if shell == "fish" else str(words.count(" ")),
            }
        )
        with todo.auth.override(environ=todo.environ):
            result = runner.invoke(todo.cli, prog_name="todo", complete_var="_TODO_COMPLETE")
        assert "ada" in result.stdout, words
        assert "bob" in result.stdout, words


def test_several_services(make_todo: Callable[..., Todo], todo: Todo) -> None:
    """Two instances with the same user id are two accounts, each at home with its own server."""
    from click_auth.testing import AuthorizationServer

    with AuthorizationServer() as other:

        def provider(server: AuthorizationServer) -> OAuthProvider:
            return OAuthProvider(
                client_id="todo-cli",
                issuer=server.issuer,
                api_url=server.api_url,
                identify=lambda api: api.get("/me").raise_for_status().json(),
            )

        both = make_todo(provider={"prod": provider(todo.server), "test": provider(other)})
        for instance in ("prod", "test"):
            done = both.run("auth", "login", "--instance", instance)
            assert done.exit_code == 0, done.stderr
        keys = json.loads(both.run("auth", "account", "list", "--json").stdout)["accounts"]
        assert [each["account"]["key"] for each in keys] == ["ada@prod", "ada@test"]
        prod = both.run("auth", "token", "--instance", "prod").stdout
        test = both.run("auth", "token", TODO_INSTANCE="test").stdout
        assert todo.server.family_alive(prod)
        assert other.family_alive(test)
        assert not other.family_alive(prod)
        assert both.run("auth", "logout", "--instance", "test").exit_code == 0
        assert not other.family_alive("ada")
        assert todo.server.family_alive("ada")
        assert both.run("auth", "login", "--instance", "dev").exit_code == 2


def test_override_is_undone(todo: Todo) -> None:
    """`override` puts other parts in place for a block, and only for it."""
    before = todo.auth.store
    with todo.auth.override(environ={"TODO_TOKEN": "t"}) as same:
        assert same is todo.auth
        assert todo.auth.access_token() == "t"
    assert todo.auth.store is before
    with pytest.raises(NotLoggedIn):
        todo.auth.access_token()


def test_contexts_show_no_secret(todo: Todo) -> None:
    """No token is in the repr or the JSON of what hooks receive."""
    contexts: list[Any] = []
    group = click.Group("auth")
    attach_login(todo.auth, on_login=contexts.append)(group)
    attach_status(todo.auth, fetch_live=lambda c: contexts.append(c) or {})(group)
    with todo.auth.override(environ=todo.environ, browser=todo.browser):
        CliRunner().invoke(group, ["login"])
        CliRunner().invoke(group, ["status"])
    token = todo.auth.access_token()
    assert len(contexts) == 2
    assert isinstance(contexts[1], StatusContext)
    for context in contexts:
        assert token not in repr(context) + str(context) + json.dumps(context.to_json())


def test_sx_08_what_nobody_foresaw_is_one_line(todo: Todo) -> None:
    """A bug in a hook is one line without its words; with debugging on it is a traceback."""

    def broken(_context: StatusContext) -> dict[str, Any]:
        raise KeyError("a-secret")

    group = click.Group("auth")
    attach_status(todo.auth, fetch_live=broken)(group)
    logged_in(todo.auth, server=todo.server)
    with todo.auth.override(environ=todo.environ):
        result = CliRunner().invoke(group, ["status"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "KeyError in test_attaching.py:" in result.stderr
    assert "a-secret" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_ctrl_c_under_json_leaves_objects_only(todo: Todo) -> None:
    """An interrupted command exits with 130, and under `--json` every line is still an object."""

    def interrupt(_context: LoginContext) -> None:
        raise KeyboardInterrupt

    group = click.Group("auth")
    attach_login(todo.auth, on_login=interrupt)(group)
    with todo.auth.override(environ=todo.environ, browser=todo.browser):
        result = CliRunner().invoke(group, ["login", "--json"])
    assert (result.exit_code, result.stdout) == (130, "")
    assert all(json.loads(line) for line in result.stderr.splitlines())
