"""Which account acts, and which credential where there is none: never another one by the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
import httpx
import pytest

from click_auth import (
    Account,
    ApiKeyProvider,
    Auth,
    MemoryTokenStore,
    OAuthProvider,
    TokenBundle,
    UsageError,
)
from click_auth.testing import AuthorizationServer, logged_in
from commands.conftest import Todo

API = "https://api.example"
CLIENT = {"TODO_CLIENT_ID": "todo-ci", "TODO_CLIENT_SECRET": "todo-ci-secret"}


def mapping() -> dict[str, ApiKeyProvider]:
    """Return two services, of which prod is the default."""
    return {name: ApiKeyProvider(api_url=f"https://{name}.example") for name in ("prod", "staging")}


def at_any(instance: str | None) -> ApiKeyProvider:
    """Return the provider of an address."""
    return ApiKeyProvider(api_url=instance or "https://cloud.example")


def store_account(auth: Auth, name: str, instance: str | None, *, default: bool = False) -> str:
    """Store a login of *name* at *instance*, and return its key."""
    account = Account(id=name, instance=instance)
    auth.store.set_bundle(account, TokenBundle(f"{name}-token"), promote_default=default)
    return account.key


@pytest.fixture
def services(make_todo: Callable[..., Todo]) -> Todo:
    """An application with two services."""
    return make_todo(provider=mapping())


# H4


def test_h4_after_a_logout_no_other_instance_steps_in(services: Todo) -> None:
    """The default account was at staging; prod's is the only one of the default service."""
    store_account(services.auth, "ada", "prod")
    store_account(services.auth, "ada", "staging", default=True)
    out = services.run("auth", "logout", "--no-revoke")
    assert "Account in use: ada" in out.stderr
    assert services.run("auth", "token").stdout == "ada-token"
    out = services.run("auth", "logout", "--no-revoke")
    assert "No account is in use." in out.stderr
    assert services.run("auth", "token").exit_code == 4


def test_h4_a_logout_does_not_make_the_last_account_elsewhere_the_default(services: Todo) -> None:
    """One is left, and it is at another service: it acts when it is named, and not before."""
    store_account(services.auth, "bob", "staging")
    store_account(services.auth, "ada", "prod", default=True)
    out = services.run("auth", "logout", "--no-revoke")
    assert "No account is in use." in out.stderr
    assert services.run("auth", "token").exit_code == 4
    listed = json.loads(services.run("auth", "account", "list", "--json").stdout)
    assert (len(listed["accounts"]), listed["default"]) == (1, None)


@pytest.mark.parametrize(
    "stored, acting",
    [
        (["bob@staging"], None),
        (["bob@staging", "eve@staging"], None),
        (["ada@prod", "bob@staging", "eve@staging"], "ada@prod"),
        (["ada@prod"], "ada@prod"),
    ],
)
def test_h4_only_the_default_service_has_an_only_account(
    services: Todo, stored: list[str], acting: str | None
) -> None:
    """Without a default account: the only one of the default service, and nobody else's."""
    for name, _, instance in (each.partition("@") for each in stored):
        store_account(services.auth, name, instance)
    account = services.auth.current_account()
    assert (account.key if account else None) == acting
    if acting is None:
        refused = services.run("auth", "token")
        assert refused.exit_code == 4
        assert "bob@staging" in refused.stderr  # it says whom one could name
        assert services.run("auth", "token", "--user", "bob").stdout == "bob-token"


def test_h4_an_instance_that_is_named_has_its_own_only_account(services: Todo) -> None:
    """`--instance` and its variable ask for that service's account, and the default one acts."""
    store_account(services.auth, "bob", "staging")
    assert services.run("auth", "token", "--instance", "staging").stdout == "bob-token"
    assert services.run("auth", "token", TODO_INSTANCE="staging").stdout == "bob-token"
    assert services.run("auth", "token").exit_code == 4
    services.run("auth", "account", "use", "bob")
    assert services.run("auth", "token").stdout == "bob-token"


def test_h4_where_any_address_is_a_service_the_default_one_is_without_a_name(
    make_todo: Callable[..., Todo],
) -> None:
    """The only account at an address does not act where no address is named."""
    todo = make_todo(provider=at_any)
    store_account(todo.auth, "bob", "https://git.example")
    assert todo.run("auth", "token").exit_code == 4
    store_account(todo.auth, "ada", None)
    assert todo.run("auth", "token").stdout == "ada-token"


