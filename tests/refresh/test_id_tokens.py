"""ID tokens that come with a refresh: whom they name, and what that does to the session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from click_auth import Auth, MemoryTokenStore, OAuthProvider
from click_auth.testing import AuthorizationServer, FakeBrowser
from runner import CliRunner


def me(api: Any) -> Any:
    """Ask the application's own API who this is."""
    return api.get("/me").raise_for_status().json()


@pytest.fixture
def make(auth_server: AuthorizationServer, tmp_path: Path) -> Callable[..., Auth]:
    """Return a function that makes an `Auth` with ada logged in."""

    def made(**facts: Any) -> Auth:
        provider = OAuthProvider(
            client_id="todo-cli",
            issuer=auth_server.issuer,
            api_url=auth_server.api_url,
            scopes=("openid", "offline_access"),
            **facts,
        )
        auth = Auth("todo", provider, store=MemoryTokenStore(), folder=tmp_path)
        with auth.override(browser=FakeBrowser()):
            auth.login(timeout=30)
        return auth

    return made


@pytest.mark.parametrize(
    "claims",
    [{"iss": "accounts.todo.example"}, {"aud": "other"}, {"sub": None}, {"exp": 1}, {"sub": ""}],
)
def test_id_07_te_30_another_spelling_loses_nothing(
    make: Callable[..., Auth], auth_server: AuthorizationServer, claims: dict[str, object]
) -> None:
    """The pair is stored, and the next refresh uses it."""
    auth = make()
    auth_server.faults.id_token = claims
    for _ in range(2):
        assert CliRunner().invoke(auth.group(), ["refresh"]).exit_code == 0
    assert auth_server.family_alive("ada")


def test_id_07_b33_a_token_of_another_account_ends_the_session(
    make: Callable[..., Auth], auth_server: AuthorizationServer
) -> None:
    """It says so, with the login; the next commands do not ask again, and nobody is swapped."""
    auth = make()
    auth_server.faults.id_token = {"sub": "eve"}
    asked = auth_server.refresh_count
    for said in ("another account's tokens. Run", "has expired or was revoked. Run"):
        result = CliRunner().invoke(auth.group(), ["refresh"])
        assert (result.exit_code, result.stdout) == (4, "")
        assert said in result.stderr
    assert auth_server.refresh_count == asked + 1
    assert [each.account.id for each in auth.accounts()] == ["ada"]


def test_id_07_b33_who_identifies_by_another_api_is_not_asked(
    make: Callable[..., Auth], auth_server: AuthorizationServer
) -> None:
    """Then the ID token names nobody here, in a refresh as in the login."""
    auth = make(identify=me)
    auth_server.faults.id_token = {"iss": "accounts.todo.example", "sub": "0815"}
    for _ in range(2):
        assert CliRunner().invoke(auth.group(), ["refresh"]).exit_code == 0
    assert auth_server.family_alive("ada")
