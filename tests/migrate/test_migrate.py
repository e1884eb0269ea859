"""Taking over an older credential: one way, once, never destructive."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import keyring.core
import pytest
from keyring.backends.fail import Keyring as NoKeyring

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
    settings.setdefault("storage", "plaintext")
    return Auth("todo", provider, folder=tmp_path / "config", **settings)


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
    assert (result.state, result.reason) == ("skipped", "failed with RuntimeError")


@pytest.mark.parametrize("token", ["a\nb", "\x00", "tök"], ids=repr)
def test_a5_an_old_token_that_nobody_can_send_is_not_taken_over(
    auth_server: AuthorizationServer, tmp_path: Path, token: str
) -> None:
    """No account appears that has no credential, and one that is mended is taken over then."""
    provider = OAuthProvider(client_id="todo-cli", issuer=auth_server.issuer)
    auth = Auth("todo", provider, folder=tmp_path / "config", storage="plaintext")
    before = Old(tmp_path / "old-token", token)
    assert migrate_legacy_auth(auth, before.credential).state == "skipped"
    assert (auth.accounts(), before.retired) == ([], 0)
    before.path.write_text("good")
    assert migrate_legacy_auth(auth, before.credential).state == "migrated"
    assert auth.access_token() == "good"


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


def _vanished() -> str:
    raise FileNotFoundError


FINDINGS: dict[str, Callable[[Old], str | None]] = {
    "the token": lambda _: "a-token",
    "nothing any more": lambda _: None,
    "a file that has just gone": lambda _: _vanished(),
}


@pytest.mark.parametrize("found", FINDINGS.values(), ids=FINDINGS)
def test_a15_a_race_that_is_lost_ends_where_the_other_has_brought_it(
    auth_server: AuthorizationServer, tmp_path: Path, found: Callable[[Old], str | None]
) -> None:
    """Another process takes it over between our look at the marker and what we do next."""
    before = old(auth_server, tmp_path)
    token = before.read()

    def read() -> str | None:
        assert migrate_legacy_auth(make(auth_server, tmp_path), before.credential).state == (
            "migrated"
        )
        return token if found(before) else None

    auth = make(auth_server, tmp_path)
    slow = LegacyCredential("file-to-keyring", read, before.retire)
    assert migrate_legacy_auth(auth, slow).state == "already-migrated"
    assert before.retired == 1
    assert auth.access_token() == token


def test_a15_what_the_faster_one_left_undone_is_ended(
    auth_server: AuthorizationServer, tmp_path: Path
) -> None:
    """It inserted the record and died: whoever lost the race empties the old place."""
    before = old(auth_server, tmp_path)

    def die() -> None:
        raise OSError

    def read() -> str | None:
        dying = LegacyCredential("file-to-keyring", before.read, die)
        assert migrate_legacy_auth(make(auth_server, tmp_path), dying).state == "skipped"
        return before.read()

    slow = LegacyCredential("file-to-keyring", read, before.retire)
    assert migrate_legacy_auth(make(auth_server, tmp_path), slow).state == "migrated"
    assert not before.path.exists()


def test_a15_many_at_once_all_end_well(auth_server: AuthorizationServer, tmp_path: Path) -> None:
    """One of them migrates, the others find it migrated, and the old place is emptied once."""
    before, barrier = old(auth_server, tmp_path), Barrier(8)
    token = before.read()

    def take_over(_: int) -> str:
        auth = make(auth_server, tmp_path)
        barrier.wait()
        return migrate_legacy_auth(auth, before.credential).state

    with ThreadPoolExecutor(8) as pool:
        states = sorted(pool.map(take_over, range(8)))
    assert states == ["already-migrated"] * 7 + ["migrated"]
    assert before.retired == 1
    assert make(auth_server, tmp_path).access_token() == token


def test_m7_plain_text_is_told_by_the_name_of_the_file(
    auth_server: AuthorizationServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a keyring the old token goes into a file: with the usual warning, and once."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", NoKeyring())
    before = old(auth_server, tmp_path)
    auth = make(auth_server, tmp_path, storage="fallback")
    assert migrate_legacy_auth(auth, before.credential).state == "migrated"
    warned = capsys.readouterr().err
    assert "unencrypted" in warned
    assert str(tmp_path / "config" / "auth.json") in warned
    assert auth.access_token()
    assert capsys.readouterr().err == ""


def test_m7_a_policy_that_asks_for_plain_text_is_not_warned_of(
    auth: Auth, auth_server: AuthorizationServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever wants the file knows of it."""
    assert migrate_legacy_auth(auth, old(auth_server, tmp_path).credential).state == "migrated"
    assert capsys.readouterr().err == ""


def _row(auth: Auth) -> tuple[str, str]:
    """Return verdict and value of what `doctor` says of the migration."""
    (check,) = (each for each in auth.doctor().checks if each.name == "migration")
    return check.verdict, check.value


def test_m7_a_migration_that_is_skipped_can_be_seen(
    auth_server: AuthorizationServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the reason, and `doctor` a row: not yet, or nothing left to do."""
    before = old(auth_server, tmp_path)
    auth = make(auth_server, tmp_path, legacy=before.credential)
    with auth_server.offline(), caplog.at_level(logging.INFO, "click_auth"):
        assert auth.current_account() is None
    (line,) = (each.getMessage() for each in caplog.records if "migration" in each.getMessage())
    assert "skipped: couldn't identify the old credentials" in line
    assert _row(auth) == ("warn", "file-to-keyring: not migrated yet")
    again = make(auth_server, tmp_path, legacy=before.credential)
    assert again.current_account() is not None
    assert _row(again) == ("ok", "file-to-keyring: nothing to migrate")
    nothing = LegacyCredential("other", lambda: None, lambda: None)
    assert _row(make(auth_server, tmp_path, legacy=nothing)) == (
        "ok",
        "other: nothing to migrate",
    )
