"""How long a keyring is waited for: machines briefly, people as long as they need (B1, B2, D12)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.backends import SecretService
from keyring.errors import KeyringLocked

from click_auth import (
    Account,
    AuthError,
    KeyringTokenStore,
    StorageUnavailable,
    TokenBundle,
    stores,
)
from click_auth.console.console import Console, use_console
from click_auth.environment import Environment
from click_auth.record import PLAINTEXT, SYSTEM
from click_auth.stores import secret_service
from click_auth.stores.keyring_backends import fault_of
from click_auth.stores.keyring_vault import KeyringVault
from stores.keyrings import Cellar, Failing, Small, join_calls

Use = Callable[[KeyringBackend], None]
ADA = Account(id="ada", label="Ada")
FIRST, SECOND = TokenBundle("access-1", "refresh-1"), TokenBundle("access-2", "refresh-2")


class Asking(Cellar):
    """Asks before it overwrites a secret, and waits until it is told so that it may."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = threading.Event()

    def set_password(self, service: str, username: str, password: str) -> None:
        """Wait, then keep a secret."""
        if service in self.secrets:
            self.allowed.wait()
        super().set_password(service, username, password)


@pytest.fixture
def asking(use: Use) -> Iterator[Asking]:
    """Put a keyring that asks into this process; it stops waiting when the test is over."""
    backend = Asking()
    use(backend)
    yield backend
    backend.allowed.set()
    join_calls()


class Allowing(Console):
    """A person who allows what is asked as soon as they are told that it is."""

    def __init__(self, backend: Asking) -> None:
        self.heard: list[str] = []
        self._backend = backend

    def say(self, text: str) -> None:
        """Hear a line."""
        self.heard.append(text)
        self._backend.allowed.set()


@contextmanager
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make standard error a terminal."""
    master, slave = os.openpty()
    with open(slave, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:  # noqa: PTH123 - a descriptor
        patch.setattr(sys, "stderr", terminal)
        yield
    os.close(master)


@pytest.mark.skipif(os.name == "nt", reason="terminals are POSIX's here")
def test_b2_who_is_at_the_terminal_is_told_and_waited_for(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first bound a line says why nothing happens; the answer then comes in time."""
    vault = KeyringVault("todo", 0.1)
    vault.set("user-ada", "access-1")
    with use_console(Allowing(asking)) as person, at_terminal(monkeypatch):
        assert vault.set("user-ada", "access-2") == "access-1"
    assert isinstance(person, Allowing)
    assert len(person.heard) == 1
    assert "Waiting for the keyring" in person.heard[0]


def test_d12_whoever_logs_in_is_told_and_waited_for(asking: Asking, folder: Path) -> None:
    """Without a terminal, too: a login is a person's."""
    store = KeyringTokenStore("todo", folder=folder, environ={"TODO_KEYRING_TIMEOUT": "0.1"})
    store.account_store.log_in(ADA, FIRST)
    with use_console(Allowing(asking)) as person, store.account_store.patiently():
        assert store.account_store.log_in(ADA, SECOND).storage == SYSTEM
    assert isinstance(person, Allowing)
    assert person.heard


def test_b1_a_script_is_told_nothing_and_waits_briefly(asking: Asking) -> None:
    """A write is given up after the first bound."""
    vault = KeyringVault("todo", 0.1)
    vault.set("user-ada", "access-1")
    with pytest.raises(StorageUnavailable, match=r"after 0\.1 s") as caught:
        vault.set("user-ada", "access-2")
    assert caught.value.is_late
    assert asking.secrets == {"todo/user-ada": "access-1"}


def test_b1_a_login_that_is_only_late_moves_nobody_out_of_the_keyring(
    asking: Asking, folder: Path
) -> None:
    """Under `fallback`: an error, and the session of before. A first login goes to the file."""
    store = KeyringTokenStore("todo", folder=folder, environ={"TODO_KEYRING_TIMEOUT": "0.1"})
    record = store.account_store.log_in(ADA, FIRST)
    with pytest.raises(StorageUnavailable, match="in time"):
        store.account_store.log_in(ADA, SECOND)
    assert store.account_store.record_of("ada") == record
    new = Account(id="bob")
    asking.secrets["todo/user-bob/refresh"] = "left over"
    assert store.account_store.log_in(new, SECOND).storage == PLAINTEXT


