"""Commands over a store that knows nothing of refresh, and as a client in CI."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from click_auth import Account, StoredAccount, TokenStore
from commands.conftest import Todo


class Shelf(TokenStore):
    """The five methods, and nothing else."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._accounts: dict[str, Account] = {}
        self._default: str | None = None

    def active(self, ref: str | None = None) -> str | None:
        account = self.active_account(ref)
        return None if account is None else self._tokens[account.key]

    def set(self, account: Account, token: str) -> None:
        self._accounts[account.key], self._tokens[account.key] = account, token

    def clear(self, ref: str | None = None) -> None:
        account = self.active_account(ref)
        if account is not None:
            del self._accounts[account.key], self._tokens[account.key]

    def accounts(self) -> Sequence[StoredAccount]:
        return [
            StoredAccount(account=account, default=key == self._default)
            for key, account in self._accounts.items()
        ]

    def set_default(self, ref: str) -> None:
        account = self.active_account(ref)
        self._default = None if account is None else account.key


def test_five_methods_are_a_store(make_todo: Callable[..., Todo], tmp_path: object) -> None:
    """Everything works over a store of five methods, but renewing, which says that it cannot."""
    todo = make_todo(store=Shelf(), folder=tmp_path)
    login = json.loads(todo.run("auth", "login", "--json").stdout)
    assert (login["stored_in"], login["account"]["id"]) == ("custom", "ada")
    assert todo.run("auth", "token").stdout
    status = json.loads(todo.run("auth", "status", "--json").stdout)
    assert (status["state"], status["source"], status["refreshable"]) == ("ok", "custom", False)
    refused = todo.run("auth", "refresh", "--json")
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert json.loads(refused.stderr)["error"]["code"] == "AUTH_REFRESH_UNAVAILABLE"
    assert todo.run("auth", "account", "use", "ada").exit_code == 0
    assert json.loads(todo.run("auth", "logout", "--json").stdout)["removed"] == ["ada"]
    assert todo.run("auth", "status").exit_code == 4


def test_client_of_ci(todo: Todo) -> None:
    """A client id and secret in the environment are a credential without an account."""
    client = {"TODO_CLIENT_ID": "todo-ci", "TODO_CLIENT_SECRET": "todo-ci-secret"}
    token = json.loads(todo.run("auth", "token", "--json", **client).stdout)
    assert token["account"] is None
    status = json.loads(todo.run("auth", "status", "--json", **client).stdout)
    assert (status["state"], status["source"]) == ("ok", "client_credentials")
    assert status["expires_at"] is not None
    wrong = {**client, "TODO_CLIENT_SECRET": "a-canary"}
    refused = todo.run("auth", "token", **wrong)
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert "a-canary" not in refused.stderr


def test_the_token_of_a_client_is_held_in_memory_only(
    make_todo: Callable[..., Todo], tmp_path: Path
) -> None:
    """A process asks once, and anew after a 401; the next process asks for its own."""
    todo = make_todo(store=None, storage="plaintext")
    client = {"TODO_CLIENT_ID": "todo-ci", "TODO_CLIENT_SECRET": "todo-ci-secret"}
    with todo.auth.override(environ={**todo.environ, **client}):
        bearer = todo.auth.bearer()
        with httpx.Client(auth=bearer, base_url=todo.server.api_url) as api:
            assert [api.get("/tasks").status_code for _ in range(3)] == [200] * 3
            assert len(todo.server.posts("token")) == 1
            todo.server.expire_access_tokens()
            assert api.get("/tasks").status_code == 200
            assert len(todo.server.posts("token")) == 2
    tokens = {todo.run("auth", "token", **client).stdout for _ in range(2)}
    assert (len(tokens), len(todo.server.posts("token"))) == (2, 4)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(token.encode() in path.read_bytes() for token in tokens for path in left)


def test_status_names_the_way_out_of_a_bad_variable(todo: Todo) -> None:
    """Nobody is told to log in while a variable would still apply after the login."""
    todo.run("auth", "login")
    client = {"TODO_CLIENT_ID": "nobody", "TODO_CLIENT_SECRET": "wrong"}
    for environ, way_out in (
        ({"TODO_TOKEN": "rejected"}, "Set TODO_TOKEN to a valid token, or unset it."),
        ({"TODO_TOKEN": "ill formed"}, "Set TODO_TOKEN to a valid token, or unset it."),
        (client, "Check the client ID and secret, and what the client may do."),
    ):
        status = todo.run("auth", "status", **environ)
        assert status.exit_code == 4
        assert way_out in status.stdout
        assert "auth login" not in status.stdout
