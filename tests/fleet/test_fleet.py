"""One account on many machines: real processes, network namespaces, a real Redis."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from click_auth import Auth, OAuthProvider
from click_auth.redis import RedisTokenStore
from click_auth.testing import logged_in
from crash.rounds import short_and_long
from fleet.machines import KEY, Fleet, Machine
from refresh.crowd import outcome

LEASE = 2.0
CALL_SECONDS = 30.0  # what one call to the server may take: `http_timeout` of the workers
Print = Callable[[str], None]


@pytest.fixture
def figure(capsys: pytest.CaptureFixture[str]) -> Print:
    """Print a figure that a reader of the run wants to see."""

    def show(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}")

    return show


@pytest.fixture(scope="module")
def fleet_of_four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Make four machines once."""
    with Fleet(tmp_path_factory.mktemp("fleet"), 4, lease=LEASE) as fleet:
        yield fleet


@pytest.fixture
def fleet(fleet_of_four: Fleet) -> Fleet:
    """Lend them, with nobody logged in."""
    fleet_of_four.server.faults.clear()
    fleet_of_four.server.access_token_lifetime = 3600.0
    fleet_of_four.server.grants.reuse_count = 0  # a holder killed in the window has made some
    with fleet_of_four.redis.client() as client:
        client.flushall()
    log_in(fleet_of_four)
    return fleet_of_four


def here(fleet: Fleet) -> Auth:
    """Return an `Auth` of this process."""
    store = RedisTokenStore(
        fleet.redis.url, app_name="todo", key=lambda: __import__("base64").b64decode(KEY)
    )
    provider = OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint=fleet.server.url + "/authorize",
        token_endpoint=fleet.server.url + "/token",
        api_url=fleet.server.api_url,
    )
    return Auth("todo", provider, store=store, folder=fleet.machines[0].folder)


def log_in(fleet: Fleet, expires_in: float = -5.0) -> None:
    """Store a grant."""
    logged_in(here(fleet), server=fleet.server, expires_in=expires_in)


def posts(fleet: Fleet) -> int:
    """Return how many refreshes the server was asked for."""
    return len(fleet.server.posts("token", grant_type="refresh_token"))


def sent(fleet: Fleet) -> str | None:
    """Return the refresh token that is stored."""
    bundle = here(fleet).store.active_bundle()
    return None if bundle is None else bundle.refresh_token


def was_rotated(fleet: Fleet, token: str | None) -> bool:
    """Whether the server has given a successor for *token*."""
    journal = fleet.server.posts("token", grant_type="refresh_token")
    return any(each.status == 200 and each.form["refresh_token"] == token for each in journal)


