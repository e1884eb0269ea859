"""The policy `encrypted`: sealed in the record file, and errors that change nothing."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend

from click_auth import (
    Account,
    Auth,
    AuthError,
    OAuthProvider,
    StorageUnavailable,
    TokenBundle,
)
from click_auth.stores.token_store import KeyringTokenStore
from click_auth.testing import AuthorizationServer, logged_in
from stores.conftest import Heard
from stores.keyrings import Cellar, Failing

ADA, KEY, OTHER = Account("ada", "Ada"), bytes(range(32)), bytes(range(1, 33))
PAIR = TokenBundle("at-secret", "rt-secret")


def opened(folder: Path, storage: str = "encrypted", **changes: Any) -> KeyringTokenStore:
    """Return a store on *folder* with the usual key, in an empty environment."""
    settings = {"key": KEY, "environ": {}, **changes}
    return KeyringTokenStore("todo", folder=folder, storage=storage, **settings)


def logged(folder: Path, storage: str = "encrypted", **changes: Any) -> dict[str, Any]:
    """Store the pair of ada and return her record as it is in the file."""
    opened(folder, storage, **changes).set_bundle(ADA, PAIR, promote_default=True)
    return record(folder)


def record(folder: Path) -> dict[str, Any]:
    """Return ada's record as it is in the file."""
    root = json.loads((folder / "auth.json").read_text("utf-8"))
    return dict(root["accounts"]["ada"])


def test_no_token_is_in_the_file(folder: Path, cellar: Cellar) -> None:
    """Both are sealed; the keyring is not touched."""
    found = logged(folder)
    assert (found["storage"], found["backend"]) == ("encrypted", None)
    assert found["fallback_token"].startswith("sealed:1:")
    assert "secret" not in (folder / "auth.json").read_text("utf-8").replace("fallback", "")
    assert cellar.secrets == {}
    assert opened(folder).active_bundle("ada") == PAIR


@pytest.mark.parametrize("policy", ["system", "fallback", "plaintext", "encrypted"])
def test_a_refresh_moves_nothing(folder: Path, cellar: Cellar, policy: str) -> None:
    """Sealed stays sealed under whatever policy; only a login moves it."""
    logged(folder)
    store = opened(folder, policy).account_store
    before = store.record_of("ada")
    assert before is not None
    with store.reserve(before) as reserve:
        store.rotate(before, TokenBundle("at-2", "rt-2"), reserve)
    assert record(folder)["storage"] == "encrypted"
    assert opened(folder).active_bundle("ada") == TokenBundle("at-2", "rt-2")
    assert cellar.secrets == {}


@pytest.mark.parametrize("other", ["system", "plaintext"])
def test_a_refresh_under_encrypted_moves_nothing_either(
    folder: Path, cellar: Cellar, other: str
) -> None:
    """What is in the keyring or in plain text stays there until somebody logs in."""
    logged(folder, other)
    store = opened(folder).account_store
    before = store.record_of("ada")
    assert before is not None
    with store.reserve(before) as reserve:
        store.rotate(before, TokenBundle("at-2", "rt-2"), reserve)
    assert record(folder)["storage"] == other
    assert logged(folder)["storage"] == "encrypted"
    assert cellar.secrets == {}


@pytest.mark.parametrize("policy", ["system", "encrypted"])
def test_no_grant_of_the_keyring_is_spent_where_its_slot_cannot_be_written(
    folder: Path, use: Callable[[KeyringBackend], None], policy: str
) -> None:
    """Under `encrypted` as well: what a refresh brings goes where the tokens are."""
    backend = Failing(verbs="")
    use(backend)
    logged(folder, "system")
    store = opened(folder, policy).account_store
    before = store.record_of("ada")
    assert before is not None
    backend.verbs = "set"
    with pytest.raises(StorageUnavailable), store.reserve(before, store.credential(before)):
        pytest.fail("the grant may be spent now")


def test_a_login_moves_it(folder: Path, cellar: Cellar) -> None:
    """From the sealed file into the keyring and back, nothing left behind."""
    logged(folder)
    assert logged(folder, "system")["fallback_token"] is None
    assert len(cellar.secrets) == 2
    logged(folder)
    assert cellar.secrets == {}


def test_fallback_prefers_it_to_plain_text(
    folder: Path, use: Callable[[KeyringBackend], None], heard: Heard
) -> None:
    """Where the keyring refuses: sealed and nothing said with a key, plain and said without."""
    use(Failing())
    assert logged(folder, "fallback")["storage"] == "encrypted"
    assert heard.warnings == []
    assert logged(folder, "fallback", key=None)["storage"] == "plaintext"
    assert "unencrypted" in heard.warnings[0]


def test_fallback_takes_the_keyring_first(folder: Path, cellar: Cellar) -> None:
    """A key changes nothing where there is a keyring."""
    assert logged(folder, "fallback")["storage"] == "system"
    assert len(cellar.secrets) == 2


def test_keys_rotate(folder: Path) -> None:
    """Both open, the first seals; then the old one is not needed any more."""
    logged(folder)
    both = opened(folder, key=[OTHER, KEY])
    assert both.active("ada") == "at-secret"
    both.set_bundle(ADA, TokenBundle("at-2", "rt-2"))
    assert opened(folder, key=OTHER).active("ada") == "at-2"


def spoiled(folder: Path, **changes: Any) -> None:
    """Edit ada's record as a hand would."""
    path = folder / "auth.json"
    root = json.loads(path.read_text("utf-8"))
    root["accounts"]["ada"].update(changes)
    path.write_text(json.dumps(root), "utf-8")


