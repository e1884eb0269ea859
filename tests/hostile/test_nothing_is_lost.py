"""Nothing received is thrown away, and nothing is spent that cannot be kept: issue 18's faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keyring
import pytest

from click_auth import Auth, NotLoggedIn, StorageUnavailable
from click_auth.account import refresh_slot_name, slot_name
from click_auth.stores.keyring_backends import Backend
from click_auth.testing import Answer, Request, logged_in
from crash.filed_keyring import REFUSAL, FiledKeyring
from hostile.locking_keyring import LockingKeyring
from hostile.world import World
from stores.children import without_privileges

UNSTORED = "*.unstored"
BLANK = ["", " ", "\t", "to\nken", "to\0ken", "\x7f", " token", "token ", "tökén"]


def ready(here: World, storage: str, expires_in: float = -5.0) -> Auth:
    """Log ada in, with tokens that have so many seconds left."""
    auth = here.auth(storage=storage)
    logged_in(auth, server=here.server, expires_in=expires_in)
    return auth


def hide_records(here: World) -> None:
    """Put a folder in the place of the record file once the token endpoint is asked."""

    def hide(_request: Request) -> None:
        here.server.faults.hooks.pop("token")
        (here.config / "auth.json").rename(here.folder / "aside.json")
        (here.config / "auth.json").mkdir()

    here.server.faults.hooks["token"] = hide


def show_records(here: World) -> None:
    """Put the record file back."""
    (here.config / "auth.json").rmdir()
    (here.folder / "aside.json").rename(here.config / "auth.json")


def unstored(here: World) -> list[Path]:
    """Return what lies beside the records and is not stored yet."""
    return list(here.config.glob(UNSTORED))


@pytest.mark.parametrize("command", ["token", "refresh"])
def test_a1_a_keyring_that_refuses_writes_costs_no_grant(here: World, command: str) -> None:
    """RF: no POST, everything as it was, and an error that says where it is stuck."""
    ready(here, "system")
    before = here.record_bytes(), here.slots()
    (here.keyring / REFUSAL).touch()
    done = here.invoke("auth", command, "--json")
    assert (done.status, done.out, "AUTH_STORE_WRITE_FAILED" in done.err) == (6, "", True)
    assert here.server.posts("token") == []
    assert (here.record_bytes(), here.slots()) == before
    assert unstored(here) == []


def test_a1_a_token_that_is_still_good_is_no_error_but_for_refresh(here: World) -> None:
    """`token` prints it, without a warning; `refresh` has not done what it was asked for."""
    token = ready(here, "system", 30).store.active()
    (here.keyring / REFUSAL).touch()
    done = here.invoke("auth", "token", "--min-ttl", "100")
    assert (done.status, done.out.strip(), done.err) == (0, token, "")
    assert here.invoke("auth", "refresh").status == 6
    assert here.server.posts("token") == []


def test_a1_the_proof_costs_one_write(here: World) -> None:
    """The refresh slot is written once more, with what it holds, and nothing else is."""
    written: list[str] = []

    class Counting(LockingKeyring):
        def set_password(self, service: str, username: str, password: str) -> None:
            written.append(username)
            super().set_password(service, username, password)

    auth = ready(here, "system")
    keyring.set_keyring(Counting())
    assert auth.access_token()
    assert written == [refresh_slot_name("ada"), refresh_slot_name("ada"), slot_name("ada")]


@pytest.mark.parametrize("storage", ["system", "fallback", "plaintext"])
def test_a2_records_that_cannot_be_read_after_the_request_lose_nothing(
    here: World, storage: str
) -> None:
    """This command has its token; once the file is back the next one finds what was received."""
    ready(here, storage)
    hide_records(here)
    done = here.invoke("auth", "token", storage=storage)
    assert (done.status, "couldn't be stored" in done.err) == (0, True), done.err
    assert "og in again" not in done.err
    (kept,) = unstored(here)
    assert os.name == "nt" or kept.stat().st_mode & 0o777 == 0o600
    assert (done.out.strip() in kept.read_text("utf-8")) is (storage == "plaintext")
    show_records(here)
    assert here.invoke("auth", "token", storage=storage).out == done.out
    assert (here.server.refresh_count, here.record()["generation"]) == (1, 2)
    assert here.invoke("auth", "refresh", storage=storage).status == 0
    assert (here.server.refresh_count, here.server.reuse_count) == (2, 0)
    assert unstored(here) == []


@pytest.mark.parametrize("storage", ["system", "plaintext"])
def test_a2_refresh_does_not_claim_what_is_not_stored(here: World, storage: str) -> None:
    """It ends with 6; the next command takes over what it got, without asking the server."""
    ready(here, storage)
    hide_records(here)
    done = here.invoke("auth", "refresh", storage=storage)
    assert (done.status, "couldn't be stored" in done.err, done.out) == (6, True, "")
    assert "Refreshed" not in done.err
    show_records(here)
    assert here.invoke("auth", "token", storage=storage).status == 0
    assert here.server.refresh_count == 1


def test_a3_a_keyring_that_locks_itself_during_the_request(here: World) -> None:
    """Under `system`: `token` goes on and says that a login helps; `refresh` ends with 6."""
    for command, status in (("token", 0), ("refresh", 6)):
        ready(here, "system")
        here.server.faults.hooks["token"] = lambda _request: here.lock_keyring()
        done = here.invoke("auth", command)
        here.unlock_keyring()
        here.server.faults.clear()
        assert (done.status, "may have to log in again" in done.err) == (status, True), done.err
        assert unstored(here) == []


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
@pytest.mark.parametrize("then", ["token", "logout", "login"])
def test_a3_a_folder_that_closes_during_the_request(world: World, then: str) -> None:
    """Under `plaintext` the pair goes into the file that was open, and is the next command's."""
    settings = {"HOSTILE_STORAGE": "plaintext"}
    world.log_in(**settings)
    world.server.expire_access_tokens()
    world.server.faults.hooks["token"] = lambda _request: world.config.chmod(0o500)
    cli = Path(__file__).with_name("cli.py")
    script = f"{without_privileges}\nimport runpy\nsys.argv = ['todo', 'auth', 'refresh']\n"
    script += f"runpy.run_path({str(cli)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**world.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, "couldn't be stored" in done.stderr) == (6, True), done.stderr
    world.config.chmod(0o700)
    world.server.faults.clear()
    (kept,) = unstored(world)
    received = json.loads(kept.read_bytes())["record"]
    if then == "login":
        world.log_in(**settings)
    elif then == "logout":
        assert world.run("auth", "logout", **settings).status == 0
        revoked = [post.form["token"] for post in world.server.posts("revoke")]
        assert received["fallback_refresh_token"] in revoked
    else:
        assert world.run("me", **settings).out == "200\n"
        assert world.server.refresh_count == 1
        assert world.run("auth", "refresh", **settings).status == 0
        sent = world.server.posts("token", grant_type="refresh_token")
        assert sent[-1].form["refresh_token"] == received["fallback_refresh_token"]
    assert (unstored(world), world.server.reuse_count) == ([], 0)


