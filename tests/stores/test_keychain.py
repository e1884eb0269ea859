from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import keyring
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, PasswordSetError

from click_auth import StorageUnavailable, stores
from click_auth.errors import STORE_READ_FAILED, STORE_WRITE_FAILED
from click_auth.interrupts import prompt_timeout
from click_auth.stores import secret_service
from click_auth.stores.keyring_backends import (
    STORES_NOTHING,
    STORES_PLAINTEXT,
    KeyringFault,
    describe_backend,
)
from click_auth.stores.keyring_vault import KeyringVault
from stores.children import run
from stores.keyrings import (
    Cellar,
    Cutting,
    Failing,
    Flickering,
    Forgetful,
    Hanging,
    Rude,
    Small,
    Telltale,
    join_calls,
    under_the_name_of,
)

Use = Callable[[KeyringBackend], None]
SECRET = "s3cret-token"


@pytest.fixture
def vault() -> KeyringVault:
    """Make a vault; which backend it meets is the test's matter."""
    return KeyringVault("todo")


def test_a_secret_lies_under_a_service_of_its_own(vault: KeyringVault, cellar: Cellar) -> None:
    """Service `<app>/<slot>`, one for each slot; deleting twice is harmless."""
    assert vault.set("user-ada", SECRET) is None
    assert cellar.secrets == {"todo/user-ada": SECRET}
    assert vault.get("user-ada") == SECRET
    assert vault.set("user-ada", "new") == SECRET
    vault.delete("user-ada")
    vault.delete("user-ada")
    assert vault.get("user-ada") is None
    assert cellar.secrets == {}


def test_only_what_changed_is_written(vault: KeyringVault, cellar: Cellar) -> None:
    """The same secret is not written again: on macOS that would take back "Always Allow"."""
    vault.set("user-ada", SECRET)
    vault.set("user-ada", SECRET)
    assert cellar.written == ["todo/user-ada"]


@pytest.mark.parametrize(
    "error, kind, words",
    [
        (KeyringLocked("Failed to unlock the collection!"), "locked", "Unlock it"),
        (
            KeyringLocked("Can't get password: (-25308, 'Unknown Error')"),
            "locked",
            "unlock-keychain",
        ),
        (PasswordSetError("(-25308, 'Unknown Error')"), "locked", "security unlock-keychain"),
        (KeyringLocked("Can't get password: (-128, 'Keychain Access Denied')"), "denied", "denied"),
        (PermissionError(13, "Permission denied"), "failing", "PermissionError"),
        (InitError("no collection"), "failing", "InitError"),
        (OSError(1312, "A specified logon session does not exist"), "failing", "OSError"),
        (RuntimeError("x"), "failing", "RuntimeError"),
        (Rude("x"), "failing", "Rude"),
        (SystemExit(3), "failing", "SystemExit"),
        (KeyboardInterrupt(), "failing", "KeyboardInterrupt"),
    ],
    ids=range(11),
)
def test_kr_02_kr_11_every_exception_is_told_apart(
    vault: KeyringVault, use: Use, error: BaseException, kind: str, words: str
) -> None:
    """Whatever a backend raises becomes one error with the backend's name, on every verb."""
    use(Failing(error))
    for act, code in (
        (lambda: vault.get("user-ada"), STORE_READ_FAILED),
        (lambda: vault.set("user-ada", SECRET), STORE_WRITE_FAILED),
        (lambda: vault.delete("user-ada"), STORE_WRITE_FAILED),
        (vault.probe, STORE_WRITE_FAILED),
    ):
        with pytest.raises(KeyringFault) as caught:
            act()
        assert (caught.value.kind, caught.value.code) == (kind, code)
        assert words in caught.value.format_message()
        assert "stores.keyrings.Failing" in caught.value.message
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "name, kind", [("PromptDismissedException", "locked"), ("KeychainDenied", "denied")]
)
def test_kr_02_the_cause_counts(vault: KeyringVault, use: Use, name: str, kind: str) -> None:
    """What went wrong is told by names anywhere in the chain: Secret Service hides it there."""
    error = InitError("Failed to create the collection")
    error.__cause__ = type(name, (Exception,), {})()
    use(Failing(error))
    with pytest.raises(KeyringFault) as caught:
        vault.get("user-ada")
    assert caught.value.kind == kind


