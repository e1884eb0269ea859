"""Logging out while servers, keyrings and files do what they like."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable

import pytest

from click_auth import Account, ApiKeyProvider, Auth, MemoryTokenStore, TokenBundle
from click_auth.testing import Answer, AuthorizationServer, Faults
from hostile.canaries import Canaries
from hostile.world import World

ELSEWHERE = "http://elsewhere.invalid/revoke"
TROUBLE: dict[str, Callable[[Faults], object]] = {
    "500": lambda faults: faults.status.update({"revoke": (500, "oops")}),
    "503": lambda faults: faults.answers.update(
        {"revoke": [Answer(503, {"Retry-After": "3600"})] * 2}
    ),
    "redirect": lambda faults: faults.redirect.update({"revoke": ELSEWHERE}),
    "cut off": lambda faults: faults.drop_request.update({"revoke": 2}),
    "unsupported": lambda faults: faults.status.update(
        {"revoke": (400, '{"error": "unsupported_token_type"}')}
    ),
}


@pytest.fixture
def there(here: World) -> World:
    """Ada is logged in."""
    assert here.invoke("auth", "login", "--user", "ada").status == 0
    return here


def test_lo_01_both_tokens_are_revoked_the_refresh_token_first(there: World) -> None:
    """Each with its hint, in the body, and nothing of them in an address."""
    secrets = there.slots()
    done = there.invoke("auth", "logout", "--json")
    assert (done.status, '"revoked": true' in done.out) == (0, True), done.err
    posts = there.server.posts("revoke")
    assert [post.form["token_type_hint"] for post in posts] == ["refresh_token", "access_token"]
    assert {post.form["token"] for post in posts} == set(secrets.values())
    assert not [post for post in posts if post.query]
    assert not there.server.family_alive("ada")


@pytest.mark.parametrize("trouble", TROUBLE)
def test_lo_01_lo_02_the_server_has_the_last_word_only_there(there: World, trouble: str) -> None:
    """Whatever it answers, nothing is left here, and the person is told that it may be there."""
    TROUBLE[trouble](there.server.faults)
    done = there.invoke("auth", "logout", "--json")
    assert (done.status, '"revoked": false' in done.out) == (0, True), done.err
    assert "may still be valid" in done.err
    assert there.slots() == {}
    assert b"ada" not in there.record_bytes()


def test_lo_01_a_server_that_hangs_is_left_after_ten_seconds(there: World) -> None:
    """Both requests together take no longer; here they have a second each."""
    there.server.faults.never_answer.add("revoke")
    began = time.monotonic()
    done = there.invoke("auth", "logout", facts={"http_timeout": 1.0})
    assert time.monotonic() - began < 10
    assert done.status == 0, done.err
    assert there.slots() == {}


def test_lo_01_a_provider_that_hangs_is_left_after_ten_seconds_too() -> None:
    """Whoever wrote it, and whatever it asks: here it has a minute."""
    asked, released = threading.Event(), threading.Event()

    class Slow(ApiKeyProvider):
        def revoke(self, bundle: TokenBundle) -> bool | None:
            asked.set()
            return released.wait(60) and bundle is not None

    auth = Auth("todo", Slow(api_url="https://api.todo.example"), store=MemoryTokenStore())
    auth.store.set(Account("ada"), "s3cret")
    began = time.monotonic()
    result = auth.logout("ada")
    seconds = time.monotonic() - began
    released.set()
    assert asked.is_set()
    assert (result.removed, result.revoked) == (("ada",), False)
    assert seconds < 30
    assert not auth.store.accounts()


def test_lo_01_lo_03_offline_and_again(there: World) -> None:
    """Without a network all of it goes; the next `token` says log in; a second logout is fine."""
    with there.server.offline():
        done = there.invoke("auth", "logout")
        assert (done.status, done.out) == (0, ""), done.err
        assert there.slots() == {}
        token = there.invoke("auth", "token")
        assert (token.status, token.out) == (4, "")
        assert there.invoke("auth", "logout").status == 0
    secrets = Canaries(there).secrets()
    for path in (*there.files(), *there.keyring.iterdir()):
        text = path.read_text("utf-8", "replace")
        assert not [name for value, name in secrets.items() if value in text], path


def test_lo_04_kr_02_a_locked_keyring_is_no_way_to_stay(there: World) -> None:
    """The account goes, what is left is named; `doctor` knows; the next writer removes it."""
    there.lock_keyring()
    done = there.invoke("auth", "logout")
    assert (done.status, done.out) == (0, "")
    assert "still in the keyring" in done.err
    assert there.invoke("auth", "token").status == 4
    assert len(there.slots()) == 2
    there.unlock_keyring()
    assert there.invoke("auth", "login", "--user", "bob").status == 0
    assert not [name for name in there.slots() if "user-ada" in name]


@pytest.mark.parametrize("options", [[], ["--all"]], ids=["one", "all"])
def test_lo_03_lo_04_a_second_logout_ends_what_the_first_had_to_leave(
    there: World, options: list[str]
) -> None:
    """Nobody is logged in any more, and whoever unlocks the keyring logs out once more."""
    there.lock_keyring()
    assert there.invoke("auth", "logout", *options).status == 0
    assert there.invoke("auth", "logout", *options).status == 0  # locked yet: no error
    assert len(there.slots()) == 2
    there.unlock_keyring()
    assert there.invoke("auth", "logout", *options).status == 0
    assert there.slots() == {}
    assert b"ada" not in there.record_bytes()


@pytest.mark.parametrize("damage", [b"", b"{", b"\0" * 100, b"[]"])
def test_lo_04_a_damaged_record_file(there: World, damage: bytes) -> None:
    """It says so and leaves the file; a name empties the slots all the same."""
    (there.config / "auth.json").write_bytes(damage)
    plain = there.invoke("auth", "logout")
    assert plain.status == (0 if damage == b"" else 6), plain.err
    named = there.invoke("auth", "logout", "--user", "ada")
    if damage != b"":
        assert named.status == 6
        assert "damaged" in named.err
        assert there.slots() == {}
    assert there.record_bytes() == damage


@pytest.mark.parametrize("storage", ["system", "plaintext"])
def test_lo_04_everybody_is_everybody(here: World, storage: str) -> None:
    """`--all` takes a damaged record out as well, with its tokens, and says what it cannot do."""
    for user in ("ada", "bob"):
        done = here.invoke("auth", "login", "--user", user, storage=storage)
        assert done.status == 0, done.err
    document = json.loads(here.record_bytes())
    document["accounts"]["bob"]["generation"] = "damaged"
    (here.config / "auth.json").write_text(json.dumps(document))
    done = here.invoke("auth", "logout", "--all", "--json", storage=storage)
    assert done.status == 0, done.err
    assert json.loads(done.out)["removed"] == ["ada", "bob"]
    assert json.loads(done.out)["revoked"] is False
    assert "revoke bob's session" in done.err
    assert here.slots() == {}
    assert not [
        value for value in Canaries(here).secrets() if value.encode() in here.record_bytes()
    ]
    assert not here.server.family_alive("ada")


def test_kr_02_a_locked_keyring_is_not_a_logout(there: World) -> None:
    """Every command that needs the token says so, asks nobody, and changes nothing."""
    before = there.record_bytes()
    asked = len(there.server.posts("token"))
    there.lock_keyring()
    for arguments in (("auth", "token"), ("auth", "refresh"), ("me",)):
        done = there.invoke(*arguments)
        assert (done.status, done.out) == (6, ""), done.err
        assert "keyring is locked" in done.err
        assert "og in" not in done.err
    assert there.invoke("auth", "status").status == 6
    there.unlock_keyring()
    assert there.invoke("me").out == "200\n"
    assert len(there.server.posts("token")) == asked
    assert there.record_bytes() == before


def test_kr_04_a_keyring_that_is_locked_in_the_middle_of_a_login(there: World) -> None:
    """The second login fails before the browser opens, and the first one still works."""
    before = (there.record_bytes(), there.slots())
    visits = len(there.server.journal)
    there.lock_keyring()
    done = there.invoke("auth", "login", "--json")
    assert (done.status, done.out) == (6, ""), done.err
    assert "AUTH_STORE_WRITE_FAILED" in done.err
    assert len(there.server.journal) == visits
    there.unlock_keyring()
    assert (there.record_bytes(), there.slots()) == before
    assert there.invoke("me").out == "200\n"


@pytest.mark.parametrize("part", ["access", "refresh", "both"])
def test_kr_08_slots_that_somebody_deleted(there: World, part: str) -> None:
    """Without a refresh token: log in, exit status 4. With one it is used. A logout cleans up."""
    for path in there.keyring.glob("secret-*"):
        is_refresh = "refresh" in path.name
        if part == "both" or is_refresh == (part == "refresh"):
            path.unlink()
    there.server.expire_access_tokens()
    done = there.invoke("auth", "refresh")
    assert (done.status, done.out) == (0 if part == "access" else 4, ""), done.err
    if part == "both":
        assert "missing from the keyring" in done.err
    if part != "access":
        assert "login" in done.err or "Log in" in done.err
    assert there.invoke("auth", "logout").status == 0
    assert there.slots() == {}
    assert b"ada" not in there.record_bytes()


def test_lo_01_nothing_is_revoked_at_an_address_in_the_clear(there: World) -> None:
    """Metadata that moves revocation to plain http is refused, and the logout goes on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        moved = {"revocation_endpoint": f"http://elsewhere.invalid:{listener.getsockname()[1]}/r"}
        there.server.faults.overlay["discovery"] = moved
        for each in (there.config / "cache").glob("*.json"):
            each.unlink()
        done = there.invoke("auth", "logout", "--json")
    assert (done.status, '"revoked": false' in done.out) == (0, True), done.err
    assert there.slots() == {}
    assert not there.server.posts("revoke")


def test_lo_05_another_server_hears_nothing(there: World) -> None:
    """An application that moved to another issuer does not hand it the old one's tokens."""
    with AuthorizationServer() as other:
        done = there.invoke("auth", "logout", facts={"issuer": other.issuer})
        assert done.status == 0, done.err
        assert "Couldn't revoke" in done.err
        assert not other.posts()
    assert there.slots() == {}
