"""Keyrings that are not there, or that hang, as whole commands meet them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import keyring.core
import pytest
from keyring.errors import KeyringLocked

from click_auth.testing import logged_in
from hostile.locking_keyring import LockingKeyring
from hostile.world import World
from stores.keyrings import join_calls


class HangingKeyring(LockingKeyring):
    """Waits for a prompt that nobody sees, and that is dismissed when the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self.hangs = False

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.hangs:
            self.let_go.wait()
            raise KeyringLocked("dismissed")
        super().set_password(service, username, password)


@pytest.fixture
def hanging(here: World) -> Iterator[HangingKeyring]:
    """A keyring that may begin to hang, and that answers any other call long before it is over."""
    backend = HangingKeyring()
    keyring.set_keyring(backend)
    yield backend
    backend.let_go.set()
    join_calls()


def test_kr_03_a_keyring_that_hangs_downgrades_nobody_in_silence(
    here: World, hanging: HangingKeyring
) -> None:
    """A refresh that it keeps waiting asks for nothing, and moves nothing into the file."""
    auth = here.auth(storage="fallback")
    logged_in(auth, server=here.server, expires_in=-5)
    before = here.record_bytes(), here.slots()
    hanging.hangs = True
    done = here.invoke("auth", "refresh", storage="fallback")
    assert done.status == 6
    assert "didn't respond in time" in done.err
    assert here.server.posts("token") == []
    assert (here.record_bytes(), here.slots()) == before


def test_kr_03_a_keyring_that_hangs_is_an_error_under_system(
    here: World, hanging: HangingKeyring
) -> None:
    """Nothing is put into the file, and no grant is spent whose successor it may not take."""
    auth = here.auth(storage="system")
    logged_in(auth, server=here.server, expires_in=-5)
    before = here.record_bytes(), here.slots()
    hanging.hangs = True
    done = here.invoke("auth", "token")
    assert (done.status, done.out) == (6, "")
    assert here.server.posts("token") == []
    assert (here.record_bytes(), here.slots()) == before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there always is a keyring")
def test_kr_10_no_bus_and_no_backend(world: World) -> None:
    """A login falls back to the file with one warning, and what follows works."""
    nothing = {
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={world.folder}/nobody",
        "PYTHON_KEYRING_BACKEND": "",
        "XDG_RUNTIME_DIR": str(world.folder),
        "HOSTILE_STORAGE": "fallback",
    }
    login = world.run("auth", "login", **nothing)
    assert login.status == 0, login.err
    assert "Traceback" not in login.err
    assert login.err.count("stored unencrypted in") == 1
    assert str(world.config / "auth.json") in login.err
    assert world.run("me", **nothing).out == "200\n"
    refused = world.run("auth", "login", **{**nothing, "HOSTILE_STORAGE": "system"})
    assert (refused.status, "No system keyring" in refused.err) == (6, True)


def test_kr_10_help_needs_no_keyring(world: World) -> None:
    """A backend that cannot even be imported does not matter to `--help` and `--version`."""
    broken = {"PYTHON_KEYRING_BACKEND": "no.such.Backend", "CLICK_AUTH_REFUSE_KEYRING": "1"}
    for arguments in (("--help",), ("auth", "--help"), ("auth", "login", "--help")):
        done = world.run(*arguments, **broken)
        assert (done.status, done.err) == (0, "")