@pytest.mark.parametrize("storage", ["system", "fallback", "plaintext"])
def test_a3_a_folder_in_which_nothing_can_be_renamed(
    here: World, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial before the request renames as the write after it does."""
    auth = ready(here, storage)
    before = here.record_bytes()

    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", refuse)
        with pytest.raises(StorageUnavailable) as caught:
            auth.access_token()
    assert caught.value.code == "AUTH_STORE_WRITE_FAILED"
    assert (here.server.posts("token"), here.record_bytes()) == ([], before)
    assert [each.name for each in here.config.iterdir() if each.is_file()] == ["auth.json"]


@pytest.mark.parametrize("content", [b"", bytes(100), b"{", b'{"record": {}}', b"[]"])
def test_a3_what_a_killed_process_left_is_swept(here: World, content: bytes) -> None:
    """A file that was never written to its end is nobody's tokens."""
    auth = ready(here, "plaintext")
    left = here.config / "auth.json.user-ada.unstored"
    left.write_bytes(content)
    left.chmod(0o600)
    assert auth.access_token()
    assert unstored(here) == []


def test_a3_what_was_kept_is_not_taken_for_another_login(here: World) -> None:
    """A login has begun anew at generation 1: what an earlier one has left is only removed."""
    ready(here, "plaintext")
    hide_records(here)
    here.invoke("auth", "refresh", storage="plaintext")
    (kept,) = unstored(here)
    content = kept.read_bytes()
    show_records(here)
    here.auth().logout(revoke=False)
    token = ready(here, "plaintext").store.active()
    kept.write_bytes(content)
    kept.chmod(0o600)
    here.auth().context.store.adopt("ada")
    assert (here.auth().store.active(), unstored(here)) == (token, [])


@pytest.mark.parametrize("secret", BLANK)
@pytest.mark.parametrize("storage", ["system", "plaintext"])
def test_a5_a_secret_that_cannot_be_sent_is_missing(here: World, storage: str, secret: str) -> None:
    """Never printed, never sent: the message of a missing one, and no request."""
    ready(here, storage, 3600)
    put(here, storage, secret, "ada", "ada/refresh")
    done = here.invoke("auth", "token", storage=storage)
    assert (done.status, done.out, "missing from the" in done.err) == (4, "", True), done.err
    assert here.invoke("auth", "refresh", storage=storage).status == 4
    assert here.server.posts("token") == []


def put(here: World, storage: str, secret: str, *slots: str) -> None:
    """Put *secret* where tokens of ada lie."""
    document = json.loads(here.record_bytes())
    names = {"ada": "fallback_token", "ada/refresh": "fallback_refresh_token"}
    for slot in slots:
        if storage == "system":
            FiledKeyring().set_password(f"todo/user-{slot}", f"user-{slot}", secret)  # type: ignore[no-untyped-call]
        else:
            document["accounts"]["ada"][names[slot]] = secret
    (here.config / "auth.json").write_text(json.dumps(document))


@pytest.mark.parametrize("storage", ["system", "plaintext"])
def test_a5_a_refresh_token_that_cannot_be_sent_is_none(here: World, storage: str) -> None:
    """Nothing can be renewed with it, and the server is not asked."""
    auth = ready(here, storage)
    put(here, storage, "", "ada/refresh")
    with pytest.raises(NotLoggedIn) as caught:
        auth.access_token()
    assert caught.value.code == "AUTH_REFRESH_UNAVAILABLE"
    assert here.server.posts("token") == []


@pytest.mark.parametrize("storage", ["system", "plaintext"])
@pytest.mark.parametrize("command", ["token", "refresh"])
def test_a6_a_lost_access_token_is_renewed(here: World, storage: str, command: str) -> None:
    """The refresh token is at hand: one request, and all is well."""
    ready(here, storage, 3600)
    put(here, storage, "", "ada")
    done = here.invoke("auth", command, storage=storage)
    assert (done.status, here.server.refresh_count) == (0, 1), done.err
    assert here.invoke("me", storage=storage).out == "200\n"


@pytest.mark.parametrize("lost", ["ada", "ada/refresh"])
def test_a6_logout_revokes_whichever_token_is_there(here: World, lost: str) -> None:
    """LO-01, KR-08: a slot that is gone keeps no grant alive."""
    ready(here, "system", 3600)
    username = f"user-{lost}"
    secrets = set(here.slots().values())
    gone = FiledKeyring().get_password(f"todo/{username}", username)  # type: ignore[no-untyped-call]
    FiledKeyring().delete_password(f"todo/{username}", username)  # type: ignore[no-untyped-call]
    done = here.invoke("auth", "logout", "--json")
    assert '"revoked": true' in done.out, done.err
    assert {post.form["token"] for post in here.server.posts("revoke")} == secrets - {gone}
    assert here.slots() == {}


def test_a8_rf_06_a_refresh_token_that_somebody_else_has_written_is_tried(here: World) -> None:
    """An older version has rotated the pair and died before its record: the session lives."""
    auth = ready(here, "system")
    old = auth.store.active_bundle()
    assert old is not None
    issued = here.server.grants.refresh(old.refresh_token or "", "todo-cli", ())
    slots = {
        f"user-{name}": str(issued[kind])
        for name, kind in (("ada", "access_token"), ("ada/refresh", "refresh_token"))
    }

    def answer(_request: Request) -> Answer:
        here.server.faults.hooks.pop("token")
        for slot, secret in slots.items():
            FiledKeyring().set_password(f"todo/{slot}", slot, secret)  # type: ignore[no-untyped-call]
        return Answer.json({"error": "invalid_grant"}, 400)

    here.server.faults.hooks["token"] = answer
    assert auth.access_token()
    sent = [post.form["refresh_token"] for post in here.server.posts("token")]
    assert sent == [old.refresh_token, slots["user-ada/refresh"]]
    assert here.record()["rejected_generation"] is None


def test_a8_a_dead_grant_costs_one_request(here: World) -> None:
    """Where nobody has written anything there is nothing to try."""
    auth = ready(here, "system")
    here.server.revoke_all()
    with pytest.raises(NotLoggedIn):
        auth.access_token()
    assert here.server.refresh_count == 1
    assert here.record()["rejected_generation"] == 1


def test_a18_a_new_label_is_kept(here: World) -> None:
    """A refresh whose ID token brings another name: `account list` shows it from then on."""
    auth = here.auth(facts={"scopes": ("openid",)})
    auth.context.settings.provider.identify_with = None
    logged_in(auth, server=here.server, scopes=("openid",))
    label = here.record()["account"]["label"]
    here.server.faults.id_token = {"name": "Countess", "email": label}
    auth.refresh()
    assert here.record()["account"]["label"] == label
    here.server.faults.id_token = {"name": "Countess"}
    auth.refresh()
    assert [each.account.label for each in auth.accounts()] == ["Countess"]


@pytest.mark.parametrize(
    "name",
    ["keyrings.evil.Keyring", "keyring.backends.null.Keyring", "keyring.backends.gone.Keyring"],
)
def test_s16_what_a_record_names_is_imported_only_if_it_is_known(world: World, name: str) -> None:
    """Another name is nobody's: the backend is searched for, and nothing of here is run."""
    world.log_in()
    document = json.loads(world.record_bytes())
    document["accounts"]["ada"]["backend"] = name
    (world.config / "auth.json").write_text(json.dumps(document))
    package = world.home / "keyrings"
    package.mkdir()
    (package / "evil.py").write_text("raise SystemExit(77)")
    assert Backend(name).origin is None
    assert world.run("auth", "token", PYTHONPATH=world.environ["PYTHONPATH"]).status == 0
