"""Taking over an older credential: one way, once, never destructive."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from click_auth import Auth, LegacyCredential, OAuthProvider, TokenBundle, migrate_legacy_auth
from click_auth.testing import AuthorizationServer, logged_in


class Old:
    """The file in which an older version of the application kept its token."""

    def __init__(self, path: Path, token: str | None) -> None:
        self.path = path
        self.retired = 0
        if token is not None:
            path.write_text(token)

    def read(self) -> str | None:
        return self.path.read_text() if self.path.exists() else None

    def retire(self) -> None:
        self.retired += 1
        self.path.unlink()

    @property
    def credential(self) -> LegacyCredential:
        return LegacyCredential("file-to-keyring", self.read, self.retire)


@pytest.fixture
def auth(auth_server: AuthorizationServer, tmp_path: Path) -> Auth:
    """An application with nobody logged in, and records in plain text."""
    return make(auth_server, tmp_path)


def make(server: AuthorizationServer, tmp_path: Path, **settings: Any) -> Auth:
    """Return an application that keeps its records in *tmp_path*."""
    provider = OAuthProvider(
        client_id="todo-cli",
        issuer=server.issuer,
        api_url=server.api_url,
        identify=lambda api: api.get("/me").raise_for_status().json(),
    )
    return Auth("todo", provider, storage="plaintext", folder=tmp_path / "config", **settings)


def old(server: AuthorizationServer, tmp_path: Path) -> Old:
    """Return an older credential that is good at the server."""
    return Old(tmp_path / "old-token", str(server.issue("ada")["access_token"]))


def test_old_credential_is_taken_over_once(
    auth: Auth, auth_server: AuthorizationServer, tmp_path: Path
) -> None:
    """The old token becomes the default account's, its place is emptied, and that was that."""
    before = old(auth_server, tmp_path)
    token = before.read()
    result = migrate_legacy_auth(auth, before.credential)
    assert (result.state, result.to_json()["reason"]) == ("migrated", None)
    assert auth.access_token() == token
    assert (before.retired, before.path.exists()) == (1, False)
    assert migrate_legacy_auth(auth, before.credential).state == "already-migrated"
    content = json.loads((tmp_path / "config" / "auth.json").read_text())
    assert list(content["migrations"]) == ["file-to-keyring"]


def test_nothing_old_is_no_state(auth: Auth, tmp_path: Path) -> None:
    """Where there is no old credential nothing is stored."""
    nothing = Old(tmp_path / "old-token", None)
    assert migrate_legacy_auth(auth, nothing.credential).state == "no-legacy-state"
    assert auth.accounts() == []


def test_existing_record_is_never_overwritten(
    auth: Auth, auth_server: AuthorizationServer, tmp_path: Path
) -> None:
    """Somebody who has logged in again keeps their session, and the old place stays."""
    logged_in(auth, "ada", server=auth_server)
    token = auth.access_token()
    before = old(auth_server, tmp_path)
    result = migrate_legacy_auth(auth, before.credential)
    assert result.state == "skipped"
    assert auth.access_token() == token
    assert before.retired == 0


def test_without_the_service_it_is_tried_again(
    auth: Auth, auth_server: AuthorizationServer, tmp_path: Path
) -> None:
    """Offline nothing is lost: the next call takes it over."""
    before = old(auth_server, tmp_path)
    with auth_server.offline():
        assert migrate_legacy_auth(auth, before.credential).state == "skipped"
    assert before.path.exists()
    assert migrate_legacy_auth(auth, before.credential).state == "migrated"


def test_old_place_that_fails_is_a_reason_and_no_traceback(auth: Auth) -> None:
    """What the application's own functions raise is named by its kind, never quoted."""

    def broken() -> str:
        raise RuntimeError("a-secret")

    result = migrate_legacy_auth(auth, LegacyCredential("x", broken, lambda: None))
    assert (result.state, result.reason) == ("skipped", "it failed with RuntimeError")


def test_bundle_brings_its_refresh_token(
    auth: Auth, auth_server: AuthorizationServer, tmp_path: Path
) -> None:
    """An old credential with a refresh token can be renewed afterwards."""
    issued = auth_server.issue("ada")
    bundle = TokenBundle(str(issued["access_token"]), str(issued["refresh_token"]))
    legacy = LegacyCredential("bundle", lambda: bundle, lambda: None)
    assert migrate_legacy_auth(auth, legacy).state == "migrated"
    assert auth.refresh().access_token != bundle.access_token


def test_legacy_of_an_auth_is_tried_when_nothing_is_stored(
    auth_server: AuthorizationServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`Auth(legacy=)` takes it over at the first use, and says nothing personal about it."""
    before = old(auth_server, tmp_path)
    token = before.read()
    auth = make(auth_server, tmp_path, legacy=before.credential)
    with caplog.at_level(logging.INFO, "click_auth"):
        assert auth.access_token() == token
    assert before.retired == 1
    lines = [record.getMessage() for record in caplog.records if "migration" in record.getMessage()]
    assert lines == ["migration file-to-keyring: migrated"]
