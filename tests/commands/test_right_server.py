"""A credential goes to the server and the client it was granted to, and to nobody else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from click_auth import (
    Account,
    ApiKeyProvider,
    Auth,
    MemoryTokenStore,
    NotLoggedIn,
    OAuthProvider,
    TokenBundle,
    refresh_access_token,
)
from click_auth.providers import Binding
from click_auth.testing import AuthorizationServer, logged_in
from commands.conftest import Todo

OLD = "https://old.example"


def _get(auth: Auth) -> object:
    with auth.client() as api:
        return api.get("/tasks")


def _with_bearer(auth: Auth) -> object:
    with httpx.Client(auth=auth.bearer()) as api:
        return api.get(auth.context.provider(None).api_url or "")


METHODS: dict[str, Callable[[Auth], object]] = {
    "client": _get,
    "bearer": _with_bearer,
    "access_token": lambda auth: auth.access_token(),
    "access_token after a 401": lambda auth: auth.access_token(rejected="x"),
    "refresh": lambda auth: auth.refresh(),
    "refresh_access_token": refresh_access_token,
}


@pytest.fixture
def misplaced(todo: Todo) -> Todo:
    """A login at another server, with a token that has not expired."""
    bind(todo.auth, OLD, "todo-cli")
    return todo


def bind(auth: Auth, issuer: str | None, client_id: str | None) -> None:
    """Log ada in at *issuer*, as the client *client_id*."""
    bundle = TokenBundle("a-canary", "a-canary-too")
    auth.context.store.log_in(Account(id="ada"), bundle, Binding(issuer, client_id))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_h3_no_method_sends_the_token_of_another_server(
    misplaced: Todo, method: Callable[[Auth], object]
) -> None:
    """Both servers are named, and neither the API nor the token endpoint hears anything."""
    issuer = misplaced.server.issuer
    with pytest.raises(NotLoggedIn) as refused:
        method(misplaced.auth)
    assert refused.value.message == f"You are logged in at {OLD}, not at {issuer}."
    assert refused.value.exit_code == 4
    assert len(misplaced.server.journal) == 0


@pytest.mark.parametrize(
    "line",
    ["token", "token --stored", "token --min-ttl 2h", "refresh", "status", "account current"],
)
def test_h3_no_command_prints_the_token_of_another_server(misplaced: Todo, line: str) -> None:
    """Exit code 4 and nothing that is secret, whichever command is asked."""
    result = misplaced.run("auth", *line.split())
    assert result.exit_code == 4
    assert "a-canary" not in result.stdout + result.stderr
    assert f"logged in at {OLD}, not at {misplaced.server.issuer}" in result.stdout + result.stderr
    assert len(misplaced.server.journal) == 0


def test_h3_a_command_of_ones_own_is_refused_before_it_runs(misplaced: Todo) -> None:
    """`required` and `pass_client` count such a login as none, and `fetch_live` is not called."""
    for name, decorated in {
        "checked": misplaced.auth.required(lambda: pytest.fail("it ran")),
        "given": misplaced.auth.pass_client(lambda api: pytest.fail(f"it ran with {api}")),
    }.items():
        misplaced.cli.command(name)(decorated)
        result = misplaced.run(name)
        assert (result.exit_code, "not at" in result.stdout + result.stderr) == (4, True)
    assert misplaced.auth.current_account() is None
    status = json.loads(misplaced.run("auth", "status", "--json").stdout)
    assert (status["state"], status["refreshable"], status["account"]["id"]) == (
        *("expired", False),
        "ada",
    )


@pytest.mark.parametrize(
    "issuer, client_id, said",
    [
        (None, None, None),
        (None, "todo-cli", None),
        ("{issuer}", None, None),
        ("{issuer}", "todo-cli", None),
        ("{issuer}", "old-cli", "as the client old-cli, not as todo-cli"),
        (None, "old-cli", "as the client old-cli, not as todo-cli"),
        (OLD, None, f"at {OLD}, not at {{issuer}}"),
    ],
)
def test_h3_what_is_null_binds_nothing(
    todo: Todo, issuer: str | None, client_id: str | None, said: str | None
) -> None:
    """A record that does not say whose it is works as before; a client id counts as well."""
    own = todo.server.issuer
    bind(todo.auth, issuer and issuer.format(issuer=own), client_id)
    if said is None:
        assert todo.auth.access_token() == "a-canary"
    else:
        with pytest.raises(NotLoggedIn, match=said.format(issuer=own)):
            todo.auth.access_token()


def test_h3_a_provider_that_binds_nothing_takes_every_record() -> None:
    """An API key has no issuer: nothing is compared."""
    auth = Auth("todo", ApiKeyProvider(api_url="https://api.example"), store=MemoryTokenStore())
    bind(auth, OLD, "old")
    assert auth.access_token() == "a-canary"


def test_h3_a_login_elsewhere_in_the_meantime_is_not_adopted(todo: Todo) -> None:
    """A client that is alive does not take over what another process got at another server."""
    logged_in(todo.auth, server=todo.server)
    with todo.auth.client() as api:
        assert api.get("/tasks").status_code == 200
        bind(todo.auth, OLD, "todo-cli")
        before = len(todo.server.journal)
        with pytest.raises(NotLoggedIn, match="not at"):
            api.get("/tasks")
    assert len(todo.server.journal) == before


def test_h3_a_refresh_does_not_adopt_what_came_from_elsewhere(
    todo: Todo, auth_server: AuthorizationServer
) -> None:
    """Whoever waited for the lock finds a login at another server there: it is not theirs."""
    logged_in(todo.auth, server=auth_server, expires_in=-1)

    class Lock:
        def __init__(self, _key: str) -> None:
            bind(todo.auth, OLD, "todo-cli")  # by whoever had the lock before

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    with pytest.raises(NotLoggedIn, match="not at"):
        refresh_access_token(todo.auth, lock=Lock)
    assert len(auth_server.journal) == 0


def test_h3_logout_works_and_revokes_nothing_elsewhere(misplaced: Todo) -> None:
    """The record goes; its grant is not shown to a server that has not granted it."""
    result = misplaced.run("auth", "logout", "--json")
    out = json.loads(result.stdout)
    assert (result.exit_code, out["removed"], out["revoked"]) == (0, ["ada"], False)
    assert "not at" in result.stderr
    assert len(misplaced.server.journal) == 0


def test_h3_one_account_of_another_server_takes_no_other_down(misplaced: Todo) -> None:
    """Beside it another account works, and a login at this server puts it right."""
    logged_in(misplaced.auth, "bob", server=misplaced.server)
    assert misplaced.run("auth", "token", "--user", "bob").exit_code == 0
    assert misplaced.run("auth", "token", "--user", "ada").exit_code == 4
    assert misplaced.run("auth", "login").exit_code == 0
    assert misplaced.run("auth", "token", "--user", "ada").exit_code == 0


def dead(todo: Todo, **settings: Any) -> None:
    """Log ada in with a token that has not expired, of a session that is known to be dead."""
    logged_in(todo.auth, server=todo.server, **settings)
    store = todo.auth.context.store
    record = store.record()
    assert record is not None
    store.reject(record)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_m5_a_session_known_to_be_dead_is_no_login(
    todo: Todo, method: Callable[[Auth], object]
) -> None:
    """Its token is neither sent nor returned, though its expiry is ahead; nobody is asked."""
    dead(todo)
    with pytest.raises(NotLoggedIn, match="has expired or was revoked") as refused:
        method(todo.auth)
    assert refused.value.code == "AUTH_REFRESH_EXPIRED"
    assert len(todo.server.journal) == 0


def test_m5_required_and_token_refuse_a_dead_session_until_the_next_login(todo: Todo) -> None:
    """The commands say so with 4, as `status` does; a newer login of the account is alive."""
    todo.cli.command("guarded")(todo.auth.required(lambda: print("in")))
    dead(todo)
    for line in ("guarded", "auth token", "auth status", "auth status --offline"):
        assert todo.run(*line.split()).exit_code == 4, line
    logged_in(todo.auth, server=todo.server)
    assert todo.run("guarded").stdout == "in\n"
    assert todo.run("auth", "token").exit_code == 0


def test_m5_the_first_status_of_a_dead_grant_says_what_the_second_says(todo: Todo) -> None:
    """L2: whoever hears of the end shows it at once: nothing renews itself any more."""
    logged_in(todo.auth, server=todo.server, expires_in=-1)
    todo.server.revoke_all()
    shown = [json.loads(todo.run("auth", "status", "--json").stdout) for _ in range(2)]
    assert shown[0] == shown[1]
    assert (shown[0]["state"], shown[0]["refreshable"]) == ("expired", False)
    assert "automatic" not in todo.run("auth", "status").stdout


def test_l1_a_status_that_renews_shows_the_new_expiry(todo: Todo) -> None:
    """A 401 to the question whose token it is costs a refresh, and what it got is shown."""
    logged_in(todo.auth, server=todo.server, expires_in=90)
    record = todo.auth.context.store.record()
    assert record is not None
    bundle = replace(
        todo.auth.context.store.credential(record) or TokenBundle(""), access_token="stale"
    )
    todo.auth.store.set_bundle(Account(id="ada"), bundle)
    status = todo.auth.status()
    assert (status.state, todo.server.refresh_count) == ("ok", 1)
    assert status.expires_at == todo.auth.status(offline=True).expires_at != bundle.expires_at


def test_h3_the_configuration_of_readme_by_environment_is_held(
    auth_server: AuthorizationServer, tmp_path: Any
) -> None:
    """Staging's token and production's API, as a mix-up of two variables gives them."""
    store = MemoryTokenStore()
    staging, production = (
        Auth(
            "todo",
            OAuthProvider(client_id="todo-cli", issuer=issuer, api_url=auth_server.api_url),
            store=store,
            folder=tmp_path,
        )
        for issuer in ("https://staging.example", auth_server.issuer)
    )
    bind(staging, "https://staging.example", "todo-cli")
    assert staging.access_token() == "a-canary"
    with pytest.raises(NotLoggedIn, match=r"at https://staging.example, not at http://127"):
        _get(production)
    assert len(auth_server.journal) == 0


def test_l4_why_a_status_is_bad_is_an_event_beside_the_object(misplaced: Todo) -> None:
    """The object's keys are fixed; the sentence that a person reads goes to stderr, whole."""
    result = misplaced.run("auth", "status", "--json")
    assert "reason" not in json.loads(result.stdout)
    (note,) = map(json.loads, result.stderr.splitlines())
    assert (note["event"], OLD in note["message"]) == ("note", True)


def test_l4_moments_for_people_name_their_zone(todo: Todo) -> None:
    """`status` and `refresh` show an expiry in one form."""
    logged_in(todo.auth, server=todo.server)
    form = r"\d{4}-\d\d-\d\d \d\d:\d\d [+-]\d{4}"
    assert re.search(form, todo.run("auth", "refresh").stderr)
    assert re.search(form, todo.run("auth", "status").stdout)