def test_sx_02_no_error_quotes_a_secret(vault: KeyringVault, use: Use) -> None:
    """A backend that quotes the secret in its complaint is not quoted."""
    use(Telltale())
    with pytest.raises(KeyringFault) as caught:
        vault.set("user-ada", SECRET)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def test_kr_05_a_lying_backend_is_found_out(vault: KeyringVault, use: Use) -> None:
    """A set that keeps nothing is an error right away, before a login as well."""
    use(Forgetful())
    for act in (lambda: vault.set("user-ada", SECRET), vault.probe):
        with pytest.raises(KeyringFault, match="didn't save") as caught:
            act()
        assert caught.value.kind == "lying"


@pytest.mark.parametrize("backend", ["null", "fail"])
def test_kr_05_kr_10_no_backend_at_all(backend: str) -> None:
    """The null and the fail backend of keyring are no keyring, for reading as for writing."""
    assert run(ASK_EVERYTHING, PYTHON_KEYRING_BACKEND=f"keyring.backends.{backend}.Keyring") == (
        "absent\n" * 4
    )


@pytest.mark.parametrize("name", ["no.such.Backend", "keyring.backends.null.Nonsense", "Nonsense"])
def test_kr_10_a_bogus_name_in_the_environment(name: str) -> None:
    """A backend that cannot be imported is an absent one, and its name is in the message."""
    script = ASK_EVERYTHING.replace("print(error.kind)", "print(error.kind, error.message)")
    answer = run(script, PYTHON_KEYRING_BACKEND=name)
    assert [line.startswith("absent") and name in line for line in answer.splitlines()] == [
        True
    ] * 4


ASK_EVERYTHING = """
from click_auth.stores.keyring_vault import KeyringVault
from click_auth.stores.keyring_backends import KeyringFault
vault = KeyringVault("todo")
get, put, drop = lambda: vault.get("x"), lambda: vault.set("x", "y"), lambda: vault.delete("x")
for act in (vault.check, get, put, drop):
    try:
        act()
    except KeyringFault as error:
        print(error.kind)
"""


@pytest.mark.real_keyring  # by name only: the backends are stand-ins
@pytest.mark.parametrize(
    "name, weakness",
    [
        ("keyrings.alt.file.PlaintextKeyring", STORES_PLAINTEXT),
        ("keyring.backends.null.Keyring", STORES_NOTHING),
        ("keyrings.alt.file.EncryptedKeyring", None),
        ("keyring.backends.SecretService.Keyring", None),
    ],
)
def test_kr_15_a_plaintext_backend_is_no_system_keyring(
    vault: KeyringVault, use: Use, name: str, weakness: str | None
) -> None:
    """Backends are known by their names; what is weak is neither written nor trusted."""
    backend = under_the_name_of(name, Cellar)
    assert describe_backend(backend).weakness == weakness
    use(backend)
    if weakness is None:
        vault.check()
        assert vault.set("user-ada", SECRET) is None
        return
    for act in (vault.check, vault.probe, lambda: vault.set("x", SECRET), lambda: vault.get("x")):
        with pytest.raises(KeyringFault, match="No system keyring") as caught:
            act()
        assert weakness in caught.value.message
        assert "plaintext" in caught.value.format_message()
    assert backend.secrets == {}


@pytest.mark.real_keyring  # by name only: the backends are stand-ins
def test_kr_15_a_chain_is_as_good_as_its_first(use: Use) -> None:
    """A chain writes to its first backend; an empty one stores nothing."""
    chain = under_the_name_of("keyring.backends.chainer.ChainerBackend", Cellar)
    assert describe_backend(chain).weakness == STORES_NOTHING
    plain = under_the_name_of("keyrings.alt.file.PlaintextKeyring", Cellar)
    chain.backends = [plain, Cellar()]  # type: ignore[attr-defined]
    assert describe_backend(chain).weakness == STORES_PLAINTEXT
    chain.backends.reverse()  # type: ignore[attr-defined]
    assert describe_backend(chain).weakness is None