def test_what_cannot_be_opened_changes_nothing(folder: Path) -> None:
    """A wrong key, none, a cut off and a swapped value: exit 6, and the same bytes as before."""
    whole = logged(folder)
    swapped = {
        "fallback_token": whole["fallback_refresh_token"],
        "fallback_refresh_token": whole["fallback_token"],
    }
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({}, {"key": OTHER}, "no key of Auth"),
        ({}, {"key": None}, "No key for"),
        ({"fallback_token": whole["fallback_token"][:-9]}, {}, "edited"),
        ({"fallback_token": "at-secret"}, {}, "doesn't know its format"),
        (swapped, {}, "no key of Auth"),
    ]
    for edits, settings, expected in cases:
        logged(folder)
        spoiled(folder, **edits)
        before = (folder / "auth.json").read_bytes()
        with pytest.raises(StorageUnavailable, match=expected) as caught:
            opened(folder, **settings).active("ada")
        assert caught.value.exit_code == 6
        assert (folder / "auth.json").read_bytes() == before


def test_no_key_is_found_out_before_the_browser_opens(folder: Path) -> None:
    """And a malformed one is a bad setting; neither makes a file."""
    with pytest.raises(StorageUnavailable, match="No key for") as caught:
        opened(folder, key=None).account_store.check_writable()
    assert "TODO_AUTH_KEY" in caught.value.hints[0]
    for key in ({"key": b"short"}, {"key": b""}, {"environ": {"TODO_AUTH_KEY": "short"}}):
        with pytest.raises(AuthError) as wrong:
            opened(folder, **key).account_store.check_writable()
        assert wrong.value.code == "AUTH_BAD_SETTING"
    assert not (folder / "auth.json").exists()


def test_the_stories_with_a_key(folder: Path) -> None:
    """Login, status, refresh, a registered client's secret, doctor and logout; no secret seen."""
    environ = {"TODO_AUTH_KEY": base64.b64encode(KEY).decode()}
    with AuthorizationServer() as server:
        provider = OAuthProvider(client_id="todo-cli", issuer=server.issuer, api_url=server.api_url)
        auth = Auth("todo", provider, folder=folder, storage="encrypted", key=lambda: OTHER)
        with auth.override(environ=environ):
            logged_in(auth, server=server, expires_in=-5.0)
            assert auth.status(offline=True).source == "encrypted"
            tokens = auth.refresh()
            assert auth.access_token() == tokens.access_token
            registrations = auth.context.store.registrations()
            assert registrations is not None
            registrations.save("id", {"client_id": "c", "client_secret": "hush"})
            assert (registrations.load("id") or {})["client_secret"] == "hush"
            text = (folder / "auth.json").read_text("utf-8")
            for secret in ("hush", tokens.access_token, tokens.refresh_token or ""):
                assert secret not in text
            report = {each.name: each for each in auth.doctor().checks}
            found = report["sealing key"]
            assert (found.value, found.source, found.verdict) == ("keys: 1", "TODO_AUTH_KEY", "ok")
            assert environ["TODO_AUTH_KEY"] not in json.dumps(auth.doctor().to_json())
            assert auth.logout().removed == ("ada",)
            assert json.loads((folder / "auth.json").read_text("utf-8"))["accounts"] == {}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no modes")
def test_a_key_file_that_others_can_read(folder: Path, tmp_path: Path) -> None:
    """The doctor warns of its mode, unless systemd, which shows a wider one, keeps others out."""
    file = tmp_path / "todo key"
    file.write_bytes(KEY)
    provider = OAuthProvider(client_id="c", token_endpoint="http://127.0.0.1:9/token")
    auth = Auth("todo", provider, folder=folder, storage="encrypted")
    environ = {"TODO_AUTH_KEY_FILE": str(file)}
    found = []
    for mode, variables in (
        (0o600, {}),
        (0o644, {}),
        (0o440, {}),
        (0o440, {"CREDENTIALS_DIRECTORY": str(tmp_path)}),
    ):
        file.chmod(mode)
        with auth.override(environ={**environ, **variables}):
            check = next(each for each in auth.doctor().checks if each.name == "sealing key")
        found.append((check.verdict, check.value))
        assert check.source == f"TODO_AUTH_KEY_FILE={file}"
        assert (check.hint is not None and f"chmod 600 '{file}'" in check.hint) == (
            check.verdict == "warn"
        )
    assert found == [
        ("ok", "keys: 1, mode 0600"),
        ("warn", "keys: 1, mode 0644"),
        ("warn", "keys: 1, mode 0440"),
        ("ok", "keys: 1"),
    ]


def test_a_login_in_two_calls_hides_its_secrets(folder: Path) -> None:
    """What it waits with in its file is sealed too, and opens again."""
    with AuthorizationServer(device_interval=0.05) as server:
        provider = OAuthProvider(client_id="todo-cli", issuer=server.issuer, api_url=server.api_url)
        auth = Auth("todo", provider, folder=folder, storage="encrypted", key=KEY)
        with auth.override(environ={}):
            pending = auth.begin_login(device=True)
            text = (folder / "pending" / f"{pending.id}.json").read_text("utf-8")
            assert json.loads(text)["begun"]["secrets"].startswith("sealed:1:")
            server.approve_device(pending.user_code)
            done = auth.finish_login(pending, timeout=30.0)
            assert done.to_json()["stored_in"] == "encrypted"
