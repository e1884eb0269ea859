"""A login that is killed, wherever it is: the earlier session works, or the new one."""

from __future__ import annotations

import pytest

from click_auth import NotLoggedIn
from crash.figures import Kills, Print
from crash.place import CrashPlace, Victim
from crash.rounds import STORAGES, random_moments, short_and_long, spread

LOGIN = ("login", "ada")
DISCOVERING = {"WORKER_DISCOVERS": "1"}


def after_a_crash(place: CrashPlace, victim: Victim, kills: Kills) -> None:
    """Check that there is a session, the earlier or the new one, and count the victim."""
    place.check_nothing_torn()
    kills.count(victim, place.next_command(sent=None))
    assert place.leftovers() == []


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("most", short_and_long(5, 999))
def test_killed_at_a_write(place: CrashPlace, storage: str, most: int, figure: Print) -> None:
    """A login that dies at any of its writes never costs the session that was there."""
    place.storage, kills = storage, Kills()
    place.log_in()
    writes = place.writes(*LOGIN)
    for at in spread(len(writes), most):
        victim = place.killed_at(at, *LOGIN)
        assert victim.killed
        after_a_crash(place, victim, kills)
    figure(f"{len(writes)} writes; {kills}")


@pytest.mark.parametrize("rounds", short_and_long(3, 40))
def test_killed_at_a_random_moment(place: CrashPlace, rounds: int, figure: Print) -> None:
    """The same at any moment of a whole process."""
    place.storage, kills = "system", Kills()
    place.log_in()
    for moment in random_moments(place, rounds, *LOGIN):
        after_a_crash(place, place.killed_after(moment, *LOGIN), kills)
    figure(kills)


@pytest.mark.parametrize("most", short_and_long(3, 999))
def test_first_login_killed_at_a_write(place: CrashPlace, most: int, figure: Print) -> None:
    """Where there was no session there is none, or a whole one; logging in again works."""
    place.storage, kills = "system", Kills()
    writes = place.writes(*LOGIN, **DISCOVERING)
    for at in spread(len(writes), most):
        place.wipe()
        victim = place.killed_at(at, *LOGIN, **DISCOVERING)
        assert victim.killed
        place.check_nothing_torn()
        try:
            kills.count(victim, "ok" if place.auth().access_token() else "empty")
        except NotLoggedIn as error:
            kills.count(victim, error.code)
        place.log_in(expires_in=3600)
        assert place.next_command(sent=None) == "ok"
    assert kills.outcomes.keys() <= {"ok", "NOT_AUTHENTICATED"}
    figure(f"{len(writes)} writes; {kills}")


def test_fs_13_leftovers_of_a_killed_discovery_are_swept(place: CrashPlace) -> None:
    """What a process leaves that dies while it keeps a discovery document is gone later."""
    writes = place.writes(*LOGIN, **DISCOVERING)
    (document,) = (place.folder / "cache").iterdir()
    opened = next(at for at, what in enumerate(writes) if what.startswith(f"open {document.name}"))
    torn = opened + 1 + writes[opened:].index("write, half done")
    place.wipe()
    assert place.killed_at(torn, *LOGIN, **DISCOVERING).killed
    assert len(list((place.folder / "cache").iterdir())) == 1
    place.writes(*LOGIN, **DISCOVERING)
    assert place.leftovers() == []
