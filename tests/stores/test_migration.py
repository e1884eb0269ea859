"""Taking over an older program's credential: once, one way, and again after a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend

from click_auth import Auth, LegacyCredential, OAuthProvider, TokenBundle, migrate_legacy_auth
from click_auth.testing import AuthorizationServer, logged_in
from stores.keyrings import Cellar, Failing


class Killed(BaseException):
    """The process came to its end here."""


@dataclass
class OldPlace:
    """Where an older program keeps a credential."""

    found: str | TokenBundle | None
    dies: bool = False
    retired: bool = field(default=False, init=False)

    def retire(self) -> None:
        """Empty it, or die before."""
        if self.dies:
            raise Killed
        self.found, self.retired = None, True

    @property
    def legacy(self) -> LegacyCredential:
        return LegacyCredential("old", lambda: self.found, self.retire)


@pytest.fixture
def old(auth_server: AuthorizationServer) -> OldPlace:
    """A credential that is good at the server."""
    issued = auth_server.issue("ada")
    return OldPlace(TokenBundle(str(issued["access_token"]), str(issued["refresh_token"])))


def auth_of(
    server: AuthorizationServer,
    folder: Path,
    legacy: LegacyCredential | None = None,
    storage: str = "plaintext",
) -> Auth:
    """Return a new `Auth` on *folder*."""
    provider = OAuthProvider(
        client_id="todo-cli",
        issuer=server.issuer,
        api_url=server.api_url,
        identify=lambda api: api.get("/me").raise_for_status().json(),
    )
    return Auth("todo", provider, storage=storage, folder=folder, legacy=legacy)


def markers(folder: Path) -> object:
    """Return the markers in the record file."""
    return json.loads((folder / "auth.json").read_text("utf-8")).get("migrations")


def test_migrated_once(auth_server: AuthorizationServer, tmp_path: Path, old: OldPlace) -> None:
    """The credential is stored, the old place is emptied, and neither happens a second time."""
    token = old.found.access_token if isinstance(old.found, TokenBundle) else None
    auth = auth_of(auth_server, tmp_path)
    assert migrate_legacy_auth(auth, old.legacy).state == "migrated"
    assert (auth.access_token("ada"), old.retired) == (token, True)
    assert markers(tmp_path) == {"old": "done"}
    auth.logout(revoke=False)
    old.found = "a token that came back"
    assert migrate_legacy_auth(auth, old.legacy).state == "already-migrated"
    assert auth.current_account() is None


def test_migration_goes_on_after_a_crash(
    auth_server: AuthorizationServer, tmp_path: Path, old: OldPlace
) -> None:
    """The next command of `Auth(legacy=)` ends what a killed one has begun."""
    old.dies = True
    with pytest.raises(Killed):
        auth_of(auth_server, tmp_path, old.legacy).access_token()
    assert markers(tmp_path) == {"old": "moving ada"}
    old.dies = False
    assert auth_of(auth_server, tmp_path, old.legacy).access_token()
    assert old.retired
    assert markers(tmp_path) == {"old": "done"}


def test_existing_record_is_not_overwritten(
    auth_server: AuthorizationServer, tmp_path: Path, old: OldPlace
) -> None:
    """Who has logged in already keeps that login; the old place is left as it is."""
    auth = auth_of(auth_server, tmp_path)
    logged_in(auth, "bob", server=auth_server)
    logged_in(auth, "ada", server=auth_server)
    auth.use("bob")
    before = (tmp_path / "auth.json").read_bytes()
    result = migrate_legacy_auth(auth, old.legacy)
    assert (result.state, result.reason) == ("skipped", "the account is already logged in")
    assert (tmp_path / "auth.json").read_bytes() == before
    assert not old.retired


def test_default_account_stays(
    auth_server: AuthorizationServer, tmp_path: Path, old: OldPlace
) -> None:
    """A migrated account is one more; the default one is still the default one."""
    auth = auth_of(auth_server, tmp_path)
    logged_in(auth, "bob", server=auth_server)
    assert migrate_legacy_auth(auth, old.legacy).state == "migrated"
    assert {each.account.key: each.default for each in auth.accounts()} == {
        "bob": True,
        "ada": False,
    }


def test_policy_system_is_kept(
    auth_server: AuthorizationServer,
    tmp_path: Path,
    old: OldPlace,
    use: Callable[[KeyringBackend], None],
) -> None:
    """Where the keyring refuses, nothing is taken over, and the next command tries again."""
    use(Failing())
    auth = auth_of(auth_server, tmp_path, storage="system")
    assert migrate_legacy_auth(auth, old.legacy).state == "skipped"
    assert (auth.accounts(), old.retired) == ([], False)
    use(Cellar())
    assert migrate_legacy_auth(auth, old.legacy).state == "migrated"
    record = auth.context.store.record_of("ada")
    assert record is not None
    assert (record.storage, record.fallback_token) == ("system", None)
