"""Many processes and one token, for long: one request for each expiry, however slow it is."""

from __future__ import annotations

import os
import signal
import time

import pytest

from crash.figures import Print
from crash.place import CrashPlace
from crash.rounds import short_and_long
from refresh.crowd import outcome, unanswered


@pytest.mark.long
@pytest.mark.timeout(300)
def test_rf_01_slow_server_and_a_large_crowd(place: CrashPlace, figure: Print) -> None:
    """32 processes with an expired token and a POST of 8 s: one POST, 32 successes."""
    place.log_in()
    place.server.faults.delay_answer["token"] = 8.0
    results = place.crowd(32, "token")
    tokens = {result.get("ok") for result in results}
    assert (len(tokens), None in tokens, place.server.refresh_count) == (1, False, 1)
    assert place.server.family_alive("ada")
    figure(f"{len(results)} of 32 succeeded with {place.server.refresh_count} request")


@pytest.mark.parametrize(
    "processes, expiries",
    [
        pytest.param(4, 4, id="short"),
        pytest.param(8, 50, id="8x50", marks=pytest.mark.long),
        pytest.param(32, 50, id="32x50", marks=pytest.mark.long),
    ],
)
@pytest.mark.timeout(600)
def test_as_many_requests_as_expiries(
    place: CrashPlace, processes: int, expiries: int, figure: Print
) -> None:
    """A crowd that uses tokens of one second: each expiry is one POST, and none is reused."""
    place.server.access_token_lifetime = 1.0
    place.log_in()
    results = place.crowd(processes, "through", str(expiries))
    used = [result["ok"] for result in results]
    assert all(len(set(tokens)) == expiries for tokens in used)
    assert place.server.refresh_count == len({token for tokens in used for token in tokens})
    assert place.server.reuse_count == 0
    assert place.server.family_alive("ada")
    total = sum(map(len, used))
    figure(
        f"{total} of {processes * expiries} successes with {place.server.refresh_count} requests,"
        f" {place.server.reuse_count} reused"
    )


@pytest.mark.parametrize("seconds", short_and_long(5, 31))
def test_stopped_holder_is_waited_for(place: CrashPlace, seconds: int, figure: Print) -> None:
    """A holder that is stopped for longer than its request may take: no second request, ever."""
    timeout = {"WORKER_TIMEOUT": str(seconds - 2)}
    place.log_in()
    with unanswered(place.server) as asked:
        first = place.start("token", **timeout)
        assert asked.wait(60)
        first.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WNOWAIT)
    others = [place.start("token", **timeout) for _ in range(3)]
    time.sleep(seconds)
    assert all(other.poll() is None for other in others)
    first.send_signal(signal.SIGCONT)
    tokens = {outcome(process).get("ok") for process in (first, *others)}
    assert (len(tokens), None in tokens, place.server.refresh_count) == (1, False, 1)
    assert place.server.family_alive("ada")
    figure(f"stopped for {seconds} s: {place.server.refresh_count} request, one token for four")


@pytest.mark.long
def test_stopped_writer_of_another_account_costs_nothing(place: CrashPlace) -> None:
    """While `auth.json` cannot be written, since a writer is stopped, no session is lost.

    What a refresh brings is kept beside it, serves its own command, and is stored by the next one.
    """
    place.log_in(user="bob")
    place.log_in()
    writes = place.writes("login", "bob")
    place.auth().use("ada")
    at = next(at for at, what in enumerate(writes, 1) if what.startswith("rename auth.json"))
    stopped = place.start("login", "bob", **place.counting, CRASH_AT=str(at), CRASH_WITH="SIGSTOP")
    os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
    assert "ok" in place.run("token")
    assert place.server.refresh_count == 1
    stopped.send_signal(signal.SIGCONT)
    assert outcome(stopped) == {"ok": "bob"}
    assert place.auth().refresh("ada").access_token
    assert (place.server.refresh_count, place.server.reuse_count) == (1, 0)
    assert place.server.family_alive("ada")
