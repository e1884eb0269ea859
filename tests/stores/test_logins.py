from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from click_auth import (
    Account,
    KeyringTokenStore,
    NotLoggedIn,
    StorageUnavailable,
    TokenBundle,
    UsageError,
)
from click_auth.errors import ACCOUNT_NOT_FOUND, NO_ACCOUNT_SELECTED, STORE_WRITE_FAILED
from click_auth.providers import Binding
from click_auth.record import PLAINTEXT, SYSTEM, Record, from_posix
from stores.children import run
from stores.conftest import Heard
from stores.keyrings import Cellar, Failing, Forgetful

Use = Callable[[KeyringBackend], None]

ADA = Account(id="ada", label="Ada")
BOB = Account(id="bob", label="Bob")
FIRST = TokenBundle("access-1", "refresh-1", from_posix(1_003_600.0), scopes=("tasks",))
SECOND = TokenBundle("access-2", "refresh-2", from_posix(1_007_200.0))


def tokens(store: KeyringTokenStore, ref: str | None = None) -> tuple[str, str | None]:
    """Return the tokens of an account."""
    bundle = store.active_bundle(ref)
    assert bundle is not None
    return bundle.access_token, bundle.refresh_token


def content(store: KeyringTokenStore) -> str:
    """Return the record file."""
    return store.account_store.records.path.read_text() if store.account_store.records.path else ""


def test_a_login_is_stored(store: KeyringTokenStore, cellar: Cellar) -> None:
    """A login fills two slots and a record, and its account becomes the default one."""
    record = store.account_store.log_in(ADA, FIRST, Binding("https://id.example", "cli"))
    assert record == store.account_store.record() == store.account_store.record_of("ada")
    assert cellar.secrets == {"todo/user-ada": "access-1", "todo/user-ada/refresh": "refresh-1"}
    assert tokens(store) == ("access-1", "refresh-1")
    assert "access-1" not in content(store)
    assert record == Record(
        Account("ada", "Ada"),
        access_token_expires_at=1_003_600.0,
        access_token_obtained_at=1_000_000.0,
        has_refresh_token=True,
        scopes=("tasks",),
        issuer="https://id.example",
        client_id="cli",
    )
    bundle = store.active_bundle()
    assert bundle is not None
    assert bundle.expires_at == datetime.fromtimestamp(1_003_600.0, timezone.utc)
    assert "access-1" not in repr((record, bundle, store.account_store.record()))


def test_the_order_of_writes(store: KeyringTokenStore, use: Use) -> None:
    """Refresh slot, access slot, record."""
    seen: list[tuple[str, bool]] = []

    class Watching(Cellar):
        def set_password(self, service: str, username: str, password: str) -> None:
            seen.append((service, store.account_store.record() is not None))
            super().set_password(service, username, password)

    use(Watching())
    store.account_store.log_in(ADA, FIRST)
    assert seen == [("todo/user-ada/refresh", False), ("todo/user-ada", False)]


def test_a_second_login_replaces_the_first(store: KeyringTokenStore, cellar: Cellar) -> None:
    """The newest login wins, with the next generation."""
    store.account_store.log_in(ADA, FIRST)
    record = store.account_store.log_in(ADA, SECOND)
    assert record.generation == 2
    assert record.scopes is None
    assert tokens(store) == ("access-2", "refresh-2")


def test_a_login_without_a_refresh_token_leaves_no_old_one(
    store: KeyringTokenStore, cellar: Cellar
) -> None:
    """The refresh token of an earlier login goes, once the new record stands."""
    store.account_store.log_in(ADA, FIRST)
    record = store.account_store.log_in(ADA, TokenBundle("access-2"))
    assert record.has_refresh_token is False
    assert cellar.secrets == {"todo/user-ada": "access-2"}


