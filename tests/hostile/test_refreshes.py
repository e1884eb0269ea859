"""Refreshes, and a device login, that meet a death, another login, or another year."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import time_machine

from click_auth import Auth, StorageUnavailable, Unreachable, refresh_access_token
from click_auth.locks.account_lock import LockBusy
from click_auth.testing import logged_in
from crash.filed_keyring import REFUSAL
from hostile.locking_keyring import DEATH
from hostile.world import World
from refresh.crowd import unanswered

YEAR = 365 * 86400.0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX's signal")
def test_rf_04_killed_between_the_two_slots(world: World) -> None:
    """The refresh token is written first: the next command goes on with it, at one request."""
    world.log_in()
    before = world.slots()
    (world.keyring / DEATH).touch()
    assert world.run("auth", "refresh").status == -signal.SIGKILL
    after = world.slots()
    changed = [name for name in before if before[name] != after.get(name)]
    assert ["refresh" in name for name in changed] == [True]
    (world.keyring / DEATH).unlink()
    assert world.run("auth", "refresh").status == 0
    assert (world.server.refresh_count, world.server.reuse_count) == (2, 0)
    assert world.run("me").out == "200\n"


@contextmanager
def in_flight(auth: Auth, world: World, found: list[str]) -> Iterator[None]:
    """Refresh on a thread; the server has done it in the block, and answers after it."""
    thread = threading.Thread(target=lambda: found.append(auth.access_token()))
    with unanswered(world.server) as asked:
        thread.start()
        assert asked.wait(60)
        yield
    thread.join()


@pytest.mark.parametrize("storage", ["system", "plaintext"])
def test_rf_12_a_whole_login_during_a_refresh_wins(here: World, storage: str) -> None:
    """Through the browser, while the refresh holds the lock: what it brought is what is stored."""
    auth = here.auth(storage=storage)
    logged_in(auth, server=here.server, expires_in=-5)
    found: list[str] = []
    asked = threading.Event()
    here.server.faults.delay_answer["token"] = 0.5
    here.server.faults.hooks["token"] = lambda _request: asked.set()
    thread = threading.Thread(target=lambda: found.append(auth.access_token()))
    thread.start()
    assert asked.wait(60)
    done = here.invoke("auth", "login", "--user", "ada", storage=storage)
    thread.join()
    assert done.status == 0, done.err
    stored = here.auth(storage=storage).access_token()
    assert stored not in found
    exchanged = here.server.posts("token", grant_type="authorization_code")
    assert len(exchanged) == 1
    assert here.auth(storage=storage).refresh().access_token not in (stored, *found)
    assert here.server.reuse_count == 0


def test_rf_12_a_login_that_did_not_wait_keeps_its_slots(here: World) -> None:
    """Both slots and the record are the login's, though the refresh has written last."""
    auth = here.auth(storage="system")
    logged_in(auth, server=here.server, expires_in=-5)
    found: list[str] = []
    with in_flight(auth, here, found):
        newer = logged_in(here.auth(storage="system"), server=here.server)
    assert found == [newer.bundle.access_token]
    assert set(here.slots().values()) == {newer.bundle.access_token, newer.bundle.refresh_token}
    assert here.auth(storage="system").refresh().access_token


def test_rf_15_a_year_ahead_costs_one_refresh_each_way_at_most(here: World) -> None:
    """The clock jumps a year ahead, stays, and comes back; nothing loops and all calls succeed."""
    auth = here.auth()
    logged_in(auth, server=here.server)
    with auth.client() as api:
        for shift, most in ((0.0, 0), (YEAR, 1), (0.0, 1), (-YEAR, 1), (0.0, 1)):
            with time_machine.travel(time.time() + shift, tick=True):
                assert [api.get("/me").status_code for _ in range(3)] == [200] * 3
                assert here.auth().access_token()
            assert here.server.refresh_count <= most
    here.server.expire_access_tokens()
    with time_machine.travel(time.time() - YEAR, tick=True), here.auth().client() as api:
        assert [api.get("/me").status_code for _ in range(3)] == [200] * 3
    assert here.server.refresh_count <= 3


