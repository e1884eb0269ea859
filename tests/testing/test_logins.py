from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from click_auth import Account, Auth, MemoryTokenStore, OAuthProvider, TokenBundle
from click_auth.testing import AuthorizationServer, logged_in


@pytest.fixture
def auth(server: AuthorizationServer, tmp_path: Path) -> Auth:
    """Have a program whose credentials are in memory."""
    provider = OAuthProvider(
        client_id="todo-cli", issuer=server.issuer, api_url=server.api_url, scopes=("tasks:read",)
    )
    return Auth("todo", provider, store=MemoryTokenStore(), folder=tmp_path)


def test_a_login_lasts_as_long_as_the_block(auth: Auth) -> None:
    """Inside there is an account with a token that nobody knows; afterwards there is none."""
    with logged_in(auth, "bob") as login:
        assert auth.current_account() == login.account
        assert auth.access_token() == login.bundle.access_token

    assert login.account.label == "bob@todo.example"
    assert auth.current_account() is None


def test_it_can_be_used_plainly(auth: Auth) -> None:
    """Without a block the credential stays, the last one being the default account's."""
    logged_in(auth, "ada")
    logged_in(auth, "bob")

    current = auth.current_account()
    assert current is not None
    assert (current.id, len(auth.accounts())) == ("bob", 2)


def test_the_scopes_are_the_providers(auth: Auth, server: AuthorizationServer) -> None:
    """With a server and without, as of a real login; unless others are said."""
    assert logged_in(auth).bundle.scopes == ("tasks:read",)
    bundle = logged_in(auth, server=server).bundle
    assert bundle.scopes == ("tasks:read",)
    assert server.grants.tokens[bundle.access_token].scopes == bundle.scopes
    assert logged_in(auth, scopes=("a", "b")).bundle.scopes == ("a", "b")


def test_the_servers_tokens_are_good(auth: Auth, server: AuthorizationServer) -> None:
    """With a server the API takes the token, and an expired one is refreshed."""
    with (
        logged_in(auth, server=server, expires_in=-1, scopes=("tasks:read",)),
        auth.client() as api,
    ):
        assert api.get("/me").json()["id"] == "ada"

    assert server.refresh_count == 1


def test_expiry_can_be_chosen(auth: Auth) -> None:
    """expires_in is seconds from now, None leaves it open."""
    later = logged_in(auth, expires_in=90).bundle.expires_at

    assert later is not None
    assert abs(later - datetime.now(timezone.utc) - timedelta(seconds=90)) < timedelta(seconds=60)
    assert logged_in(auth, expires_in=None).bundle.expires_at is None


def test_account_and_bundle_can_be_given(auth: Auth) -> None:
    """What is given is what is stored."""
    account, bundle = Account(id="7", label="Seven"), TokenBundle("a-token")

    with logged_in(auth, account=account, bundle=bundle) as login:
        assert login.account is account
        assert auth.access_token() == "a-token"