def test_kr_02_a_locked_keyring_is_no_logout(store: KeyringTokenStore, use: Use) -> None:
    """With the keyring locked a token is unavailable, and the record is untouched."""
    use(Cellar())
    record = store.account_store.log_in(ADA, FIRST)
    before = content(store)
    use(Failing())
    for act in (
        store.active,
        store.active_bundle,
        lambda: store.account_store.access_token(record),
    ):
        with pytest.raises(StorageUnavailable, match="The keyring is locked") as caught:
            act()
        assert caught.value.code == "AUTH_STORE_READ_FAILED"
    assert content(store) == before


def test_kr_03_fallback_stores_in_the_file_loudly(
    store: KeyringTokenStore, use: Use, heard: Heard
) -> None:
    """Where the keyring refuses, both tokens go to a private file, with one warning naming it."""
    use(Failing())
    store.account_store.check_writable()
    record = store.account_store.log_in(ADA, FIRST)
    assert record.storage == PLAINTEXT
    assert tokens(store) == ("access-1", "refresh-1")
    (warning,) = heard.warnings
    assert str(store.account_store.records.path) in warning
    assert "unencrypted" in warning
    assert "locked" in warning
    assert "access-1" not in warning
    assert store.account_store.records.path is not None
    assert os.name == "nt" or stat.S_IMODE(store.account_store.records.path.stat().st_mode) == 0o600


def test_kr_03_system_stores_nothing(folder: Path, use: Use) -> None:
    """Under the policy "system" a refused login is found out beforehand, and stores nothing."""
    store = KeyringTokenStore("todo", folder=folder, storage="system")
    backend = Failing(verbs="set")
    use(backend)
    for act in (store.account_store.check_writable, lambda: store.account_store.log_in(ADA, FIRST)):
        with pytest.raises(StorageUnavailable) as caught:
            act()
        assert caught.value.code == STORE_WRITE_FAILED
    assert store.account_store.record() is None
    assert backend.secrets == {}


def test_before_a_login_the_keyring_is_tried(folder: Path, cellar: Cellar) -> None:
    """Under "system" a login finds out whether the keyring takes secrets; no trace is left."""
    KeyringTokenStore("todo", folder=folder, storage="system").account_store.check_writable()
    assert cellar.journal != []
    assert cellar.secrets == {}


@pytest.mark.parametrize("storage", ["system", "fallback"])
def test_kr_04_all_or_nothing(folder: Path, use: Use, storage: str) -> None:
    """When the second slot fails the first one is taken back: no half bundle, no stale partner."""
    store = KeyringTokenStore("todo", folder=folder, storage=storage)
    backend = Failing(RuntimeError("x"), "set", "nowhere")
    use(backend)
    store.account_store.log_in(ADA, FIRST)
    before = dict(backend.secrets)
    backend.error, backend.part = RuntimeError("x"), "user-ada"
    backend.verbs = "set"
    backend.part = "todo/user-ada"
    real = backend._fail
    backend._fail = lambda verb, service: (  # type: ignore[method-assign]
        None if service.endswith("/refresh") else real(verb, service)
    )
    if storage == "system":
        with pytest.raises(StorageUnavailable):
            store.account_store.log_in(ADA, SECOND)
        assert tokens(store) == ("access-1", "refresh-1")
    else:
        store.account_store.log_in(ADA, SECOND)
        assert tokens(store) == ("access-2", "refresh-2")
    assert backend.secrets == before


@pytest.mark.parametrize("earlier", [None, FIRST])
def test_a_login_whose_record_cannot_be_written(
    store: KeyringTokenStore,
    cellar: Cellar,
    monkeypatch: pytest.MonkeyPatch,
    earlier: TokenBundle | None,
) -> None:
    """A full disk at the last step leaves the session of before, byte for byte."""
    if earlier is not None:
        store.account_store.log_in(ADA, earlier)
    before = dict(cellar.secrets), store.account_store.records.document().to_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageUnavailable, match=r"auth\.json can't be written: no space left"):
        store.account_store.log_in(ADA, SECOND)
    assert (dict(cellar.secrets), store.account_store.records.document().to_bytes()) == before


