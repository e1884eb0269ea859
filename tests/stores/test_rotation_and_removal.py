from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend

from click_auth import Account, KeyringTokenStore, MemoryTokenStore, StorageUnavailable, TokenBundle
from click_auth.errors import STORE_WRITE_FAILED
from click_auth.record import PLAINTEXT, Record, from_posix
from click_auth.stores.account_store import Superseded
from click_auth.stores.token_store import RecordedTokenStore
from stores.conftest import Heard
from stores.keyrings import Cellar, Failing, Interrupted

Use = Callable[[KeyringBackend], None]

ADA = Account(id="ada", label="Ada")
BOB = Account(id="bob", label="Bob")
CYD = Account(id="cyd")
OLD = TokenBundle("access-1", "refresh-1", scopes=("tasks",))
NEW = TokenBundle("access-2", "refresh-2", from_posix(1_003_600.0))
OTHER = TokenBundle("access-9", "refresh-9")


@pytest.fixture(params=["keyring", "memory"])
def any_store(request: pytest.FixtureRequest, store: KeyringTokenStore) -> RecordedTokenStore:
    """Make a store of each kind."""
    return store if request.param == "keyring" else MemoryTokenStore(clock=lambda: 1_000_000.0)


def tokens(store: RecordedTokenStore, ref: str | None = None) -> tuple[str, str | None]:
    """Return the tokens of an account."""
    bundle = store.active_bundle(ref)
    assert bundle is not None
    return bundle.access_token, bundle.refresh_token


def test_a_refresh_is_stored(any_store: RecordedTokenStore) -> None:
    """The next generation, with the scopes and the label of before; the default stays."""
    old = any_store.account_store.log_in(ADA, OLD)
    any_store.account_store.log_in(BOB, OTHER)
    new = any_store.account_store.rotate(old, NEW)
    assert (new.generation, new.scopes, new.account.label) == (2, ("tasks",), "Ada")
    assert new.access_token_expires_at == 1_003_600.0
    assert tokens(any_store, "ada") == ("access-2", "refresh-2")
    assert any_store.account_store.listing()[1] == "bob"
    renamed = replace(new, account=Account("ada", "Countess"))
    assert any_store.account_store.rotate(renamed, NEW).account.label == "Countess"
    assert any_store.account_store.listing()[0][0].label == "Countess"


def test_a_refresh_without_a_refresh_token_carries_the_old_one(
    any_store: RecordedTokenStore,
) -> None:
    """RFC 6749 section 6: where the answer has none, the old one is still good."""
    old = any_store.account_store.log_in(ADA, OLD)
    new = any_store.account_store.rotate(old, TokenBundle("access-2"))
    assert new.has_refresh_token is True
    assert tokens(any_store) == ("access-2", "refresh-1")


def test_unknown_means_look_and_the_next_write_settles(any_store: RecordedTokenStore) -> None:
    """A migrated token lies in the record; its first refresh moves it and settles what it has."""
    seen = Record(ADA, storage=PLAINTEXT, fallback_token="access-0")
    assert any_store.account_store.records.insert_if_absent(seen)
    assert tokens(any_store) == ("access-0", None)
    new = any_store.account_store.rotate(seen, TokenBundle("access-0"))
    assert new.storage != PLAINTEXT
    assert new.has_refresh_token is False
    assert tokens(any_store) == ("access-0", None)


def test_a_rejected_grant_is_remembered(any_store: RecordedTokenStore) -> None:
    """The generation that the server called dead is noted, and forgotten by the next write."""
    old = any_store.account_store.log_in(ADA, OLD)
    any_store.account_store.reject(old)
    dead = any_store.account_store.record_of("ada")
    assert dead is not None
    assert dead.is_rejected
    new = any_store.account_store.log_in(ADA, NEW)
    any_store.account_store.reject(old)
    assert any_store.account_store.record_of("ada") == new
    assert not new.is_rejected
    any_store.account_store.forget("ada")
    any_store.account_store.reject(new)
    assert any_store.account_store.record_of("ada") is None


