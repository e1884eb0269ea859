from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend

from click_auth import KeyringTokenStore, MemoryTokenStore, StorageUnavailable
from click_auth.providers import InMemory
from click_auth.stores.provider_memory import FolderCache
from stores.conftest import Heard
from stores.keyrings import Cellar, Failing

CLIENT = {"client_id": "c1", "client_secret": "s3cret", "registration_access_token": "r4t"}
URL = "https://id.example/.well-known/openid-configuration"


def test_a_registered_client_keeps_its_secret_in_the_keyring(
    store: KeyringTokenStore, cellar: Cellar
) -> None:
    """What is public lies in the record file, secrets in a slot of the client's own."""
    registrations = store.account_store.registrations()
    assert registrations.load("https://id.example") is None
    registrations.save("https://id.example", CLIENT)
    assert registrations.load("https://id.example") == CLIENT
    assert store.account_store.records.path is not None
    assert "s3cret" not in store.account_store.records.path.read_text()
    assert list(cellar.secrets) == ["todo/client-https://id.example"]
    registrations.forget("https://id.example")
    registrations.forget("https://id.example")
    assert registrations.load("https://id.example") is None
    assert cellar.secrets == {}


def test_a_public_client_touches_no_keyring(store: KeyringTokenStore, cellar: Cellar) -> None:
    """A client without secrets needs no slot."""
    store.account_store.registrations().save("x", {"client_id": "c1"})
    assert store.account_store.registrations().load("x") == {"client_id": "c1"}
    assert cellar.journal == []


def test_a_clients_secret_follows_the_policy(
    folder: Path, use: Callable[[KeyringBackend], None], heard: Heard
) -> None:
    """Refused by the keyring it is an error, or a warning, or was never meant to go there."""
    use(Failing())
    with pytest.raises(StorageUnavailable):
        KeyringTokenStore(
            "todo", folder=folder, storage="system"
        ).account_store.registrations().save("x", CLIENT)
    for storage, warnings in (("plaintext", 0), ("fallback", 1)):
        registrations = KeyringTokenStore(
            "todo", folder=folder, storage=storage
        ).account_store.registrations()
        registrations.save("x", CLIENT)
        assert registrations.load("x") == CLIENT
        assert len(heard.warnings) == warnings


def test_s24_of_two_first_logins_one_keeps_its_client(store: KeyringTokenStore) -> None:
    """Whoever comes second goes on with what is there; nothing that a grant is bound to is lost."""
    registrations = [
        store.account_store.registrations(),
        MemoryTokenStore().account_store.registrations(),
        InMemory(),
    ]
    for kept in registrations:
        assert kept.insert("x", CLIENT) == CLIENT
        assert kept.insert("x", {"client_id": "c2", "client_secret": "lost"}) == CLIENT
        assert kept.load("x") == CLIENT


def test_s24_many_processes_that_begin_at_once_share_one_client(folder: Path) -> None:
    """What each of them got is what is stored."""
    script = """
import sys
from pathlib import Path
from click_auth.stores.token_store import KeyringTokenStore

store = KeyringTokenStore("todo", folder=Path(sys.argv[1]), storage="plaintext")
kept = store.account_store.registrations()
sys.stdin.read()
print(kept.insert("x", {"client_secret": sys.argv[2]})["client_secret"])
"""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, folder, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
    got = set()
    for process in started:
        assert process.stdout is not None
        with process.stdout:
            got.add(process.stdout.read().decode().strip())
        assert process.wait(60) == 0
    store = KeyringTokenStore("todo", folder=folder, storage="plaintext")
    assert got == {(store.account_store.registrations().load("x") or {})["client_secret"]}


@pytest.mark.parametrize("secret", [None, "not json", "[]"])
def test_a_client_whose_secret_is_gone_is_not_registered(
    store: KeyringTokenStore, cellar: Cellar, secret: str | None
) -> None:
    """A slot emptied or filled by hand means that the client is registered anew."""
    store.account_store.registrations().save("x", CLIENT)
    del cellar.secrets["todo/client-x"]
    if secret is not None:
        cellar.secrets["todo/client-x"] = secret
    assert store.account_store.registrations().load("x") is None


def test_registrations_in_memory() -> None:
    """A store that keeps no records keeps clients for the process; the memory store as well."""
    for registrations in (InMemory(), MemoryTokenStore().account_store.registrations()):
        assert registrations.load("x") is None
        registrations.save("x", CLIENT)
        assert registrations.load("x") == CLIENT
        registrations.forget("x")
        assert registrations.load("x") is None


def test_a_document_is_kept_for_a_while(tmp_path: Path) -> None:
    """A cached document is private, its own URL's, and forgotten when it is old."""
    now = [1000.0]
    cache = FolderCache(tmp_path / "cache", 60, clock=lambda: now[0])
    assert cache.load(URL) is None
    cache.save(URL, {"issuer": "https://id.example"})
    assert cache.load(URL) == {"issuer": "https://id.example"}
    assert cache.load(URL + "2") is None
    (file,) = (tmp_path / "cache").iterdir()
    assert os.name == "nt" or file.stat().st_mode & 0o777 == 0o600
    for moment in (1061.0, 999.0):
        now[0] = moment
        assert cache.load(URL) is None
    for _ in range(2):
        cache.forget(URL)
        assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{", b"\xff", b"[" * 99_999])
def test_a_damaged_cache_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    """Whatever lies there, the document is simply fetched again."""
    cache = FolderCache(tmp_path)
    cache.save(URL, {"a": 1})
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert cache.load(URL) is None
    cache.save(URL, {"a": 2})
    assert cache.load(URL) == {"a": 2}


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """A file where the folder should be costs the cache, not the command."""
    (tmp_path / "cache").write_text("")
    cache = FolderCache(tmp_path / "cache")
    cache.save(URL, {"a": 1})
    cache.forget(URL)
    assert cache.load(URL) is None


def test_fs_13_leftovers_of_killed_writers_of_the_cache_are_swept(tmp_path: Path) -> None:
    """What a writer left that was killed is gone when the document is next saved."""
    cache = FolderCache(tmp_path)
    cache.save(URL, {"a": 1})
    (document,) = tmp_path.iterdir()
    document.with_name(f"{document.name}.4242-1.tmp").write_text("half of")
    cache.save(URL, {"a": 2})
    assert list(tmp_path.iterdir()) == [document]
