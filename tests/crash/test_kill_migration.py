"""A migration or a logout that is killed, wherever it is: begun is half done, and goes on."""

from __future__ import annotations

import json

import pytest

from crash import filed_keyring
from crash.figures import Kills, Print
from crash.place import CrashPlace
from crash.rounds import STORAGES, short_and_long, spread

FINISHED = ("migrated", "already-migrated")


def begin_anew(place: CrashPlace) -> dict[str, str]:
    """Put an older program's credential there, and nothing else; return it."""
    place.wipe()
    issued = place.server.issue("ada")
    tokens = {name: str(issued[name]) for name in ("access_token", "refresh_token")}
    place.legacy.write_text(json.dumps(tokens), "utf-8")
    return tokens


def migrate(place: CrashPlace) -> tuple[str, str]:
    """Return what a process is told that takes the old credential over."""
    return "migrate", str(place.legacy)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("most", short_and_long(3, 999))
def test_migration_killed_at_a_write(
    place: CrashPlace, storage: str, most: int, figure: Print
) -> None:
    """Wherever a migration dies, the credential is in one of the two places, and it goes on."""
    place.storage, kills = storage, Kills()
    begin_anew(place)
    writes = place.writes(*migrate(place))
    for at in spread(len(writes), most):
        tokens = begin_anew(place)
        victim = place.killed_at(at, *migrate(place))
        assert victim.killed
        place.check_nothing_torn()
        assert place.legacy.exists() or place.auth().access_token() == tokens["access_token"]
        state = place.run(*migrate(place))["ok"]
        assert state in FINISHED
        kills.count(victim, state)
        assert not place.legacy.exists()
        assert place.auth().access_token() == tokens["access_token"]
        assert place.stored_refresh_token() == tokens["refresh_token"]
        assert place.next_command(sent=None) == "ok"
        assert place.leftovers() == []
    figure(f"{len(writes)} writes; {kills}")


@pytest.mark.parametrize("most", short_and_long(2, 999))
def test_killed_migration_overwrites_nothing(place: CrashPlace, most: int, figure: Print) -> None:
    """An account that is logged in already keeps its record and its tokens."""
    place.storage, kills = "system", Kills()
    begin_anew(place)
    place.log_in(expires_in=3600)
    record, secrets = place.record(), filed_keyring.secrets(place.keyring)
    writes = place.writes(*migrate(place))
    for at in spread(len(writes), most):
        victim = place.killed_at(at, *migrate(place))
        assert victim.killed
        kills.count(victim, place.run(*migrate(place))["ok"].partition(":")[0])
        assert place.record() == record
        assert filed_keyring.secrets(place.keyring) == secrets
    assert set(kills.outcomes) == {"skipped"}
    assert place.legacy.exists()
    figure(f"{len(writes)} writes; {kills}")


@pytest.mark.parametrize("most", short_and_long(2, 999))
def test_lo_03_logout_killed_at_a_write(place: CrashPlace, most: int, figure: Print) -> None:
    """A logout that dies leaves the session whole, or none; the next write sweeps its secrets."""
    place.storage, kills = "system", Kills()
    place.log_in()
    writes = place.writes("logout")
    for at in spread(len(writes), most):
        place.log_in()
        victim = place.killed_at(at, "logout")
        assert victim.killed
        place.check_nothing_torn()
        stands = place.auth().current_account() is not None
        kills.count(victim, "logged in" if stands else "logged out")
        if stands:
            assert place.next_command(sent=None) == "ok"
            place.auth().logout(revoke=False)
        place.log_in(user="bob")
        assert not [name for name in filed_keyring.secrets(place.keyring) if "ada" in name]
        assert "removed" not in json.loads((place.folder / "auth.json").read_text("utf-8"))
        place.auth().logout("bob", revoke=False)
        assert place.leftovers() in ([], ["locks/user-ada.lock"])  # which nobody holds
    figure(f"{len(writes)} writes; {kills}")
