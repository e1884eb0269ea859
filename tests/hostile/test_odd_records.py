"""A record file that somebody else has had a hand in: one bad thing takes nothing else down."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from binascii import crc32
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from click_auth import Account, Auth, AuthError, OAuthProvider
from click_auth.record import FIELDS
from click_auth.stores.provider_memory import FolderCache
from click_auth.testing import AuthorizationServer, logged_in
from hostile.world import World

NUMBERS = {
    "400 digits": "1" + "0" * 400,
    "5,000 digits": "1" + "0" * 5000,
    "minus 400 digits": "-1" + "0" * 400,
    "1e400": "1e400",
    "-1e400": "-1e400",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "4,299 digits": "9" * 4299,
}
FIELD = (
    "access_token_expires_at",
    "refresh_token_expires_at",
    "access_token_obtained_at",
    "generation",
    "rejected_generation",
    "later",
    "account",
)


def laid_out(root: dict[str, Any]) -> str:
    """Return the document as the library lays it out, one record a line."""
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in root["accounts"].items())
    return f'{{"version": 1, "default": "ada", "accounts": {{\n{lines}\n}}}}'


LAYOUTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "as we write it": laid_out,
    "by an editor": lambda root: json.dumps(root, indent=2),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("number", NUMBERS)
def test_a4_a_number_that_is_too_big_takes_no_other_account_down(
    world: World, here: World, number: str, layout: str
) -> None:
    """Wherever it stands in ada's record: bob is used and renewed, and ada can log in again."""
    logged_in(world.auth(), "bob", server=world.server)
    logged_in(world.auth(), "ada")
    for field in FIELD:
        changed = json.loads(world.record_bytes())
        changed["accounts"]["ada"].pop("seal")
        value = "the number" if field != "account" else {"id": "ada", "karma": "the number"}
        changed["accounts"]["ada"][field] = value
        text = LAYOUTS[layout](changed).replace('"the number"', NUMBERS[number])
        (world.config / "auth.json").write_text(text)
        auth = world.auth()
        assert auth.access_token("bob"), field
        assert "bob" in [each.account.id for each in auth.accounts()], field
        assert auth.status("bob", offline=True).state == "ok", field
        assert auth.refresh("bob").access_token, field
        assert auth.use("bob").id == "bob", field
        logged_in(auth, "ada")
        assert world.auth().access_token("ada"), field


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("command", ["logout --user ada", "logout --all", "account list", "doctor"])
def test_a4_a_number_that_is_too_big_stops_no_command(
    world: World, here: World, number: str, command: str
) -> None:
    """Nothing that happens is unexpected, and logging out removes the record."""
    logged_in(world.auth(), "ada")
    text = (
        world.record_bytes().decode().replace('"generation": 1', f'"generation": {NUMBERS[number]}')
    )
    (world.config / "auth.json").write_text(text)
    done = world.invoke("auth", *command.split(), storage="plaintext")
    assert "unexpected error" not in done.err.lower()
    assert "Traceback" not in done.err
    if command.startswith("logout"):
        assert done.status == 0, done.err
        assert json.loads(world.record_bytes())["accounts"] == {}


@pytest.mark.parametrize("number", NUMBERS)
def test_a4_a_cache_with_an_odd_moment_fails_nobody(tmp_path: Path, number: str) -> None:
    """What it holds is too old or too young, and is fetched anew."""
    cache = FolderCache(tmp_path / "cache")
    cache.save("https://id.example", {"issuer": "https://id.example"})
    (entry,) = (tmp_path / "cache").iterdir()
    text = re.sub(r'"saved_at": [\d.]+', f'"saved_at": {NUMBERS[number]}', entry.read_text())
    entry.write_text(text)
    assert cache.load("https://id.example") is None


@pytest.mark.parametrize("number", NUMBERS)
def test_a4_a_client_whose_secret_expires_at_no_moment(world: World, number: str) -> None:
    """A registration with such an expiry is used or made anew; nothing is unexpected."""
    logged_in(world.auth(facts={"client_id": None}), server=world.server)
    registrations = world.auth().context.store.registrations()
    name = f"{world.server.issuer} http://127.0.0.1/callback"
    registrations.save(
        name, {"client_id": "c", "client_secret": "s", "client_secret_expires_at": 7}
    )
    text = world.record_bytes().decode()
    (world.config / "auth.json").write_text(
        text.replace(
            '"client_secret_expires_at": 7', f'"client_secret_expires_at": {NUMBERS[number]}'
        )
    )
    assert outcome(world.auth(facts={"client_id": None}).refresh) in ("ok", 4, 5)


def test_a17_after_an_upgrade_nobody_loads_pydantic(world: World) -> None:
    """What another version with the same fields wrote is read as if this one had written it."""
    script = """
import sys
import click_auth._version
click_auth._version.__version__ = sys.argv[1]
from click_auth.testing import logged_in
from click_auth import ApiKeyProvider, Auth
auth = Auth("todo", ApiKeyProvider(), storage="plaintext", folder=sys.argv[2])
if sys.argv[3] == "write":
    logged_in(auth)
else:
    print(bool(auth.access_token()), [each.id for each in auth.context.store.listing()[0]])
    print("pydantic" in sys.modules)
"""
    for version, act in (("0.0.1", "write"), ("99.0", "read")):
        if act == "read":
            script = script.replace("from click_auth.testing import logged_in\n", "")
        answer = subprocess.run(
            [sys.executable, "-c", script, version, str(world.config), act],
            env=world.environ,
            capture_output=True,
            text=True,
            check=True,
        )
    assert answer.stdout == "True ['ada']\nFalse\n"