def test_a_hanging_backend_is_given_up(use: Use) -> None:
    """A call that does not come back ends in time, the next one at once; later all is well."""
    backend = Hanging()
    use(backend)
    vault = KeyringVault("todo", 1.0)
    with pytest.raises(KeyringFault, match="didn't respond") as caught:
        vault.set("user-ada", SECRET)
    assert caught.value.kind == "hanging"
    with pytest.raises(KeyringFault, match="still waiting"):
        vault.get("user-ada")
    backend.let_go.set()
    join_calls()
    vault.set("user-ada", SECRET)
    assert vault.get("user-ada") == SECRET


def test_a_person_is_given_time(use: Use) -> None:
    """While a person is logging in, a prompt may stand as long as they need to answer it."""
    backend = Hanging()
    use(backend)
    person = threading.Timer(0.3, backend.let_go.set)
    person.start()
    vault = KeyringVault("todo", 0.1)
    with prompt_timeout(60.0):
        assert vault.get("user-ada") is None
    person.join()


def test_a_hanging_backend_does_not_hold_the_exit() -> None:
    """A process whose keyring hangs ends when it is done, not when the keyring is."""
    script = """
import time
from stores.keyrings import Hanging
import keyring
keyring.set_keyring(Hanging())
from click_auth.stores.keyring_vault import KeyringVault
try:
    KeyringVault("todo", 0.1).get("x")
except Exception as error:
    print(error.kind)
"""
    assert run(script) == "hanging\n"


def test_kr_07_a_long_secret_on_a_backend_that_cuts(vault: KeyringVault, use: Use) -> None:
    """8 KiB on a backend that silently keeps 1,280 characters come back whole."""
    check_long_secrets(vault, use, Cutting())


def test_kr_07_a_long_secret_on_a_backend_that_refuses(vault: KeyringVault, use: Use) -> None:
    """8 KiB on a backend that raises beyond 2,560 bytes of UTF-16 come back whole."""
    check_long_secrets(vault, use, Small())


@pytest.mark.real_keyring  # by name only: the backend is a stand-in
def test_kr_07_windows_is_known_to_be_small(vault: KeyringVault, use: Use) -> None:
    """Where the limit is known nothing longer is ever tried."""
    backend = under_the_name_of("keyring.backends.Windows.WinVaultKeyring", Small)
    check_long_secrets(vault, use, backend)
    assert all(len(secret) <= 1280 for secret in backend.secrets.values())


def check_long_secrets(vault: KeyringVault, use: Use, backend: Cellar) -> None:
    """Write long and short secrets over one another, and remove them without a trace."""
    use(backend)
    for secret in ("a" * 8192, "short", "b" * 3000, "c" * 9000, "\U0001f511" * 2000, "d" * 1201):
        vault.set("user-ada", secret)
        assert vault.get("user-ada") == secret
        assert KeyringVault("todo").get("user-ada") == secret
    vault.set("user-ada", "e" * 5000)
    vault.delete("user-ada")
    assert backend.secrets == {}


def test_kr_07_a_short_secret_stays_whole(vault: KeyringVault, use: Use) -> None:
    """Nothing is split that fits, and a real failure is not taken for a limit."""
    backend = Failing(RuntimeError("x"), "set", "#")
    use(backend)
    vault.set("user-ada", "a" * 8192)
    assert list(backend.secrets) == ["todo/user-ada"]
    use(Failing(verbs="set"))
    with pytest.raises(KeyringFault) as caught:
        vault.set("user-ada", "a" * 8192)
    assert caught.value.kind == "locked"