def test_kr_05_a_keyring_that_keeps_nothing(
    store: KeyringTokenStore, use: Use, heard: Heard
) -> None:
    """A keyring that takes secrets and keeps none is no place for a login."""
    use(Forgetful())
    assert store.account_store.log_in(ADA, FIRST).storage == PLAINTEXT
    assert "didn't save" in heard.warnings[0]
    strict = KeyringTokenStore("todo", folder=store.folder, storage="system")
    with pytest.raises(StorageUnavailable, match="didn't save"):
        strict.account_store.check_writable()


def test_kr_08_a_slot_deleted_by_hand(store: KeyringTokenStore, cellar: Cellar) -> None:
    """A missing secret says so and how to go on; a logout still cleans up."""
    record = store.account_store.log_in(ADA, FIRST)
    del cellar.secrets["todo/user-ada"]
    for act in (store.active, lambda: store.account_store.credential(record)):
        with pytest.raises(NotLoggedIn, match="Ada are missing from the keyring") as caught:
            act()
        assert "Log in again" in caught.value.format_message()
    assert store.account_store.forget("ada") is None
    assert cellar.secrets == {}
    assert store.account_store.record() is None


def test_kr_13_the_keyring_comes_back(store: KeyringTokenStore, use: Use, heard: Heard) -> None:
    """The next write moves the tokens into the keyring, erases them from the file, and is quiet."""
    use(Failing())
    record = store.account_store.log_in(ADA, FIRST)
    heard.warnings.clear()
    backend = Cellar()
    use(backend)
    record = store.account_store.rotate(record, TokenBundle("access-2"))
    assert record.storage == SYSTEM
    assert tokens(store) == ("access-2", "refresh-1")
    assert backend.secrets["todo/user-ada/refresh"] == "refresh-1"
    assert "access-" not in content(store)
    assert "refresh-1" not in content(store)
    assert heard.warnings == []


def test_plaintext_stays_quietly_while_there_is_no_keyring(
    store: KeyringTokenStore, use: Use, heard: Heard
) -> None:
    """A refresh of what lies in the file anyway is no downgrade, and does not warn again."""
    use(Failing())
    record = store.account_store.log_in(ADA, FIRST)
    heard.warnings.clear()
    assert store.account_store.rotate(record, SECOND).storage == PLAINTEXT
    assert tokens(store) == ("access-2", "refresh-2")
    assert heard.warnings == []


def test_an_account_that_was_in_the_keyring_is_not_moved_in_silence(
    store: KeyringTokenStore, use: Use, heard: Heard
) -> None:
    """A refresh that the keyring refuses warns; what the keyring still holds is swept later."""
    backend = Cellar()
    use(backend)
    record = store.account_store.log_in(ADA, FIRST)
    broken = Failing(verbs="set delete")
    broken.secrets = backend.secrets
    use(broken)
    record = store.account_store.rotate(record, SECOND)
    assert record.storage == PLAINTEXT
    assert tokens(store) == ("access-2", "refresh-2")
    assert "unencrypted" in heard.warnings[0]
    assert list(store.account_store.pending_removals()) == ["ada"]
    use(backend)
    store.account_store.log_in(BOB, FIRST)
    assert sorted(backend.secrets) == ["todo/user-bob", "todo/user-bob/refresh"]
    assert store.account_store.pending_removals() == ()
    assert tokens(store, "ada") == ("access-2", "refresh-2")


def test_plaintext_on_request(folder: Path, store: KeyringTokenStore, cellar: Cellar) -> None:
    """The policy "plaintext" touches no keyring, but for what an earlier login left there."""
    plain = KeyringTokenStore("todo", folder=folder, storage="plaintext")
    plain.account_store.check_writable()
    plain.account_store.log_in(ADA, FIRST)
    assert (
        plain.account_store.rotate(
            plain.account_store.record_of("ada") or pytest.fail("there is none"), SECOND
        ).storage
        == PLAINTEXT
    )
    assert cellar.journal == []
    store.account_store.log_in(BOB, FIRST)
    assert len(cellar.secrets) == 2
    plain.account_store.log_in(BOB, SECOND)
    assert cellar.secrets == {}
    assert plain.account_store.pending_removals() == ()
    assert tokens(plain, "bob") == ("access-2", "refresh-2")