def test_h4_logout_says_who_acts_from_now_on(todo: Todo) -> None:
    """On stderr, with --json as an event; after `account remove` too."""
    for name in ("ada", "bob", "eve"):
        store_account(todo.auth, name, None, default=True)
    out = todo.run("auth", "logout", "--no-revoke", "--json")
    event = {"event": "account", "account": None}  # two are left, and neither was chosen
    assert event in [json.loads(line) for line in out.stderr.splitlines()]
    assert json.loads(out.stdout)["removed"] == ["eve"]
    out = todo.run("auth", "account", "remove", "ada")
    assert "Account in use: bob." in out.stderr
    out = todo.run("auth", "account", "remove", "bob", "--json")
    assert event in [json.loads(line) for line in out.stderr.splitlines()]


def test_h4_logout_of_an_account_beside_names_who_acts_still(todo: Todo) -> None:
    """Whoever was logged out, the line says whose credential commands use."""
    logged_in(todo.auth, "bob", server=todo.server)
    logged_in(todo.auth, "ada", server=todo.server)
    out = todo.run("auth", "logout", "--user", "bob")
    assert "Account in use: ada@todo.example (ada)." in out.stderr


# L17


def test_l17_whoever_has_to_choose_is_told_how(todo: Todo) -> None:
    """Several accounts and no default: the hint names `--user` and `account use`."""
    for name in ("ada", "bob"):
        store_account(todo.auth, name, None)
    refused = todo.run("auth", "status")
    assert refused.exit_code == 2
    assert "--user: ada, bob" in refused.stderr
    assert "account use" in refused.stderr


# A13, A14


@pytest.mark.parametrize(
    "environ",
    [{"TODO_TOKEN": "x"}, {"TODO_TOKEN": "x", "TODO_ACCOUNT": "ada"}, CLIENT],
    ids=["token", "token and account", "client"],
)
def test_a14_nobody_is_named_while_the_environments_credential_applies(
    todo: Todo, environ: dict[str, str]
) -> None:
    """Neither by the method nor by the command, unless an account is asked for by name."""
    logged_in(todo.auth, "ada", server=todo.server)

    @todo.cli.command()
    @todo.auth.user_option
    def who() -> None:
        account = todo.auth.current_account()
        click.echo("nobody" if account is None else account.id)

    assert todo.run("who").stdout == "ada\n"
    assert todo.run("who", **environ).stdout == "nobody\n"
    assert todo.run("who", "--user", "ada", **environ).stdout == "ada\n"
    refused = todo.run("auth", "account", "current", **environ)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert next(iter(environ)) in refused.stderr
    assert todo.run("auth", "account", "current", "--user", "ada", **environ).exit_code == 0
    with todo.auth.override(environ=environ):
        assert todo.auth.current_account() is None
        named = todo.auth.current_account("ada")
    assert named is not None
    assert named.id == "ada"


def _state(todo: Todo, *options: str, **environ: str) -> tuple[str, int]:
    result = todo.run("auth", "status", "--json", *options, **environ)
    return json.loads(result.stdout)["state"], result.exit_code


def test_a13_status_asks_about_the_environments_token(todo: Todo) -> None:
    """Good, refused and unreachable are told apart; offline nobody is asked."""
    good = str(todo.server.issue()["access_token"])
    assert _state(todo, TODO_TOKEN=good) == ("ok", 0)
    assert _state(todo, TODO_TOKEN="dead") == ("invalid", 4)
    assert _state(todo, TODO_TOKEN="no\ttoken") == ("none", 4)
    asked = len(todo.server.journal)
    assert _state(todo, "--offline", TODO_TOKEN="dead") == ("ok", 0)
    assert todo.run("auth", "status", "--all", "--offline", TODO_TOKEN="dead").exit_code == 0
    assert len(todo.server.journal) == asked
    with todo.server.offline():
        assert _state(todo, TODO_TOKEN=good) == ("unreachable", 5)


def test_a13_the_store_is_not_touched_for_it(make_todo: Callable[..., Todo], tmp_path: Any) -> None:
    """No refresh, no keyring, no record: the token is not the store's."""
    todo = make_todo(store=None, folder=tmp_path / "todo", storage="plaintext")
    logged_in(todo.auth, server=todo.server, expires_in=-1)
    before = (tmp_path / "todo" / "auth.json").read_bytes()
    assert _state(todo, TODO_TOKEN="dead") == ("invalid", 4)
    assert (tmp_path / "todo" / "auth.json").read_bytes() == before
    assert todo.server.refresh_count == 0