@given(st.lists(st.integers(0, 4000), min_size=2, max_size=5), st.integers(0, 30))
@settings(max_examples=40)
def test_kr_07_a_crash_leaves_the_old_secret_or_the_new(lengths: list[int], calls: int) -> None:
    """Whichever call to the backend is the last, one of the two secrets can be read whole."""
    backend = Dying()
    before = keyring.core._keyring_backend
    keyring.set_keyring(backend)
    try:
        vault = KeyringVault("todo")
        *earlier, last = (chr(97 + i) * length for i, length in enumerate(lengths))
        for secret in earlier:
            vault.set("user-ada", secret)
        backend.left = calls
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Dying, "dies", True)
            with contextlib.suppress(StorageUnavailable):
                vault.set("user-ada", last)
        assert KeyringVault("todo").get("user-ada") in (earlier[-1], last)
        KeyringVault("todo").set("user-ada", "f" * 5000)
        assert KeyringVault("todo").get("user-ada") == "f" * 5000
    finally:
        keyring.core._keyring_backend = before


class Dying(Small):
    """Dies, for everybody, at a call that was chosen."""

    dies = False
    left = 0

    def set_password(self, service: str, username: str, password: str) -> None:
        """Die, or keep a secret."""
        self._count()
        super().set_password(service, username, password)

    def get_password(self, service: str, username: str) -> str | None:
        """Die, or return a secret."""
        self._count()
        return super().get_password(service, username)

    def delete_password(self, service: str, username: str) -> None:
        """Die, or drop a secret."""
        self._count()
        super().delete_password(service, username)

    def _count(self) -> None:
        if self.dies:
            self.left -= 1
            if self.left < 0:
                raise KeyringLocked


def test_a_secret_that_looks_like_our_own_mark(vault: KeyringVault, cellar: Cellar) -> None:
    """A token that begins as a manifest does is still a token."""
    secret = "click-auth-pieces:1:2:00000000"
    vault.set("user-ada", secret)
    assert vault.get("user-ada") == secret
    vault.delete("user-ada")
    assert cellar.secrets == {}


def test_a_piece_that_is_gone_is_a_secret_that_is_gone(vault: KeyringVault, use: Use) -> None:
    """A split secret of which a piece was deleted by hand is missing, not half there."""
    backend = Small()
    use(backend)
    vault.set("user-ada", "a" * 5000)
    del backend.secrets["todo/user-ada#2"]
    assert vault.get("user-ada") is None


def test_a_set_that_fails_puts_back_what_was_there(vault: KeyringVault, use: Use) -> None:
    """A backend that deletes before it fails to add does not cost the old secret."""

    class DeleteThenFail(Cellar):
        fails = False

        def set_password(self, service: str, username: str, password: str) -> None:
            if self.fails:
                self.fails = False
                del self.secrets[service]
                raise PasswordSetError
            super().set_password(service, username, password)

    backend = DeleteThenFail()
    use(backend)
    vault.set("user-ada", "old")
    backend.fails = True
    with pytest.raises(KeyringFault):
        vault.set("user-ada", "new")
    assert backend.secrets == {"todo/user-ada": "old"}


def test_a_secret_that_a_keyring_holds_twice_is_deleted_twice(
    vault: KeyringVault, use: Use
) -> None:
    """Secret Service may hold two items for one name, and delete takes the first."""

    class Twice(Cellar):
        def delete_password(self, service: str, username: str) -> None:
            super().delete_password(service, username)
            if not self.journal.count(f"delete {service}") > 1:
                self.secrets[service] = "older"

    backend = Twice()
    use(backend)
    vault.set("user-ada", SECRET)
    vault.delete("user-ada")
    assert backend.secrets == {}


def test_a_deletion_that_is_refused_says_so(vault: KeyringVault, use: Use) -> None:
    """A backend that does not delete is an error, not a logout."""
    backend = Failing(KeyringLocked("(-128, 'denied')"), "delete")
    use(backend)
    vault.set("user-ada", SECRET)
    with pytest.raises(KeyringFault) as caught:
        vault.delete("user-ada")
    assert caught.value.kind == "denied"
    assert backend.journal.count("delete todo/user-ada") == 0


@pytest.mark.real_keyring  # by name only: the backend is a stand-in
def test_macos_fails_one_of_two_readers(vault: KeyringVault, use: Use) -> None:
    """On macOS a read that failed is tried once more, elsewhere it is not."""
    use(under_the_name_of("keyring.backends.macOS.Keyring", Flickering))
    vault.set("user-ada", SECRET)
    assert vault.get("user-ada") == SECRET
    use(Flickering())
    with pytest.raises(KeyringFault):
        vault.get("user-ada")


