"""Code as users write it. Nothing runs it: mypy and pyright check that the promised types hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
import httpx
from typing_extensions import assert_type

from click_auth import (
    Account,
    ApiKeyProvider,
    Auth,
    AuthError,
    KeyringTokenStore,
    LoginContext,
    LoginResult,
    LogoutContext,
    LogoutResult,
    MemoryTokenStore,
    NotLoggedIn,
    OAuthProvider,
    Provider,
    Status,
    StatusContext,
    StoredAccount,
    TokenBundle,
    TokenStore,
    UserRecord,
    attach_all,
    attach_login,
    attach_logout,
    attach_status,
    attach_token,
)


def identify(api: httpx.Client) -> Mapping[str, Any]:
    """Say who a token belongs to."""
    answer: Mapping[str, Any] = api.get("/me").raise_for_status().json()
    return answer


def standard(document: dict[str, Any]) -> Mapping[str, Any]:
    """Say what a standard server would have said."""
    return {"error": "invalid_grant"} if "errors" in document else document


auth = Auth(
    "todo",
    OAuthProvider(
        client_id="todo-cli",
        issuer="https://id.todo.example",
        scopes=("tasks:read", "offline_access"),
        api_url="https://api.todo.example",
        identify=identify,
        token_response=standard,
    ),
    store=KeyringTokenStore("todo"),
    hints=["Ask in #todo-help."],
)
keys = Auth("keys", ApiKeyProvider(api_url="https://api.todo.example", header="X-Api-Key"))
several = Auth("several", {"live": OAuthProvider(client_id="a", issuer="https://id.todo.example")})


class LazyGroup(click.Group):
    """A group of a user's own kind, with something of its own."""

    def later(self) -> int:
        """Return a number."""
        return 1


def greet(context: LoginContext) -> None:
    """Refuse strangers."""
    assert_type(context.account, Account)
    assert_type(context.bundle, TokenBundle)
    if context.account.id != "ada":
        raise click.ClickException(context.account.key)


def live(context: StatusContext) -> Mapping[str, Any]:
    """Ask the service for more."""
    assert_type(context.status, Status)
    return {"plan": "free"}


def told(context: LogoutContext) -> None:
    """Look at what was removed."""
    assert_type(context.result, LogoutResult)


@attach_all(auth)
@attach_login(auth, on_login=greet)
@attach_logout(auth, "leave", on_logout=told)
@attach_status(auth, fetch_live=live, render_text=lambda context: context.status.state)
@attach_token(auth, params=[click.Option(["--shout"])], help="Print it.")
@click.group(cls=LazyGroup)
def group() -> None:
    """Stand for a CLI: the decorators return what they decorate."""


assert_type(group, LazyGroup)
assert_type(auth.group(), click.Group)


@click.command()
@auth.user_option
def tasks() -> None:
    """Call the API, with the account of --user."""
    with auth.client() as api:
        assert_type(api, httpx.Client)
    with auth.client(httpx.Client, user="ada", timeout=5.0) as api:
        api.get("/tasks")


@click.command()
@auth.pass_client
def bare(api: httpx.Client) -> None:
    """Get the client as the first argument."""
    api.get("/tasks")


@click.command()
@auth.pass_client(user="ada", hosts=("https://files.todo.example",))
@click.argument("title")
def chosen(api: httpx.Client, title: str) -> None:
    """Get the client before Click's own arguments."""
    api.post("/tasks", json={"title": title})


@click.command()
@auth.required(scopes=("tasks:write",))
def write() -> None:
    """Run only when somebody with the scope is logged in."""


@auth.required
@click.command()
def guarded() -> None:
    """Ask for a login above the command, bare."""


assert_type(guarded, click.Command)
assert_type(auth.pass_client(guarded), click.Command)
assert_type(auth.pass_client(user="ada")(guarded), click.Command)
assert_type(auth.required(scopes=["tasks:write"])(guarded), click.Command)


async def asynchronous() -> None:
    """The same credential in async code."""
    async with auth.client(httpx.AsyncClient) as api:
        assert_type(api, httpx.AsyncClient)
    async with httpx.AsyncClient(auth=auth.bearer("ada")) as api:
        await api.get("https://api.todo.example/tasks")


def program() -> None:
    """What the commands can do, a program can do."""
    assert_type(auth.login(scopes=("tasks:write",), timeout=60.0), LoginResult)
    assert_type(auth.access_token(min_ttl=90.0), str)
    assert_type(auth.current_account(), Account | None)
    assert_type(auth.status(offline=True), Status)
    assert_type(auth.refresh("ada").expires_at, datetime | None)
    assert_type(auth.accounts(), Sequence[StoredAccount])
    assert_type(auth.use("ada"), Account)
    assert_type(auth.remove("ada"), LogoutResult)
    assert_type(auth.logout(all=True, revoke=False).to_json(), dict[str, Any])
    assert_type(auth.bearer(hosts=("https://files.todo.example",)), httpx.Auth)


def errors() -> None:
    """Errors are Click's, with a code and hints."""
    try:
        auth.access_token()
    except NotLoggedIn as error:
        assert_type(error.exit_code, int)
    except AuthError as error:
        assert_type(error.code, str)
        assert_type(error.message, str)
        click.echo(", ".join(error.hints))


def in_tests() -> None:
    """A suite of a user's own replaces the outside."""
    with auth.override(store=MemoryTokenStore(), environ={"TODO_TOKEN": "made up"}):
        pass


def records(record: UserRecord, store: TokenStore, provider: Provider) -> None:
    """The models and base classes that stores and providers are written with."""
    assert_type(record.account, Account)
    assert_type(Account("ada", team=7).extra, Mapping[str, Any])
    assert_type(record.generation, int)
    assert_type(store.accounts(), Sequence[StoredAccount])
    assert_type(provider.refresh(TokenBundle("made up")), TokenBundle)