@pytest.mark.parametrize("storage", ["system", "fallback"])
def test_b1_no_room_where_the_keyring_is_only_late(
    asking: Asking, folder: Path, storage: str
) -> None:
    """The proof before a request is an error, whatever the policy; nothing has changed."""
    environ = {"TODO_KEYRING_TIMEOUT": "0.1"}
    store = KeyringTokenStore("todo", folder=folder, storage=storage, environ=environ)
    record = store.account_store.log_in(ADA, FIRST)
    with pytest.raises(StorageUnavailable, match="in time"), store.account_store.reserve(record):
        pytest.fail("the grant would be spent")
    assert [each.name for each in folder.iterdir()] == ["auth.json"]


@pytest.mark.parametrize("storage", ["system", "fallback"])
def test_a1_a_secret_in_pieces_is_proved_by_one_write(folder: Path, use: Use, storage: str) -> None:
    """Where the keyring is small the manifest is what is written once more."""
    backend = Small()
    use(backend)
    store = KeyringTokenStore("todo", folder=folder, storage=storage)
    record = store.account_store.log_in(ADA, TokenBundle("access-1", "r" * 5000))
    before = dict(backend.secrets)
    backend.journal.clear()
    with store.account_store.reserve(record):
        assert backend.written == ["todo/user-ada/refresh"]
    assert backend.secrets == before


def test_a1_fallback_has_another_place(folder: Path, use: Use) -> None:
    """A keyring that refuses outright keeps nobody from a refresh whose tokens go to the file."""
    backend = Failing(verbs="set", part="nowhere")
    use(backend)
    store = KeyringTokenStore("todo", folder=folder)
    record = store.account_store.log_in(ADA, FIRST)
    backend.part = ""
    with store.account_store.reserve(record) as room:
        assert store.account_store.rotate(record, SECOND, room).storage == PLAINTEXT


@pytest.mark.parametrize("text, seconds", [("5", 5.0), ("0.5", 0.5), (" 60 ", 60.0), ("", None)])
def test_b2_the_bound_can_be_set(text: str, seconds: float | None) -> None:
    """In seconds; empty is as good as absent."""
    assert Environment("todo", {"TODO_KEYRING_TIMEOUT": text}).keyring_timeout == seconds


@pytest.mark.parametrize("text", ["x", "0", "-1", "nan", "inf", "1e999", "3 s", "5000"])
def test_b2_a_bound_that_is_none_is_a_mistake(text: str) -> None:
    """The error names the variable."""
    with pytest.raises(AuthError, match="TODO_KEYRING_TIMEOUT") as caught:
        _ = Environment("todo", {"TODO_KEYRING_TIMEOUT": text}).keyring_timeout
    assert caught.value.code == "AUTH_BAD_SETTING"


@pytest.mark.parametrize(
    "backend, words",
    [
        ("keyring.backends.SecretService.Keyring", "gnome-keyring-daemon --unlock"),
        ("keyring.backends.SecretService.Keyring", "KeePassXC"),
        ("keyring.backends.kwallet.DBusKeyring", "KWalletManager"),
        ("keyring.backends.macOS.Keyring", "security unlock-keychain"),
        ("keyring.backends.Windows.WinVaultKeyring", "Sign in to Windows"),
    ],
)
def test_d13_a_locked_keyring_says_how_it_is_unlocked(backend: str, words: str) -> None:
    """Each backend has its way, and the hint names it."""
    assert words in fault_of(KeyringLocked("locked"), backend).format_message()


LISTENER = """
import os, socket, sys
os.setuid(65534)
bus = socket.socket(socket.AF_UNIX)
bus.bind(sys.argv[1]); bus.listen()
os.chmod(sys.argv[1], 0o666)
print("ready", flush=True)
while True:
    bus.accept()[0].recv(64) and print("given a word", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peers are known by their uid on Linux")
def test_s14_a_bus_of_our_own_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our user's socket is taken for ours, and no bus at all for nobody's."""
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(tmp_path / "bus"))
        bus.listen()
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'bus'}")
        assert not secret_service.is_foreign_bus()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    assert not secret_service.is_foreign_bus()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs two users")
def test_s14_nothing_is_taken_from_a_bus_of_another_user(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given no word, by our own client and by keyring; the error names the reason."""
    folder = Path("/tmp") / f"bus-of-nobody-{os.getpid()}"
    folder.mkdir(0o777)
    folder.chmod(0o777)
    address = folder / "bus"
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENER, str(address)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={address}")
        assert secret_service.read_secret("todo/user-ada", "user-ada", ExitStack()) is None
        monkeypatch.setattr(stores, "keyring_guard", lambda _: None)
        use(SecretService.Keyring())  # type: ignore[no-untyped-call]
        vault = KeyringVault("todo")
        with pytest.raises(StorageUnavailable, match="session bus is another user's"):
            vault.get("user-ada")
    finally:
        process.kill()
        said, _ = process.communicate()
        address.unlink()
        folder.rmdir()
    assert said == ""