# S8


@pytest.fixture
def hosts(auth_server: AuthorizationServer, make_todo: Callable[..., Todo]) -> Todo:
    """An application whose service may be at any address."""

    def make(instance: str | None) -> OAuthProvider:
        issuer = auth_server.issuer
        api_url = instance or auth_server.api_url
        return OAuthProvider(client_id="todo-cli", issuer=issuer, api_url=api_url)

    return make_todo(provider=make)


@pytest.mark.parametrize("environ", [{"TODO_TOKEN": "a-canary"}, CLIENT], ids=["token", "client"])
@pytest.mark.parametrize(
    "instance, token_instance, counts",
    [
        (None, None, True),
        ("https://other.example", None, False),
        ("https://other.example", "https://another.example", False),
        ("https://other.example", "HTTPS://Other.example:443/", True),
        (None, "https://other.example", False),
    ],
)
def test_s8_a_variable_does_not_send_the_token_to_any_host(
    hosts: Todo,
    environ: dict[str, str],
    instance: str | None,
    token_instance: str | None,
    *,
    counts: bool,
) -> None:
    """The environment's credential is the default service's, or that of `TODO_TOKEN_INSTANCE`."""
    variables = dict(environ)
    if token_instance is not None:
        variables["TODO_TOKEN_INSTANCE"] = token_instance
    if instance is not None:
        variables["TODO_INSTANCE"] = instance
    result = hosts.run("auth", "token", **variables)
    if counts:
        assert result.exit_code == 0, result.output
        return
    assert (result.exit_code, result.stdout) == (4, "")
    assert f"{next(iter(environ))} applies to another service" in result.stderr
    assert "TODO_TOKEN_INSTANCE" in result.stderr
    assert len(hosts.server.journal) == 0


def test_s8_what_does_not_count_leaves_the_stored_account_in_effect(hosts: Todo) -> None:
    """At another address the account of the store acts, and is named; so with `--instance`."""
    store_account(hosts.auth, "ada", "https://other.example")
    line = ("--instance", "https://other.example")
    token = hosts.run("auth", "token", *line, TODO_TOKEN="a-canary")
    assert (token.exit_code, token.stdout) == (0, "ada-token")
    current = hosts.run("auth", "account", "current", *line, TODO_TOKEN="a-canary")
    assert (current.exit_code, current.stdout) == (0, "ada\n")


def test_s8_in_a_mapping_the_token_is_for_the_one_chosen(services: Todo) -> None:
    """The names are the application's own: no variable invents a host."""
    for name in ("prod", "staging"):
        with services.auth.override(environ={"TODO_TOKEN": "t", "TODO_INSTANCE": name}):
            client = services.auth.client()
        assert str(client.base_url) == f"https://{name}.example"


def test_s8_doctor_says_whether_the_variables_count(hosts: Todo, services: Todo) -> None:
    """Each with its effect here and now, also where the instance is one that is not known."""

    def rows(todo: Todo, **environ: str) -> dict[str, str]:
        report = json.loads(todo.run("auth", "doctor", "--json", **environ).stdout)
        return {check["name"]: check["value"] for check in report["checks"]}

    address = {"TODO_INSTANCE": "https://other.example", "TODO_TOKEN": "a-canary"}
    assert rows(hosts, **address)["TODO_TOKEN"] == "set; no effect"
    named = {**address, "TODO_TOKEN_INSTANCE": "https://other.example"}
    assert "instead of any stored account" in rows(hosts, **named)["TODO_TOKEN"]
    nobody = httpx.MockTransport(lambda _request: httpx.Response(503))
    with services.auth.override(http_options={"transport": nobody}):
        unknown = rows(services, TODO_INSTANCE="nowhere", TODO_TOKEN="a-canary")
    assert "instead of any stored account" in unknown["TODO_TOKEN"]


def test_l14_half_of_a_client_is_told(todo: Todo) -> None:
    """An id without a secret is no credential: whoever misses one is told."""
    refused = todo.run("auth", "token", TODO_CLIENT_ID="x")
    assert refused.exit_code == 4
    assert "TODO_CLIENT_ID only works together with TODO_CLIENT_SECRET" in refused.stderr


# A7