def test_an_unknown_policy_is_a_mistake(folder: Path) -> None:
    """A policy that does not exist is a ValueError of the program that named it."""
    with pytest.raises(ValueError, match="system, fallback, encrypted, plaintext"):
        KeyringTokenStore("todo", folder=folder, storage="cloud")


def test_kr_14_listing_touches_no_secret(store: KeyringTokenStore, cellar: Cellar) -> None:
    """Who is stored, and all that is known of them, is told without the keyring."""
    store.account_store.log_in(ADA, FIRST)
    store.account_store.log_in(BOB, FIRST)
    cellar.journal.clear()
    store.account_store.record()
    store.account_store.record("ada")
    store.active_account("Bob")
    assert [(each.account.key, each.default) for each in store.accounts()] == [
        ("ada", False),
        ("bob", True),
    ]
    assert store.account_store.listing() == ([ADA, BOB], "bob")
    assert cellar.journal == []


def test_which_account_is_meant(store: KeyringTokenStore, cellar: Cellar) -> None:
    """A key, an id, a label; an instance narrows; nothing at all is the default."""
    store.account_store.log_in(ADA, FIRST)
    there = Account(id="ada", label="ADA", instance="https://x.example")
    store.account_store.log_in(there, SECOND)
    assert store.account_store.record("ada") == store.account_store.record_of("ada")
    assert store.account_store.record(
        "ada", instance="https://x.example"
    ) == store.account_store.record_of(there.key)
    assert store.account_store.record(there.key) == store.account_store.record_of(there.key)
    assert store.account_store.record(
        there.key, instance="https://x.example"
    ) == store.account_store.record_of(there.key)
    assert store.account_store.record() == store.account_store.record_of(there.key)
    assert store.active_account() == there
    with pytest.raises(UsageError) as caught:
        store.account_store.record("Ada")
    assert caught.value.code == NO_ACCOUNT_SELECTED
    with pytest.raises(UsageError) as caught:
        store.account_store.record("eve")
    assert caught.value.code == ACCOUNT_NOT_FOUND
    store.set_default("ada")
    assert store.active() == "access-1"
    assert store.account_store.record(
        instance="https://x.example"
    ) == store.account_store.record_of(there.key)
    assert store.account_store.record(instance="https://y.example") is None


def test_a_bad_record_is_reported_once(
    store: KeyringTokenStore, cellar: Cellar, heard: Heard
) -> None:
    """The other accounts work, and the next login to the bad one puts it right."""
    store.account_store.log_in(ADA, FIRST)
    store.account_store.log_in(BOB, FIRST)
    path = store.account_store.records.path or pytest.fail("there is none")
    root = json.loads(path.read_text())
    root["accounts"]["ada"]["generation"] = "x"
    path.write_text(json.dumps(root))
    store.account_store.listing()
    assert [each.key for each in store.account_store.listing()[0]] == ["bob"]
    (warning,) = heard.warnings
    assert "ada" in warning
    assert "generation" in warning
    with pytest.raises(StorageUnavailable, match="record of ada"):
        store.account_store.record("ada")
    store.account_store.log_in(ADA, SECOND)
    assert tokens(store, "ada") == ("access-2", "refresh-2")


def test_a_store_without_refresh_tokens(store: KeyringTokenStore, cellar: Cellar) -> None:
    """The five simple methods of a store work by themselves."""
    assert store.active() is None
    assert store.active_bundle() is None
    assert store.active_account() is None
    store.set(ADA, "key-1")
    store.set(BOB, "key-2")
    assert store.active("ada") == "key-1"
    store.set_default("bob")
    assert store.active() == "key-2"
    store.clear("bob")
    store.clear("bob")
    assert store.active() == "key-1"
    store.clear()
    store.clear()
    assert store.accounts() == []
    assert cellar.secrets == {}