def test_the_guard_is_asked_before_anything(
    vault: KeyringVault, cellar: Cellar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the guard of the pytest plugin raises passes through, and nothing was touched."""

    class Refused(Exception):
        pass

    def guard(description: str) -> None:
        raise Refused(description)

    monkeypatch.setattr(stores, "keyring_guard", guard)
    with pytest.raises(Refused, match=r"write|read"):
        vault.set("user-ada", SECRET)
    assert cellar.journal == []


def test_a_child_process_may_not_touch_the_keyring() -> None:
    """With CLICK_AUTH_REFUSE_KEYRING=1 any contact is an AssertionError, before the import."""
    script = """
import sys
from click_auth.stores.keyring_vault import KeyringVault
try:
    KeyringVault("todo").check()
except AssertionError:
    print("keyring" in sys.modules)
"""
    assert run(script, CLICK_AUTH_REFUSE_KEYRING="1") == "False\n"


LOADED_BY_NAME = """
import sys, types
import keyring.backend
module = types.ModuleType("keyring.backends.macOS")
class Keyring(keyring.backend.KeyringBackend):
    priority = 1
    def get_password(self, service, username): return SECRETS.get(service)
    def set_password(self, service, username, password): SECRETS[service] = password
    def delete_password(self, service, username): del SECRETS[service]
SECRETS = {"todo/user-ada": "access-1"}
Keyring.__module__, module.Keyring = module.__name__, Keyring
sys.modules[module.__name__] = module
for name in [name for name in sys.modules if name == "keyring.core" or name == "keyring"]:
    del sys.modules[name]
def scan(*_):
    print("searched")
    return "nothing"
import keyring.core
from click_auth.stores import keyring_client, secret_service
class Other(Keyring):
    def get_password(self, service, username): return "elsewhere"
keyring.core.get_keyring = lambda: scan() and Other()
core = sys.modules.pop("keyring.core")  # as if nobody had loaded it
from click_auth.stores.keyring_vault import KeyringVault
vault = KeyringVault("todo")
"""


def backend_asked(script: str, **environ: str) -> list[str]:
    """Run a script that knows a backend by name, where a search says that it happens."""
    return run(LOADED_BY_NAME + script, XDG_CONFIG_HOME="/nonexistent", **environ).splitlines()


def test_a_remembered_backend_is_loaded_by_its_name() -> None:
    """No search: keyring loads the class, and what follows in this process uses it as well."""
    script = """
print(vault.get("user-ada", "keyring.backends.macOS.Keyring"), vault.origin)
vault.set("user-bob", "access-2")
print(sorted(SECRETS))
"""
    assert backend_asked(script) == [
        "access-1 keyring.backends.macOS.Keyring",
        "['todo/user-ada', 'todo/user-bob']",
    ]


def test_a_backend_that_we_have_loaded_is_still_read_without_it() -> None:
    """A write loads keyring; the reads before and after it need it no more."""
    script = """
keyring_client.LINUX_BACKEND = "keyring.backends.macOS.Keyring"
asked = []
secret_service.read_secret = lambda service, user, *_: asked.append(user) or SECRETS.get(service)
print(vault.get("user-ada", keyring_client.LINUX_BACKEND), len(asked))
vault.set("user-ada", "access-2")
print(vault.get("user-ada", keyring_client.LINUX_BACKEND), len(asked))
"""
    assert backend_asked(script) == ["access-1 1", "access-2 4"]


@pytest.mark.parametrize(
    "name", ["keyring.backends.gone.Keyring", "stores.keyrings.Cellar", "os.path", "", None]
)
def test_a_backend_that_is_gone_is_searched_for(name: str | None) -> None:
    """Neither what is gone nor what is none of keyring's own is loaded by its name."""
    assert backend_asked(f"print(vault.get('user-ada', {name!r}))") == ["searched", "elsewhere"]


def test_a_remembered_backend_without_the_secret_is_let_go() -> None:
    """The secret may have moved: keyring searches, and what it finds is used from then on."""
    script = "print(vault.get('user-eve', 'keyring.backends.macOS.Keyring'))"
    assert backend_asked(script) == ["searched", "elsewhere"]


def test_what_the_person_chose_beats_what_is_remembered(tmp_path: Path) -> None:
    """The variables of keyring and its settings file win, as does an application's own choice."""
    ask = "print(vault.get('user-ada', 'keyring.backends.macOS.Keyring'))"
    chosen = ["searched", "elsewhere"]
    assert backend_asked(ask, PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring") == chosen
    assert backend_asked(ask, KEYRING_PROPERTY_SCHEME="KeePassXC") == chosen
    assert backend_asked("sys.modules['keyring.core'] = core\n" + ask) == chosen
    settings = tmp_path / "python_keyring" / "keyringrc.cfg"
    settings.parent.mkdir()
    settings.write_text("[backend]\n")
    script = f"import os; os.environ['XDG_CONFIG_HOME'] = {str(tmp_path)!r}\n{ask}"
    assert backend_asked(script) == chosen


@pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")
@pytest.mark.parametrize("address", [None, "unix:path=/nonexistent", "tcp:host=localhost", "x"])
def test_in_every_doubt_the_secret_service_is_not_asked_directly(
    monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    """No bus, a dead one, one of another kind: "do not know", and nothing is raised."""
    if address is None:
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    else:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    assert secret_service.read_secret("todo/user-ada", "user-ada", ExitStack()) is None
    assert not secret_service.replace_secret("todo/user-ada", "user-ada", SECRET, ExitStack())


@pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")
def test_a_bus_that_never_answers_is_left(tmp_path: Path) -> None:
    """The whole conversation is bounded, whatever it waits for."""
    script = """
from click_auth.stores.keyring_vault import KeyringVault
try:
    KeyringVault("todo", 0.2).get("user-ada", "keyring.backends.SecretService.Keyring")
except Exception as error:
    print(error.kind)
"""
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(tmp_path / "bus"))
        bus.listen()
        address = f"unix:path={tmp_path / 'bus'}"
        environ = {"DBUS_SESSION_BUS_ADDRESS": address, "XDG_CONFIG_HOME": "/nonexistent"}
        assert run(script, **environ) == "hanging\n"
        with bus.accept()[0] as caller:
            assert b"AUTH EXTERNAL" in caller.recv(64)


@pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")
def test_b1_whoever_loses_patience_hangs_up(tmp_path: Path) -> None:
    """A service that does not answer can do nothing late, and holds up no later call."""
    script = """
import os, socket
from click_auth.stores.keyring_vault import KeyringVault
backend = "keyring.backends.SecretService.Keyring"
bus = socket.socket(socket.AF_UNIX)
bus.bind(os.environ["BUS"])
bus.listen()
vault = KeyringVault("todo", 0.1)
for act in (vault.get, lambda *place: vault.confirm(*place, "refresh-1"), vault.get):
    try:
        act("user-ada", backend)
    except Exception as error:
        print(error.kind)
    caller, _ = bus.accept()
    caller.settimeout(30)
    while caller.recv(4096):
        pass
    print("left")
"""
    environ = {"BUS": str(tmp_path / "bus"), "XDG_CONFIG_HOME": "/nonexistent"}
    environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={environ['BUS']}"
    assert run(script, **environ) == "hanging\nleft\n" * 3


@pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")
def test_a_bus_with_a_full_queue_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty commands at once are more than a bus greets at once: that is no doubt, only a wait."""
    address = str(tmp_path / "bus")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={address}")
    greeted: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as bus, socket.socket(socket.AF_UNIX) as other:
        bus.bind(address)
        bus.listen(0)
        other.connect(address)

        def greet() -> None:
            time.sleep(0.1)
            bus.accept()[0].close()
            caller, _address = bus.accept()
            with caller:
                greeted.append(caller.recv(64))

        thread = threading.Thread(target=greet)
        thread.start()
        assert secret_service.read_secret("todo/user-ada", "user-ada", ExitStack()) is None
        thread.join()
    assert b"AUTH EXTERNAL" in greeted[0]