def test_a_refresh_that_a_logout_overtook(store: KeyringTokenStore, use: Use) -> None:
    """What was written after a logout is withdrawn: nothing stays of the account."""
    for service in ("todo/user-ada/refresh", "todo/user-ada"):
        backend = Interrupted()
        use(backend)
        old = store.account_store.log_in(ADA, OLD)
        backend.service, backend.happens = service, lambda: store.account_store.forget("ada")
        with pytest.raises(Superseded):
            store.account_store.rotate(old, NEW)
        assert backend.secrets == {}
        assert store.account_store.record_of("ada") is None


@pytest.mark.parametrize("service", ["todo/user-ada/refresh", "todo/user-ada"])
@pytest.mark.parametrize("newer", [OTHER, TokenBundle("access-9")])
def test_a_refresh_that_a_login_overtook(
    store: KeyringTokenStore, use: Use, service: str, newer: TokenBundle
) -> None:
    """A refresh that lost against a login leaves the login's tokens, whenever it wrote."""
    backend = Interrupted()
    use(backend)
    old = store.account_store.log_in(ADA, OLD)
    backend.service, backend.happens = service, lambda: store.account_store.log_in(ADA, newer)
    with pytest.raises(Superseded):
        store.account_store.rotate(old, NEW)
    left = {"todo/user-ada": "access-9", "todo/user-ada/refresh": newer.refresh_token}
    assert backend.secrets == {slot: secret for slot, secret in left.items() if secret}


def test_a_refresh_that_a_plaintext_login_overtook(
    store: KeyringTokenStore, folder: Path, use: Use
) -> None:
    """Where the newer login keeps its tokens in the file, the slots end up empty."""
    backend = Interrupted()
    use(backend)
    old = store.account_store.log_in(ADA, OLD)
    plain = KeyringTokenStore("todo", folder=folder, storage="plaintext")
    backend.service, backend.happens = (
        "todo/user-ada",
        lambda: plain.account_store.log_in(ADA, OTHER),
    )
    with pytest.raises(Superseded):
        store.account_store.rotate(old, NEW)
    assert backend.secrets == {}
    assert tokens(store) == ("access-9", "refresh-9")


def test_a_refresh_of_an_account_that_is_gone(any_store: RecordedTokenStore) -> None:
    """An account that was logged out and in again is another credential, generation or not."""
    old = any_store.account_store.log_in(ADA, OLD)
    any_store.account_store.forget("ada")
    with pytest.raises(Superseded):
        any_store.account_store.rotate(old, NEW)
    assert any_store.account_store.record_of("ada") is None


@pytest.mark.parametrize("part", ["user-ada", "/refresh"])
def test_a_refresh_that_the_keyring_refuses(folder: Path, use: Use, part: str) -> None:
    """Under "system" it is an error; the refresh token that still works is the one that stays."""
    store = KeyringTokenStore("todo", folder=folder, storage="system")
    backend = Failing(RuntimeError("x"), "set", "nowhere")
    use(backend)
    old = store.account_store.log_in(ADA, OLD)
    real = backend._fail
    backend.part = "user-ada"
    backend._fail = lambda verb, service: (  # type: ignore[method-assign]
        real(verb, service) if service.endswith(part) else None
    )
    with pytest.raises(StorageUnavailable) as caught:
        store.account_store.rotate(old, NEW)
    assert caught.value.code == STORE_WRITE_FAILED
    assert store.account_store.record() == old
    survivor = "refresh-2" if part == "user-ada" else "refresh-1"
    assert tokens(store) == ("access-1", survivor)