def test_the_token_is_followed_to_where_it_moved(
    store: KeyringTokenStore, folder: Path, cellar: Cellar
) -> None:
    """A record that was read before the tokens moved still leads to them."""
    seen = store.account_store.log_in(ADA, FIRST)
    KeyringTokenStore("todo", folder=folder, storage="plaintext").account_store.log_in(ADA, SECOND)
    assert store.account_store.access_token(seen) == "access-2"
    store.account_store.forget("ada")
    with pytest.raises(NotLoggedIn):
        store.account_store.access_token(seen)


def test_the_folder_that_auth_gives_is_used(tmp_path: Path, cellar: Cellar) -> None:
    """A store made without a folder takes the one it is given before its first use."""
    store = KeyringTokenStore("todo")
    assert store.folder is None
    store.folder = tmp_path / "elsewhere"
    store.account_store.log_in(ADA, FIRST)
    with store.lock("ada"):
        names = {entry.name for entry in store.folder.iterdir()}
    assert names == {"auth.json", "locks"}
    assert (store.account_store.policy, store.account_store.records.path) == (
        "fallback",
        store.folder / "auth.json",
    )
    assert store.account_store.vault.backend_name == "stores.keyrings.Cellar"


def test_the_hot_path_loads_nothing_heavy(store: KeyringTokenStore, folder: Path) -> None:
    """A fresh token costs one file and one read of the keyring, and no pydantic, no portalocker."""
    store.account_store.log_in(ADA, FIRST)
    script = """
import sys
from pathlib import Path
import keyring
from stores.keyrings import Cellar
backend = Cellar()
backend.secrets["todo/user-ada"] = "access-1"
keyring.set_keyring(backend)
before = set(sys.modules)
from click_auth.stores.token_store import KeyringTokenStore
store = KeyringTokenStore("todo", folder=Path(sys.argv[1]))
for ref in (None, "ada"):
    print(store.account_store.access_token(store.account_store.record(ref)))
print(store.account_store.listing()[1], backend.journal)
ours = {"click_auth.stores.models", "click_auth.locks.account_lock"}
heavy = {"pydantic", "portalocker", "httpx", "hashlib", *ours}
print(sorted(heavy & (set(sys.modules) - before)))
"""
    assert run(script, str(folder)).splitlines() == [
        "access-1",
        "access-1",
        "ada ['get todo/user-ada', 'get todo/user-ada']",
        "[]",
    ]


def test_sixteen_logins_at_once(store: KeyringTokenStore, folder: Path, cellar: Cellar) -> None:
    """Processes that log in at the same time lose no account, and a reader sees whole files."""
    script = """
import sys
from pathlib import Path
import keyring
from stores.keyrings import Cellar
keyring.set_keyring(Cellar())
from click_auth.account import Account
from click_auth.stores.token_store import KeyringTokenStore
from click_auth.record import TokenBundle
import threading
store = KeyringTokenStore("todo", folder=Path(sys.argv[1]))
def log_in(name):
    store.account_store.log_in(Account(id=name), TokenBundle(name))
threads = [threading.Thread(target=log_in, args=(f"{sys.argv[2]}-{n}",)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    store.account_store.log_in(ADA, FIRST)
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        started = [pool.submit(run, script, str(folder), name) for name in "wxyz"]
        while not all(each.done() for each in started):
            assert store.account_store.record_of("ada") is not None
        for each in started:
            each.result()
    assert len(store.accounts()) == 17
    assert sorted(entry.name for entry in folder.iterdir()) == ["auth.json"]


def test_a_keyring_locked_at_login_only(store: KeyringTokenStore, use: Use) -> None:
    """A login that lands in the file because the keyring was locked asks nothing to be removed."""
    use(Failing(KeyringLocked()))
    store.account_store.log_in(ADA, FIRST)
    assert store.account_store.pending_removals() == ()
    assert store.account_store.forget("ada") is None
