"""Many processes and one expired token: one request, and everybody goes on."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from click_auth.testing import Answer
from refresh.crowd import Place, outcome, unanswered


@pytest.mark.parametrize("seconds", [0.1, 3.0])
def test_rf_01_one_request_for_a_crowd(place: Place, seconds: float) -> None:
    """32 processes with an expired token: one POST, 32 successes, the same token, a live family."""
    place.log_in()
    place.server.faults.delay_answer["token"] = seconds
    results = place.crowd(32, "token")
    tokens = {result.get("ok") for result in results}
    assert (len(tokens), None in tokens, place.server.refresh_count) == (1, False, 1)
    assert place.server.reuse_count == 0
    assert place.server.family_alive("ada")


def test_without_the_lock_the_grant_dies(place: Place) -> None:
    """The same crowd with its lock taken out reuses a token, and the server ends the grant."""
    place.log_in()
    requests, is_reused = [], threading.Event()

    def wait_for_another(request: object) -> None:
        requests.append(request)
        if len(requests) > 1:
            is_reused.set()
        is_reused.wait(60)

    place.server.faults.hooks["token"] = wait_for_another
    place.crowd(8, "unlocked")
    assert place.server.refresh_count > 1
    assert place.server.reuse_count > 0
    assert not place.server.family_alive("ada")


def test_as_many_requests_as_expiries(place: Place) -> None:
    """8 processes that use tokens of one second: each expiry is one POST, none is reused."""
    place.server.access_token_lifetime = 1.0
    place.log_in()
    results = place.crowd(8, "through", "6")
    assert all(len(set(result["ok"])) == 6 for result in results)
    tokens = {token for result in results for token in result["ok"]}
    assert place.server.refresh_count == len(tokens)
    assert place.server.reuse_count == 0
    assert place.server.family_alive("ada")


def test_stopped_holder_is_waited_for(place: Place) -> None:
    """While the process that refreshes is stopped, nobody asks the server a second time."""
    place.log_in()
    with unanswered(place.server) as asked:
        first = place.start("token")
        assert asked.wait(60)
        first.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WNOWAIT)
    others = [place.start("token") for _ in range(3)]
    time.sleep(2.0)
    assert place.server.refresh_count <= 1
    assert all(other.poll() is None for other in others)
    first.send_signal(signal.SIGCONT)
    tokens = {outcome(process).get("ok") for process in (first, *others)}
    assert (len(tokens), None in tokens, place.server.refresh_count) == (1, False, 1)


def test_lk_01_killed_holder_delays_nobody(place: Place) -> None:
    """A process killed while it waits for the server leaves nothing that others wait for."""
    place.log_in()
    asked, dead = threading.Event(), threading.Event()

    def hold(_request: object) -> Answer | None:
        if asked.is_set():
            return None
        asked.set()
        dead.wait(60)
        return Answer(503, {}, b"")

    place.server.faults.hooks["token"] = hold
    first = place.start("token")
    assert asked.wait(60)
    first.kill()
    first.communicate()
    try:
        assert outcome(place.start("token"))["ok"]
        assert not list((place.folder / "locks").glob("*"))
    finally:
        dead.set()