def test_a_refresh_whose_record_cannot_be_written(
    store: KeyringTokenStore, cellar: Cellar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new tokens stay in the keyring, for the old ones are spent; the next call finds them."""
    old = store.account_store.log_in(ADA, OLD)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(StorageUnavailable):
            store.account_store.rotate(old, NEW)
    assert tokens(store) == ("access-2", "refresh-2")
    assert store.account_store.rotate(old, TokenBundle("access-3")).generation == 2
    assert tokens(store) == ("access-3", "refresh-2")


def test_lo_03_after_a_logout_nothing_is_left(store: KeyringTokenStore, cellar: Cellar) -> None:
    """Record, slots and file are clean, and a second logout is harmless."""
    store.account_store.log_in(ADA, OLD)
    store.account_store.log_in(ADA, NEW)
    assert store.account_store.forget("ada") is None
    assert store.account_store.forget("ada") is None
    assert cellar.secrets == {}
    assert store.account_store.records.path is not None
    assert (
        store.account_store.records.path.read_text()
        == '{"version": 1, "default": null, "accounts": {\n}}'
    )


def test_lo_03_the_default_after_a_logout(any_store: RecordedTokenStore) -> None:
    """The default moves to the only account that is left, and to none of several."""
    for account in (CYD, BOB, ADA):
        any_store.account_store.log_in(account, OLD)
    any_store.account_store.forget("ada")
    assert any_store.account_store.listing()[1] is None
    any_store.set_default("cyd")
    any_store.account_store.forget("bob")
    assert any_store.account_store.listing()[1] == "cyd"
    any_store.account_store.log_in(ADA, OLD)
    any_store.account_store.forget("ada")
    assert any_store.account_store.listing()[1] == "cyd"


def test_lo_04_a_logout_under_a_locked_keyring(
    store: KeyringTokenStore, use: Use, heard: Heard
) -> None:
    """The account goes at once; its secrets are named, and go with the next write that can."""
    backend = Cellar()
    use(backend)
    store.account_store.log_in(ADA, OLD)
    locked = Failing()
    locked.secrets = backend.secrets
    use(locked)
    left = store.account_store.forget("ada")
    assert left is not None
    assert "ada" in left
    assert "locked" in left
    assert store.account_store.record() is None
    assert store.account_store.pending_removals() == ("ada",)
    assert len(backend.secrets) == 2
    use(backend)
    store.account_store.log_in(BOB, OTHER)
    assert store.account_store.pending_removals() == ()
    assert sorted(backend.secrets) == ["todo/user-bob", "todo/user-bob/refresh"]


def test_a_login_takes_its_key_off_the_list(store: KeyringTokenStore, use: Use) -> None:
    """Who logs in again owns the slots; nothing of theirs is swept."""
    backend = Cellar()
    use(backend)
    store.account_store.log_in(ADA, OLD)
    locked = Failing(verbs="delete")
    locked.secrets = backend.secrets
    use(locked)
    store.account_store.forget("ada")
    assert store.account_store.pending_removals() == ("ada",)
    store.account_store.log_in(ADA, NEW)
    assert store.account_store.pending_removals() == ()
    use(backend)
    store.account_store.log_in(BOB, OTHER)
    assert tokens(store, "ada") == ("access-2", "refresh-2")


def test_a_sweep_passes_by_an_account_in_use(
    store: KeyringTokenStore, folder: Path, cellar: Cellar
) -> None:
    """Secrets are swept under the account's lock; where that is held they wait."""
    cellar.secrets["todo/user-ada"] = "access-0"
    with store.account_store.records.transaction() as draft:
        draft.mark_removed("ada")
    with KeyringTokenStore("todo", folder=folder).lock("ada"):
        store.account_store.log_in(BOB, OTHER)
        assert store.account_store.pending_removals() == ("ada",)
        assert cellar.secrets["todo/user-ada"] == "access-0"
    store.set_default("bob")
    assert store.account_store.pending_removals() == ()
    assert "todo/user-ada" not in cellar.secrets


def test_a_crash_between_record_and_slots_is_swept(
    store: KeyringTokenStore, cellar: Cellar
) -> None:
    """A logout that died after its first step is finished by the next refresh of anybody."""
    store.account_store.log_in(ADA, OLD)
    bob = store.account_store.log_in(BOB, OTHER)
    with store.account_store.records.transaction() as draft:
        draft.records.discard("ada")
        draft.mark_removed("ada")
    store.account_store.rotate(bob, NEW)
    assert sorted(cellar.secrets) == ["todo/user-bob", "todo/user-bob/refresh"]


def test_an_account_whose_record_is_bad_can_be_removed(
    store: KeyringTokenStore, cellar: Cellar
) -> None:
    """A logout of a damaged account empties its slots, too."""
    store.account_store.log_in(ADA, OLD)
    path = store.account_store.records.path
    assert path is not None
    path.write_text(path.read_text().replace('"generation": 1', '"generation": []'))
    assert store.account_store.forget("ada") is None
    assert cellar.secrets == {}
    assert not store.account_store.records.document().records.bad


def test_lo_04_a_logout_from_a_file_that_does_not_parse(
    store: KeyringTokenStore, cellar: Cellar, folder: Path
) -> None:
    """The key names the slots: they are emptied, and what is left is said. The file stays."""
    store.account_store.log_in(ADA, OLD)
    (folder / "auth.json").write_bytes(b"{")
    left = store.account_store.forget("ada")
    assert left is not None
    assert "auth.json is damaged" in left
    assert "No token of ada is left in the keyring" in left
    assert cellar.secrets == {}
    assert (folder / "auth.json").read_bytes() == b"{"


def test_lo_04_a_damaged_file_and_a_locked_keyring(
    store: KeyringTokenStore, use: Use, folder: Path
) -> None:
    """Where both fail, both are named."""
    store.account_store.log_in(ADA, OLD)
    (folder / "auth.json").write_bytes(b"{")
    use(Failing())
    left = store.account_store.forget("ada")
    assert left is not None
    assert "auth.json is damaged" in left
    assert "still in the keyring" in left


def test_a_migration_is_marked_with_its_record(any_store: RecordedTokenStore) -> None:
    """Marker and record come in one transaction, never over a record, and outlive the record."""
    assert any_store.account_store.migration("old") is None
    legacy = Record(ADA, storage=PLAINTEXT, fallback_token="access-0")
    assert any_store.account_store.insert_migrated(legacy, "old", "moving ada")
    assert any_store.account_store.migration("old") == "moving ada"
    assert any_store.account_store.listing()[1] == "ada"
    assert not any_store.account_store.insert_migrated(legacy, "other", "moving ada")
    assert any_store.account_store.migration("other") is None
    any_store.account_store.mark_migration("old", "done")
    any_store.account_store.forget("ada")
    assert any_store.account_store.migration("old") == "done"


def test_a_migrated_account_leaves_the_default_alone(any_store: RecordedTokenStore) -> None:
    """It becomes the default only where there is none."""
    any_store.account_store.log_in(BOB, OTHER)
    legacy = Record(ADA, storage=PLAINTEXT, fallback_token="access-0")
    assert any_store.account_store.insert_migrated(legacy, "old", "moving ada")
    assert any_store.account_store.listing()[1] == "bob"


def test_a_clear_that_leaves_something_says_so(
    store: KeyringTokenStore, use: Use, heard: Heard
) -> None:
    """The simple method of a store warns where the full one returns a sentence."""
    backend = Failing(verbs="delete")
    use(backend)
    store.account_store.log_in(ADA, OLD)
    store.clear()
    assert "still in the keyring" in heard.warnings[0]


def test_memory_keeps_nothing_anywhere(folder: Path, cellar: Cellar) -> None:
    """The memory store is custom in its records, one for each object, and leaves no trace."""
    store = MemoryTokenStore()
    store.account_store.check_writable()
    before = store.account_store.stamp()
    with store.account_store.patiently(), store.lock("ada"):
        record = store.account_store.log_in(ADA, OLD)
    assert record.storage == "custom"
    assert store.account_store.stamp() != before
    assert MemoryTokenStore().account_store.record() is None
    assert store.account_store.pending_removals() == ()
    assert store.account_store.records.path is None
    assert cellar.journal == []
    assert not folder.exists()
    assert (store.account_store.policy, store.account_store.vault.backend_name) == (
        "custom",
        "memory",
    )