@pytest.mark.parametrize(
    "machines, processes, expiries",
    [
        pytest.param(2, 2, 3, id="short"),
        pytest.param(4, 8, 25, id="long", marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
)
def test_each_expiry_is_one_request(
    fleet: Fleet, machines: int, processes: int, expiries: int, figure: Print
) -> None:
    """Every process of every machine uses every token, and none is asked for twice."""
    fleet.server.access_token_lifetime = 4.0
    before = posts(fleet)
    started = [
        each.start("through", str(expiries))
        for each in fleet.machines[:machines]
        for _ in range(processes)
    ]
    used = [outcome(process).get("ok", []) for process in started]
    tokens = {token for seen in used for token in seen}
    figure(
        f"{machines} machines x {processes} processes x {expiries} expiries: {len(tokens)} tokens,"
        f" {posts(fleet) - before} requests, {fleet.server.reuse_count} reused,"
        f" {sum(map(len, used))} of {machines * processes * expiries}"
    )
    assert [len(seen) for seen in used] == [expiries] * (machines * processes)
    assert posts(fleet) - before == len(tokens)
    assert fleet.server.reuse_count == 0


@pytest.mark.parametrize("rounds", short_and_long(6, 200))
def test_killed_holders(fleet: Fleet, rounds: int, figure: Print) -> None:
    """Killed at any moment: the next one goes on after one lease, and one call of its own."""
    usual = usual_seconds(fleet)
    waits, fates = [], Counter[str]()
    for number in range(rounds):
        expire(fleet)
        stored = sent(fleet)
        victim = fleet.machines[number % 2].start("token")
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.wait(random.uniform(0.5, 1.05) * usual)
        victim.kill()
        victim.communicate()
        began = time.monotonic()
        found = fleet.machines[2].run("token")
        waits.append(time.monotonic() - began)
        fates[settled(fleet, stored, found)] += 1
    figure(f"{rounds} SIGKILLs: {dict(fates)}, longest wait {max(waits):.1f} s, lease {LEASE:g} s")
    assert max(waits) < LEASE + CALL_SECONDS + usual
    assert sorted(waits)[int(0.95 * len(waits))] < LEASE + usual + 3.0


@pytest.mark.parametrize("rounds", short_and_long(2, 50))
def test_stopped_holders(fleet: Fleet, rounds: int, figure: Print) -> None:
    """Stopped beyond the lease: another one goes on, and whoever wakes up overwrites nothing."""
    usual = usual_seconds(fleet)
    fates = Counter[str]()
    for _ in range(rounds):
        expire(fleet)
        stored = sent(fleet)
        sleeper = fleet.machines[0].start("token")
        time.sleep(random.uniform(0.5, 1.05) * usual)
        with contextlib.suppress(ProcessLookupError):
            sleeper.send_signal(signal.SIGSTOP)
        found = fleet.machines[1].run("token")
        with contextlib.suppress(ProcessLookupError):
            sleeper.send_signal(signal.SIGCONT)
        late = outcome(sleeper)
        assert "ok" in late or late["error"].startswith("AUTH_REFRESH"), late
        fates[settled(fleet, stored, found)] += 1
        assert "ok" in fleet.machines[2].run("token")
    figure(f"{rounds} SIGSTOPs: {dict(fates)}")


def settled(fleet: Fleet, stored: str | None, found: dict[str, str]) -> str:
    """Return what came of a session; it may be lost only where the server had rotated its token."""
    if "ok" in found:
        return "went on"
    assert found["error"] == "AUTH_REFRESH_EXPIRED", found
    assert was_rotated(fleet, stored), "a session was lost outside of the window"
    log_in(fleet)
    return "lost in the window"


def expire(fleet: Fleet) -> None:
    """Log in anew, with a token that has run out."""
    log_in(fleet)


def usual_seconds(fleet: Fleet) -> float:
    """Return how long a refresh takes, its process included."""
    runs = []
    for _ in range(3):
        expire(fleet)
        began = time.monotonic()
        assert "ok" in fleet.machines[0].run("token")
        runs.append(time.monotonic() - began)
    return min(runs)


@pytest.mark.parametrize("restarts", short_and_long(2, 10))
def test_redis_restarts_under_load(fleet: Fleet, restarts: int, figure: Print) -> None:
    """No wrong answer: a token, or "try again"; and nothing is spent twice."""
    fleet.server.access_token_lifetime = 2.0
    seconds = 3.0 + (LEASE + 1.5) * restarts
    workers = [each.start("waits", str(seconds)) for each in fleet.machines for _ in range(2)]
    time.sleep(2.0)
    for _ in range(restarts):
        fleet.redis.kill()
        fleet.redis.start()
        time.sleep(LEASE + 1.0)  # for one lease there is no refresh
    total: Counter[str] = Counter()
    for each in workers:
        found = outcome(each)["ok"]
        del found["longest"]
        total.update(found)
    figure(f"{restarts} restarts: {dict(total)}, {fleet.server.reuse_count} reused")
    assert set(total) <= {"ok", "AUTH_REFRESH_TRANSIENT"}
    assert total["ok"] > 50
    assert fleet.server.reuse_count == 0
    assert "ok" in fleet.machines[0].run("token")


def test_redis_away_for_longer_than_a_lease_after_the_request(fleet: Fleet) -> None:
    """What the server has given is stored as soon as Redis is back, before anybody else asks."""

    def lose_redis(_request: object) -> None:
        fleet.server.faults.hooks.pop("token")
        fleet.redis.kill()

    before = posts(fleet)
    fleet.server.faults.hooks["token"] = lose_redis
    holder = fleet.machines[0].start("token")
    deadline = time.monotonic() + 60
    while posts(fleet) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    others = [each.start("waits", str(3 * LEASE)) for each in fleet.machines[1:]]
    time.sleep(1.25 * LEASE)
    fleet.redis.start()
    results = [outcome(each) for each in (holder, *others)]
    assert all("ok" in each for each in results), results
    found = [each["ok"] for each in results]
    assert fleet.server.reuse_count == 0
    assert posts(fleet) - before == 1
    assert fleet.machines[1].run("token")["ok"] == found[0]


def test_eight_contenders_are_served_soon(fleet: Fleet, figure: Print) -> None:
    """Nobody waits for a lease to end; `nox -s bench -- fleet` prints what is usual."""
    fleet.server.access_token_lifetime = 2.0
    started = [*fleet.machines, *fleet.machines]
    workers = [each.start("waits", "6", FLEET_LEASE="30") for each in started]
    longest = sorted(outcome(each)["ok"]["longest"] for each in workers)
    figure(f"8 contenders: median of the longest waits {longest[4]:.2f} s")
    assert longest[4] < 5.0  # a busy machine's; no lease of 30 s


def test_clocks_that_disagree_refresh_once(fleet: Fleet) -> None:
    """An hour ahead, an hour behind: the same token for all, and one request for each expiry."""
    before = posts(fleet)
    shifts = ("0", "3600", "-3600", "7200")
    for _ in range(2):
        found = {
            machine.run("token", FLEET_CLOCK=shift).get("ok")
            for machine, shift in zip(fleet.machines, shifts, strict=True)
        }
        assert (len(found), None in found) == (1, False)
    assert posts(fleet) - before == 1


def test_redis_away(fleet: Fleet) -> None:
    """Who holds a token uses it; everybody else is told to try again, and nothing is asked."""
    log_in(fleet, expires_in=3600.0)
    worker = fleet.machines[0].start("asks", "6")
    time.sleep(3.0)
    fleet.redis.pause()
    try:
        before = posts(fleet)
        found = fleet.machines[1].run("token")
        assert found["error"] == "AUTH_REFRESH_TRANSIENT", found
    finally:
        fleet.redis.resume()
    assert posts(fleet) == before
    assert outcome(worker)["ok"] > 20


def test_a_machine_that_is_cut_off(fleet: Fleet) -> None:
    """It is told to try again; the others go on without it."""
    if not fleet.has_namespaces:
        pytest.skip("network namespaces need root: this runs where there are some")
    with fleet.machines[0].cut_off():
        found = fleet.machines[0].run("token")
        assert found["error"] == "AUTH_REFRESH_TRANSIENT", found
        assert "ok" in fleet.machines[1].run("token")
    assert "ok" in fleet.machines[0].run("token")


def test_a_slow_redis(fleet: Fleet) -> None:
    """Each call takes its time, and nothing is asked for twice."""
    before = posts(fleet)
    done = threading.Event()

    def slow_down() -> None:
        with fleet.redis.client() as client:
            while not done.wait(0.25):
                client.execute_command("CLIENT", "PAUSE", "200", "ALL")

    thread = threading.Thread(target=slow_down)
    thread.start()
    try:
        found = {result.get("ok") for result in fleet.crowd(1, "token")}
    finally:
        done.set()
        thread.join()
    assert (len(found), None in found, posts(fleet) - before) == (1, False, 1)


def test_no_memory_and_no_master(fleet: Fleet, machine: Machine) -> None:
    """What could not be stored is not asked for; what is stored is still read."""
    before = posts(fleet)
    with fleet.redis.client() as client:
        client.config_set("maxmemory", "1")
        try:
            found = machine.run("token")
            assert found["error"] == "AUTH_STORE_READ_FAILED", found
            assert "maxmemory" in found["message"]
        finally:
            client.config_set("maxmemory", "0")
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            found = machine.run("token")
            assert found["error"] == "AUTH_REFRESH_TRANSIENT", found
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")
    assert posts(fleet) == before
    assert "ok" in machine.run("token")


@pytest.fixture
def machine(fleet: Fleet) -> Machine:
    """Return one of them."""
    return fleet.machines[0]


def test_the_namespaces_are_there(fleet: Fleet) -> None:
    """As root each machine has a network of its own."""
    if os.geteuid() == 0:
        assert fleet.has_namespaces
