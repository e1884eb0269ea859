"""What every store promises of what is stored: the first half of `StoreContract`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from click_auth import Account, TokenBundle, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from click_auth import TokenStore

ADA, BOB = Account("ada", "Ada Lovelace"), Account("bob", "bob@todo.example")
ODD_IDS = ("Ada", "ådå/../x y", "a" * 300, "%41da", "-", "ada@b")
WHOLE = TokenBundle(
    "at-1",
    "rt-1",
    datetime(2033, 5, 18, 3, 33, 20, tzinfo=timezone.utc),
    datetime(2034, 5, 18, 3, 33, 20, tzinfo=timezone.utc),
    ("tasks:read", "offline_access"),
)


class StoragePromises:
    """A handle that opens a place, and what is found there."""

    keeps_refresh_tokens = True
    """False of a store that has only the five methods that must be there."""

    reaches_processes: bool = True
    """Whether another process that opens the same place sees the same accounts and locks."""

    seconds_of_a_lost_lock: float = 0.0
    """After how long the lock of a holder that was killed is free: the lease, if it is one."""

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

    # What is stored is there, for whoever opens the place

    def test_a_new_place_is_empty(self, store: TokenStore) -> None:
        """Nothing is there, and to remove it does no harm."""
        store.clear()
        store.clear("ada")
        nothing = (store.active(), store.active_bundle(), store.active_account())
        assert (nothing, list(store.accounts())) == ((None, None, None), [])

    def test_what_is_stored_is_there_for_others(self, store: TokenStore, other: TokenStore) -> None:
        """Another handle finds the account, its token and its label."""
        store.set(ADA, "at-1")
        assert (other.active("ada"), other.active()) == ("at-1", "at-1")
        assert other.active_account() == ADA
        other.set(ADA, "at-2")
        assert store.active() == "at-2"

    def test_a_bundle_comes_back_whole(self, store: TokenStore, other: TokenStore) -> None:
        """Both tokens, both expiries and the scopes."""
        store.set_bundle(ADA, WHOLE, promote_default=True)
        found = other.active_bundle()
        assert found is not None
        assert found.access_token == "at-1"
        if self.keeps_refresh_tokens:
            assert found == WHOLE

    @pytest.mark.parametrize("account_id", ODD_IDS)
    def test_any_account_has_a_place_of_its_own(self, store: TokenStore, account_id: str) -> None:
        """Capitals, slashes and length make no two accounts one."""
        odd = Account(account_id, instance="https://todo.example")
        store.set(ADA, "at-1")
        store.set(odd, "at-2")
        assert (store.active(ADA.key), store.active(odd.key)) == ("at-1", "at-2")
        store.clear(odd.key)
        assert [each.account for each in store.accounts()] == [ADA]

    def test_a_long_token_is_a_token(self, store: TokenStore, other: TokenStore) -> None:
        """What an identity provider with many groups gives is longer than a keyring's slot."""
        token = "x" * 20_000
        store.set(ADA, token)
        assert other.active("ada") == token

    def test_an_account_is_found_by_key_id_or_label(self, store: TokenStore) -> None:
        """A label in whatever case; what means none or several is an error with its code."""
        store.set(ADA, "at-1")
        store.set(BOB, "at-2")
        assert store.active("BOB@todo.example") == store.active("bob") == "at-2"
        for ref, code in (("eve", "ACCOUNT_NOT_FOUND"), (None, "NO_ACCOUNT_SELECTED")):
            with pytest.raises(UsageError) as caught:
                store.active(ref)
            assert caught.value.code == code

    def test_one_account_is_the_default(self, store: TokenStore, other: TokenStore) -> None:
        """It is until another one is, and its logout takes nobody else's tokens."""
        store.set_bundle(ADA, WHOLE, promote_default=True)
        store.set_bundle(BOB, TokenBundle("at-2"))
        assert other.active() == "at-1"
        other.set_default("bob")
        assert [each.account.id for each in store.accounts() if each.default] == ["bob"]
        store.clear("bob")
        assert (other.active("ada"), len(other.accounts())) == ("at-1", 1)

    def test_a_login_after_a_logout_has_nothing_of_the_old_one(self, store: TokenStore) -> None:
        """No refresh token comes back."""
        store.set_bundle(ADA, WHOLE)
        store.clear("ada")
        store.set_bundle(ADA, TokenBundle("at-2"))
        found = store.active_bundle("ada")
        assert found is not None
        assert (found.access_token, found.refresh_token) == ("at-2", None)

    def _opened(self, place: Path) -> TokenStore:
        store = self.make_store(place)
        if store.folder is None:
            store.folder = place.with_name("folder")
        return store
