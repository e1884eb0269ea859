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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import pytest

from click_auth import Account, Auth, OAuthProvider, TokenBundle, TokenStore
from click_auth.errors import AuthError, UsageError
from click_auth.locks.account_lock import lock_timeout
from click_auth.testing.isolation import logged_in
from click_auth.testing.server import AuthorizationServer

OpenMachine = Callable[[], Auth]

_CROWD = 6
_MOST_SECONDS = 60
_ADA, _BOB = Account("ada", "Ada Lovelace"), Account("bob", "bob@todo.example")
_ODD_IDS = ("Ada", "ådå/../x y", "a" * 300, "%41da", "-", "ada@b")
_SOON, _LATER = (datetime(year, 5, 18, 3, 33, 20, tzinfo=timezone.utc) for year in (2033, 2034))
_WHOLE = TokenBundle("at-1", "rt-1", _SOON, _LATER, ("tasks:read", "offline_access"))


class StoreContract:
    """Derive a test class from this and write `make_store`; pytest does the rest."""

    #: False of a store that has only the five methods that must be there.
    keeps_refresh_tokens = True

    #: Whether another process that opens the same place sees the same accounts and locks.
    reaches_processes: bool = True

    #: After how long the lock of a holder that was killed is free: the lease, if it is one.
    seconds_of_a_lost_lock: float = 0.0

    def make_store(self, place: Path) -> TokenStore:
        """Return a new handle to the store at *place*, a folder of the test."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """Name a folder that is not there yet."""
        return tmp_path / "place"

    @pytest.fixture
    def store(self, place: Path) -> TokenStore:
        """Open the place."""
        return self._opened(place)

    @pytest.fixture
    def other(self, place: Path, store: TokenStore) -> TokenStore:
        """Open the same place once more, as another machine does."""
        del store
        return self._opened(place)

    @pytest.fixture
    def server(self) -> Iterator[AuthorizationServer]:
        """Start a server that rotates refresh tokens and ends a session whose old one returns."""
        with AuthorizationServer() as server:
            yield server

    @pytest.fixture
    def open_machine(self, place: Path, server: AuthorizationServer) -> OpenMachine:
        """Store a grant that has expired; return what opens the place as one more machine."""
        if not self.keeps_refresh_tokens:
            pytest.skip("this store keeps no refresh tokens")
        provider = OAuthProvider(
            client_id="todo-cli",
            token_endpoint=f"{server.url}/token",
            authorization_endpoint=f"{server.url}/authorize",
            api_url=server.api_url,
        )

        def open_one() -> Auth:
            store, folder = self._opened(place), place.with_name("folder")
            return Auth("todo", provider, store=store, folder=folder)

        logged_in(open_one(), server=server, expires_in=-5.0)
        return open_one

    # What is stored is there, for whoever opens the place

    def test_a_new_place_is_empty(self, store: TokenStore) -> None:
        """Nothing is there, and to remove it does no harm."""
        store.clear()
        store.clear("ada")
        nothing = (store.active(), store.active_bundle(), store.active_account())
        assert (nothing, list(store.accounts())) == ((None, None, None), [])

    def test_what_is_stored_is_there_for_others(self, store: TokenStore, other: TokenStore) -> None:
        """Another handle finds the account, its token and its label."""
        store.set(_ADA, "at-1")
        assert (other.active("ada"), other.active()) == ("at-1", "at-1")
        assert other.active_account() == _ADA
        other.set(_ADA, "at-2")
        assert store.active() == "at-2"

    def test_a_bundle_comes_back_whole(self, store: TokenStore, other: TokenStore) -> None:
        """Both tokens, both expiries and the scopes."""
        store.set_bundle(_ADA, _WHOLE, promote_default=True)
        found = other.active_bundle()
        assert found is not None
        assert found.access_token == "at-1"
        assert found == _WHOLE or not self.keeps_refresh_tokens

    @pytest.mark.parametrize("account_id", _ODD_IDS)
    def test_any_account_has_a_place_of_its_own(self, store: TokenStore, account_id: str) -> None:
        """Capitals, slashes and length make no two accounts one."""
        odd = Account(account_id, instance="https://todo.example")
        store.set(_ADA, "at-1")
        store.set(odd, "at-2")
        assert (store.active(_ADA.key), store.active(odd.key)) == ("at-1", "at-2")
        store.clear(odd.key)
        assert [each.account for each in store.accounts()] == [_ADA]

    def test_a_long_token_is_a_token(self, store: TokenStore, other: TokenStore) -> None:
        """What an identity provider with many groups gives is longer than a keyring's slot."""
        token = "x" * 20_000
        store.set(_ADA, token)
        assert other.active("ada") == token

    def test_an_account_is_found_by_key_id_or_label(self, store: TokenStore) -> None:
        """A label in whatever case; what means none or several is an error with its code."""
        store.set(_ADA, "at-1")
        store.set(_BOB, "at-2")
        assert store.active("BOB@todo.example") == store.active("bob") == "at-2"
        for ref, code in (("eve", "ACCOUNT_NOT_FOUND"), (None, "NO_ACCOUNT_SELECTED")):
            with pytest.raises(UsageError) as caught:
                store.active(ref)
            assert caught.value.code == code

    def test_one_account_is_the_default(self, store: TokenStore, other: TokenStore) -> None:
        """It is until another one is, and its logout takes nobody else's tokens."""
        store.set_bundle(_ADA, _WHOLE, promote_default=True)
        store.set_bundle(_BOB, TokenBundle("at-2"))
        assert other.active() == "at-1"
        other.set_default("bob")
        assert [each.account.id for each in store.accounts() if each.default] == ["bob"]
        store.clear("bob")
        assert (other.active("ada"), len(other.accounts())) == ("at-1", 1)

    def test_a_login_after_a_logout_has_nothing_of_the_old_one(self, store: TokenStore) -> None:
        """No refresh token comes back."""
        store.set_bundle(_ADA, _WHOLE)
        store.clear("ada")
        store.set_bundle(_ADA, TokenBundle("at-2"))
        found = store.active_bundle("ada")
        assert found is not None
        assert (found.access_token, found.refresh_token) == ("at-2", None)

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
                store.set(_ADA, "at-1")
                is_lost = True
            os.kill(child, signal.SIGCONT)
            _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == (3 if is_lost else 0)
        assert not is_lost or store.active("ada") == "at-1"

    # Nothing is spent twice, nothing received is lost

    def test_a_crowd_spends_a_grant_once(
        self, open_machine: OpenMachine, server: AuthorizationServer
    ) -> None:
        """However many want the token at once, each with a handle: one request, one token."""
        found: list[str] = []
        _together(lambda: found.append(open_machine().access_token()))
        assert (len(set(found)), len(found)) == (1, _CROWD)
        assert server.refresh_count == 1
        assert server.family_alive("ada")

    def test_a_logout_during_a_refresh_stands(
        self, open_machine: OpenMachine, store: TokenStore, server: AuthorizationServer
    ) -> None:
        """The account does not come back, nor does any token of it."""
        server.faults.hooks["token"] = lambda _request: open_machine().store.clear("ada")
        with contextlib.suppress(AuthError):
            open_machine().access_token()
        assert list(store.accounts()) == []

    def test_a_lost_answer_of_the_server_costs_no_session(
        self, open_machine: OpenMachine, server: AuthorizationServer
    ) -> None:
        """The same token is sent once more, within the same hold."""
        server.faults.drop_request["token"] = 1
        token = open_machine().access_token()
        assert open_machine().access_token() == token
        assert server.family_alive("ada")

    def test_a_holder_killed_before_the_server_answers_costs_no_session(
        self, open_machine: OpenMachine, server: AuthorizationServer
    ) -> None:
        """What was stored is stored still, and whoever comes next renews it."""
        with self._child(lambda: _die_in_a_refresh(open_machine())):
            token = open_machine().access_token()
        assert server.refresh_count == 1
        assert open_machine().access_token() == token
        assert server.family_alive("ada")

    def test_a_refresh_leaves_the_other_accounts_alone(
        self, open_machine: OpenMachine, store: TokenStore
    ) -> None:
        """Neither the default account nor another one's tokens change."""
        store.set_bundle(_BOB, _WHOLE, promote_default=True)
        open_machine().access_token("ada")
        assert store.active_bundle() == _WHOLE

    def _opened(self, place: Path) -> TokenStore:
        store = self.make_store(place)
        if store.folder is None:
            store.folder = place.with_name("folder")
        return store

    def _hold_and(self, place: Path, fate: int) -> int:
        store = self._opened(place)
        with store.lock("ada") as lock:
            os.kill(os.getpid(), fate)
            try:
                getattr(lock, "check", lambda: None)()
            except AuthError:
                with contextlib.suppress(AuthError):
                    store.set(_ADA, "at-late")
                return 3
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
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # one that hangs is killed
            signal.alarm(_MOST_SECONDS)
            os._exit(run())
        _, status = os.waitpid(child, os.WUNTRACED)
        try:
            yield child
        finally:
            if os.WIFSTOPPED(status):
                with contextlib.suppress(OSError):
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)


def _die_in_a_refresh(auth: Auth) -> int:
    def die(_request: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with auth.override(http_options={"event_hooks": {"request": [die]}}):
        auth.access_token()
    return 0


def _together(deed: Callable[[], None]) -> None:
    """Let a crowd of threads do it at once, and raise what went wrong."""
    with ThreadPoolExecutor(_CROWD) as crowd:
        for each in [crowd.submit(deed) for _ in range(_CROWD)]:
            each.result()