def test_a17_the_first_write_seals_what_it_had_to_parse(world: World) -> None:
    """Of records without a seal all have one once one of them was written; a bad one stays."""
    for user in ("ada", "bob", "cyd"):
        logged_in(world.auth(), user, server=world.server if user != "cyd" else None)
    root = json.loads(world.record_bytes())
    for record in root["accounts"].values():
        record.pop("seal")
    root["accounts"]["cyd"]["generation"] = "many"
    (world.config / "auth.json").write_text(json.dumps(root))
    world.auth().refresh("ada")
    accounts = json.loads(world.record_bytes())["accounts"]
    assert {key for key, record in accounts.items() if "seal" in record} == {"ada", "bob"}
    assert accounts["cyd"] == root["accounts"]["cyd"]


def seal(key: str, record: dict[str, Any]) -> dict[str, Any]:
    """Return *record* with a seal that holds: whoever can write the file can write one."""
    text = json.dumps({name: value for name, value in record.items() if name != "seal"}).encode()
    schema = crc32("|".join(FIELDS).encode())
    return {**record, "seal": f"{crc32(text, crc32(key.encode(), schema)):08x}"}


def test_s3_the_seal_of_this_test_is_one(world: World) -> None:
    """What `seal` makes is what the library writes."""
    logged_in(world.auth())
    record = world.record()
    assert seal("ada", record) == record


def outcome(act: Callable[[], object]) -> object:
    """Return the exit code that *act* ends with, or ok."""
    try:
        act()
    except AuthError as error:
        return error.exit_code
    return "ok"


CHANGES: dict[str, dict[str, Any]] = {
    "instance": {"instance": "EVIL"},
    "account": {"account": {"id": "ada", "label": None, "instance": "EVIL"}},
    "both": {"instance": "EVIL", "account": {"id": "ada", "label": None, "instance": "EVIL"}},
    "account's own key": {"account": {"id": "ada", "key": "KEY", "instance": "EVIL"}},
    "null": {"instance": None},
    "no account's instance": {"account": {"id": "ada"}},
}


@pytest.mark.parametrize("is_sealed", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_s3_a_token_goes_to_the_instance_that_its_key_names(
    world: World, here: World, change: str, is_sealed: bool
) -> None:
    """Whatever else of a record says otherwise: no other host gets the token of the keyring."""
    with AuthorizationServer() as evil:
        good = world.server.url

        def make(instance: str | None) -> OAuthProvider:
            where = instance or good
            return OAuthProvider(client_id="todo-cli", issuer=where, api_url=where)

        auth = Auth("todo", make, storage="system", folder=world.config)
        logged_in(auth, server=world.server, account=Account(id="ada", instance=good))
        root = json.loads(world.record_bytes())
        ((key, record),) = root["accounts"].items()
        fields = json.loads(
            json.dumps(CHANGES[change]).replace("EVIL", evil.url).replace("KEY", key)
        )
        changed = {**record, **fields, "issuer": None, "access_token_expires_at": 5}
        changed.pop("seal")
        root["accounts"][key] = seal(key, changed) if is_sealed else changed
        (world.config / "auth.json").write_text(
            f'{{"version": 1, "default": {json.dumps(key)}, "accounts": {{\n'
            f"{json.dumps(key)}: {json.dumps(root['accounts'][key])}\n}}}}"
        )

        def me() -> None:
            with auth.client() as api:
                api.get("/me")

        acts = (auth.access_token, auth.refresh, auth.status, me)
        assert {outcome(act) for act in acts} <= {"ok", 4, 6}
        auth.logout(key)
        sent = [entry.headers.get("Authorization") for entry in evil.journal]
        assert [entry for entry in evil.journal if entry.form] == []
        assert set(sent) <= {None}
        assert key not in json.loads(world.record_bytes())["accounts"]


STRANGE = (
    "../../project/poetry",
    "/abs/x",
    "a\0b",
    "..",
    "",
    "a/b",
    "a\\b",
    "C:x",
    "x\ny",
    "\ud800",
)


@pytest.mark.parametrize("key", STRANGE)
@pytest.mark.parametrize("where", ["removed", "accounts", "migrations", "default"])
def test_s15_no_key_of_the_file_is_a_path(world: World, here: World, key: str, where: str) -> None:
    """A lock of another folder stays, whatever name stands where the key of an account should."""
    project = world.config.parent / "project"
    project.mkdir(0o755)
    for each in (project / "poetry.lock", world.config.parent / "b.lock"):
        each.write_text("precious")
    before = sorted(path for path in world.home.rglob("*.lock"))
    logged_in(world.auth())
    root = json.loads(world.record_bytes())
    odd = {
        "removed": {"removed": [key]},
        "accounts": {"accounts": {**root["accounts"], key: {"account": 7}}},
        "migrations": {"migrations": {"old": f"moving {key}"}},
        "default": {"default": key},
    }
    (world.config / "auth.json").write_text(json.dumps({**root, **odd[where]}))
    for command in ("account use ada", "refresh --user ada", "logout --all"):
        done = world.invoke("auth", *command.split(), storage="plaintext")
        assert "unexpected error" not in done.err.lower(), command
    assert sorted(path for path in world.home.rglob("*.lock")) == before
    assert {path.read_text() for path in before} == {"precious"}
    assert project.stat().st_mode & 0o777 == 0o755


def test_s15_distinct_refs_have_distinct_locks(world: World) -> None:
    """A store of an application may lock by any text: each has a file of its own, in `locks`."""
    store, names = world.auth().store, set()
    for ref in (*STRANGE, "a%2Fb", "a%2fb"):
        with store.lock(ref):
            (lock,) = (world.config / "locks").iterdir()
            names.add(lock.name.casefold())
    assert len(names) == len(STRANGE) + 2