@pytest.mark.parametrize("options", [(), ("--offline",), ("--all",)], ids=" ".join)
@pytest.mark.parametrize("somebody", [True, False])
def test_a7_status_names_whose_secrets_wait_to_be_deleted(
    make_todo: Callable[..., Todo], tmp_path: Any, options: tuple[str, ...], *, somebody: bool
) -> None:
    """In the text, whoever is logged in; with --json as an event on stderr."""
    todo = make_todo(store=None, folder=tmp_path / "todo", storage="plaintext")
    if somebody:
        logged_in(todo.auth, server=todo.server)
    path = tmp_path / "todo" / "auth.json"
    path.parent.mkdir(exist_ok=True)
    text = path.read_text() if somebody else '{"version": 1, "default": null, "accounts": {}}'
    path.write_text(json.dumps({**json.loads(text), "removed": ["u1"]}))
    path.chmod(0o600)
    assert "The tokens of u1 are waiting" in todo.run("auth", "status", *options).stdout
    said = todo.run("auth", "status", "--json", *options).stderr.splitlines()
    (event,) = (each for each in map(json.loads, said) if each["event"] == "removal")
    assert event["account"] == "u1"


# S12


@pytest.fixture
def claimed(make_todo: Callable[..., Todo]) -> Todo:
    """A service where bob calls himself ada, and an account of ada's that is stored."""
    named = {"id": "bob", "label": "ada@todo.example"}
    todo = make_todo(
        provider=OAuthProvider(
            client_id="c", issuer="https://id.example", api_url=API, identify=lambda _: named
        )
    )
    account = Account(id="ada", label="ada@todo.example")
    todo.auth.store.set_bundle(account, TokenBundle("ada-token"), promote_default=True)
    return todo


@pytest.mark.parametrize("ref", ["ada", "ada@todo.example", "ADA@todo.example"])
def test_s12_a_label_does_not_open_a_stored_account_to_somebody_else(
    claimed: Todo, ref: str
) -> None:
    """Where REF names a stored account its id decides, whatever the service calls the other."""
    refused = claimed.run("auth", "login", "--with-token", "--user", ref, stdin="bobs-key")
    assert (refused.exit_code, "not ada" in refused.stderr.casefold()) == (1, True)
    assert [each.account.id for each in claimed.auth.accounts()] == ["ada"]
    assert claimed.auth.access_token() == "ada-token"


def test_s12_a_label_that_nobody_here_has_is_enough(claimed: Todo) -> None:
    """Without such an account REF is compared with what the service says, the label too."""
    claimed.auth.store.clear("ada")
    done = claimed.run(
        *("auth", "login", "--with-token", "--user", "ada@todo.example"), stdin="bobs-key"
    )
    assert done.exit_code == 0, done.output


# L10, L12, L15


def test_l10_l12_login_says_at_the_start_what_wins_and_at_the_end_where(services: Todo) -> None:
    """The warning stands before anything is asked; the line of success names the service."""
    line = ("auth", "login", "--with-token", "--instance", "staging")
    done = services.run(*line, stdin="a-key", TODO_TOKEN="x")
    assert done.exit_code == 0, done.output
    first, *_, last = done.stderr.splitlines()
    assert "TODO_TOKEN is set and takes precedence over this login." in first
    assert "on staging, now the default account" in last


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b", "/etc", "a\nb", "c:x"])
def test_l15_what_is_no_name_is_refused_at_construction(name: str) -> None:
    """It would become a folder, a service in the keyring, and the name of a variable."""
    with pytest.raises(ValueError, match="a word, not a path"):
        Auth(name, ApiKeyProvider(), store=MemoryTokenStore())


@pytest.mark.parametrize("storage", ["keyring", "", "System"])
def test_l15_a_policy_that_is_none_is_refused_at_construction(storage: str) -> None:
    """Not only by the first command that stores something."""
    with pytest.raises(ValueError, match="storage must be one of"):
        Auth("todo", ApiKeyProvider(), storage=storage)
    assert Auth("to do-2.x", ApiKeyProvider()).app_name == "to do-2.x"


def test_h4_a_ref_that_matches_none_is_still_an_error(services: Todo) -> None:
    """A named account is found at whichever service it is, or not at all."""
    store_account(services.auth, "bob", "staging")
    with pytest.raises(UsageError):
        services.auth.current_account("eve")
    account = services.auth.current_account("bob")
    assert account is not None
    assert account.instance == "staging"