def test_rf_08_what_the_keyring_does_not_take_is_kept_somewhere(here: World) -> None:
    """Refused after the server has answered: the successor lies in the record file, loudly."""
    settings = {"storage": "fallback"}
    assert here.invoke("auth", "login", "--user", "ada", **settings).status == 0
    (here.keyring / REFUSAL).touch()
    done = here.invoke("auth", "refresh", **settings)
    assert (done.status, "unencrypted" in done.err) == (0, True), done.err
    assert here.record()["storage"] == "plaintext"
    assert here.auth(**settings).refresh().access_token
    assert here.server.reuse_count == 0


def test_rf_08_a_locked_keyring_spends_no_token(here: World) -> None:
    """Found out before the request: the rotating token is still good when it is unlocked."""
    assert here.invoke("auth", "login", "--user", "ada").status == 0
    here.lock_keyring()
    with pytest.raises(StorageUnavailable):
        here.auth(storage="system").access_token(min_ttl=1e9)
    assert here.server.refresh_count == 0
    here.unlock_keyring()
    assert here.auth(storage="system").refresh().access_token


FORKING = """
import os, pathlib, sys, threading
from click_auth.testing import AuthorizationServer, logged_in
from hostile.world import World
from refresh.crowd import unanswered

with AuthorizationServer() as server:
    world = World(server, pathlib.Path(sys.argv[1]))
    auth = world.auth()
    logged_in(auth, server=server, expires_in=-5)
    client = auth.client()
    thread = threading.Thread(target=client.get, args=["/me"])
    with unanswered(server) as asked:
        thread.start()
        assert asked.wait(60)
        child = os.fork()
        if not child:
            print(client.get("/me").status_code, flush=True)
            os._exit(0)
    thread.join()
    os.waitpid(child, 0)
    print(server.refresh_count, server.reuse_count)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_rf_18_a_child_forked_during_a_refresh_does_not_wait_for_ever(world: World) -> None:
    """The thread that renews is the parent's: the child waits for the file's lock, and adopts."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING, str(world.folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        env=world.environ,
    )
    assert done.stdout.split() == ["200", "1", "0"], done.stderr


class Taken:
    """A lock that somebody else holds for longer than anybody waits."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        raise LockBusy(self.path)

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("left, is_good", [(600.0, True), (-5.0, False)])
def test_rf_08_waiting_in_vain_is_no_error_while_the_token_is_valid(
    world: World, left: float, is_good: bool
) -> None:
    """Whoever wants more than is left, and never gets the lock, has what is left; nobody POSTs."""
    auth = world.auth()
    token = logged_in(auth, server=world.server, expires_in=left).bundle.access_token

    def ask() -> str:
        taken = Taken(world.config / "locks" / "user-ada.lock")
        return refresh_access_token(auth, min_ttl=1800, lock=lambda _key: taken).access_token

    if is_good:
        assert ask() == token
    else:
        with pytest.raises(Unreachable, match="for too long"):
            ask()
    assert world.server.refresh_count == 0


def test_df_11_a_clock_that_jumps_does_not_end_a_device_login(world: World) -> None:
    """Patience is counted on the monotonic clock: a year ahead in the middle changes nothing."""
    world.server.device_interval = 0.0
    world.server.faults.device_errors = ["authorization_pending"]
    auth = world.auth()
    travellers: list[Callable[[], object]] = []

    def jump(_request: object) -> None:
        if not travellers:
            traveller = time_machine.travel(time.time() + YEAR, tick=True)
            travellers.append(traveller.stop)
            traveller.start()

    world.server.faults.hooks["token"] = jump
    try:
        result = auth.login(device=True, browser=False, timeout=60)
    finally:
        for stop in travellers:
            stop()
    assert result.account.id == "ada"
    assert len(travellers) == 1
