"""What every store promises, as a pytest suite: `class TestMine(StoreContract)`.

A test is named after the promise that it asks for. Processes are killed and paused in the middle
of a hold, answers of the server are lost, and machines are handles of their own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from click_auth import Auth, AuthError, OAuthProvider
from click_auth.locks.account_lock import lock_timeout
from click_auth.testing.isolation import logged_in
from click_auth.testing.promises import ADA, BOB, WHOLE, StoragePromises
from click_auth.testing.server import AuthorizationServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click_auth import TokenStore

_CROWD = 6
_MOST_SECONDS = 60.0


class StoreContract(StoragePromises):
    """Derive a test class from this and write `make_store`; pytest does the rest."""

    @pytest.fixture
    def server(self) -> Iterator[AuthorizationServer]:
        """Start a server that rotates refresh tokens and ends a session whose old one returns."""
        with AuthorizationServer() as server:
            yield server

    # One at a time

    def test_a_lock_has_one_holder(self, store: TokenStore, place: Path) -> None:
        """Threads with handles of their own take turns; another account's lock is another one."""
        inside, most = [0], [0]

        def hold() -> None:
            handle = self._opened(place)
            for _ in range(5):
                with handle.lock("ada"):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    time.sleep(0.001)
                    inside[0] -= 1

        with store.lock("bob"):
            _together(hold)
        assert most == [1]

    def test_a_killed_holder_delays_the_others_by_its_lease(
        self, store: TokenStore, place: Path
    ) -> None:
        """Where there is no lease, not at all."""
        with self._child(lambda: self._hold_and(place, signal.SIGKILL)):
            began = time.monotonic()
            with lock_timeout(self.seconds_of_a_lost_lock + 20), store.lock("ada"):
                assert time.monotonic() - began < self.seconds_of_a_lost_lock + 5

    def test_a_paused_holder_never_goes_on_beside_another(
        self, store: TokenStore, place: Path
    ) -> None:
        """Either nobody else gets its lock meanwhile, or it is told so and can write no more."""
        with self._child(lambda: self._hold_and(place, signal.SIGSTOP)) as child:
            seconds = self.seconds_of_a_lost_lock * 1.5 + 0.5
            is_lost = False
            with contextlib.suppress(Exception), lock_timeout(seconds), store.lock("ada"):
                store.set(ADA, "at-1")
                is_lost = True
            os.kill(child, signal.SIGCONT)
            _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == (3 if is_lost else 0)
        assert not is_lost or store.active("ada") == "at-1"

    # Nothing is spent twice, nothing received is lost

    def test_a_crowd_spends_a_grant_once(self, place: Path, server: AuthorizationServer) -> None:
        """However many want the token at once, each with a handle: one request, one token."""
        self._log_in(place, server)
        found: list[str] = []
        _together(lambda: found.append(self._auth(place, server).access_token()))
        assert (len(set(found)), len(found)) == (1, _CROWD)
        assert _posts(server) == 1
        assert server.family_alive("ada")

    def test_a_logout_during_a_refresh_stands(
        self, store: TokenStore, place: Path, server: AuthorizationServer
    ) -> None:
        """The account does not come back, nor does any token of it."""
        self._log_in(place, server)
        server.faults.hooks["token"] = lambda _request: self._opened(place).clear("ada")
        with contextlib.suppress(AuthError):
            self._auth(place, server).access_token()
        assert list(store.accounts()) == []

    def test_a_lost_answer_of_the_server_costs_no_session(
        self, place: Path, server: AuthorizationServer
    ) -> None:
        """The same token is sent once more, within the same hold."""
        self._log_in(place, server)
        server.faults.drop_request["token"] = 1
        token = self._auth(place, server).access_token()
        assert self._auth(place, server).access_token() == token
        assert server.family_alive("ada")

    def test_a_holder_killed_before_the_server_answers_costs_no_session(
        self, place: Path, server: AuthorizationServer
    ) -> None:
        """What was stored is stored still, and whoever comes next renews it."""
        self._log_in(place, server)
        with self._child(lambda: self._die_in_a_refresh(place, server)):
            token = self._auth(place, server).access_token()
        assert _posts(server) == 1
        assert self._auth(place, server).access_token() == token
        assert server.family_alive("ada")

    def test_a_refresh_leaves_the_other_accounts_alone(
        self, store: TokenStore, place: Path, server: AuthorizationServer
    ) -> None:
        """Neither the default account nor another one's tokens change."""
        self._log_in(place, server)
        store.set_bundle(BOB, WHOLE, promote_default=True)
        self._auth(place, server).access_token("ada")
        found = store.active_bundle()
        assert found is not None
        assert (found.access_token, found.refresh_token) == ("at-1", "rt-1")

    def _auth(self, place: Path, server: AuthorizationServer) -> Auth:
        provider = OAuthProvider(
            client_id="todo-cli",
            token_endpoint=f"{server.url}/token",
            authorization_endpoint=f"{server.url}/authorize",
            api_url=server.api_url,
        )
        return Auth("todo", provider, store=self._opened(place), folder=place.with_name("folder"))

    def _log_in(self, place: Path, server: AuthorizationServer) -> None:
        if not self.keeps_refresh_tokens:
            pytest.skip("this store keeps no refresh tokens")
        logged_in(self._auth(place, server), server=server, expires_in=-5.0)

    def _hold_and(self, place: Path, fate: int) -> int:
        store = self._opened(place)
        with store.lock("ada") as lock:
            os.kill(os.getpid(), fate)
            try:
                check: Callable[[], None] = getattr(lock, "check", lambda: None)
                check()
            except AuthError:
                with contextlib.suppress(AuthError):
                    store.set(ADA, "at-late")
                return 3
        return 0

    def _die_in_a_refresh(self, place: Path, server: AuthorizationServer) -> int:
        auth = self._auth(place, server)
        with auth.override(http_options={"event_hooks": {"request": [_die]}}):
            auth.access_token()
        return 0

    @contextlib.contextmanager
    def _child(self, run: Callable[[], int]) -> Iterator[int]:
        """Run something in a process of its own; go on once it was killed, stopped or done."""
        if not self.reaches_processes or sys.platform == "win32":
            pytest.skip("this store is one process's own")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the threads of a server, of which the child has none
            child = os.fork()
        if child == 0:
            os._exit(run())
        status = _fate_of(child)
        try:
            yield child
        finally:
            if os.WIFSTOPPED(status):
                with contextlib.suppress(OSError):
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)


def _fate_of(child: int) -> int:
    """Wait until a child has ended or stopped, and return its status; one that hangs is killed."""
    deadline = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WUNTRACED | os.WNOHANG)
        if ended:
            return status
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _die(_request: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _posts(server: AuthorizationServer) -> int:
    return len(server.posts("token", grant_type="refresh_token"))


def _together(deed: Callable[[], None]) -> None:
    """Let a crowd of threads do it at once, and raise what went wrong."""
    with ThreadPoolExecutor(_CROWD) as crowd:
        for each in [crowd.submit(deed) for _ in range(_CROWD)]:
            each.result()
