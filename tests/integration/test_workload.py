"""A CI job exchanges its ID token at oidc-provider, which checks signature, audience and expiry."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from click_auth import Auth, NotLoggedIn, OAuthProvider
from integration.provider import oidc_provider
from integration.signing import rsa_pair

AUDIENCE = "https://api.todo.example"


@pytest.fixture
def keys() -> tuple[str, str]:
    """Make the key of a CI system."""
    return rsa_pair()


@pytest.fixture
def id_token(keys: tuple[str, str]) -> Callable[..., str]:
    """Return what signs the ID token of a job."""
    key = RSAKey.import_key(keys[0])

    def sign(**claims: Any) -> str:
        usual = {"sub": "job", "aud": AUDIENCE, "exp": int(time.time()) + 300}
        return jwt.encode({"alg": "RS256"}, {**usual, **claims}, key)

    return sign


def test_a_job_gets_a_token_that_the_server_honours(
    keys: tuple[str, str], id_token: Callable[..., str], tmp_path: Path, monkeypatch: Any
) -> None:
    """And none for another audience, or for an ID token that has expired."""
    path = tmp_path / "id-token"
    monkeypatch.setenv("TODO_ID_TOKEN_FILE", str(path))
    with oidc_provider(tmp_path, CI_KEY=keys[1]) as server:
        provider = OAuthProvider(
            client_id="todo-ci",
            issuer=server.issuer,
            scopes=("tasks:read",),
            api_url=AUDIENCE,
            workload_audience=AUDIENCE,
        )
        auth = Auth("todo", provider, storage="plaintext", folder=tmp_path / "todo")
        path.write_text(id_token())
        token = auth.access_token()
        assert server.is_active(token)
        for refused in (id_token(aud="https://elsewhere.example"), id_token(exp=1)):
            path.write_text(refused)
            with pytest.raises(NotLoggedIn, match="not trusted"):
                auth.access_token(rejected=token)
    assert not (tmp_path / "todo" / "auth.json").exists()
