"""No secret is seen but where it belongs, whatever is turned on and whatever goes wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from click_auth.testing import Client, FakeBrowser
from hostile.canaries import (
    CLIENT,
    CLIENT_SECRET,
    ID_TOKEN,
    Canaries,
    echo,
    echo_as_code,
    echo_as_page,
)
from hostile.world import World, ended

posix = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def canaries(world: World) -> Canaries:
    """A confidential client at a server that gives ID tokens."""
    callbacks = ("http://127.0.0.1/callback",)
    world.server.add_client(Client(CLIENT, callbacks, CLIENT_SECRET))
    world.server.faults.overlay["token"] = {"id_token": ID_TOKEN}
    return Canaries(world)


def test_sx_02_nothing_is_shown_while_all_goes_well(canaries: Canaries) -> None:
    """Debugging on, everybody's loggers at DEBUG, Python's development mode: no secret is seen."""
    server = canaries.world.server
    for arguments in (("login",), ("status",), ("refresh", "--json"), ("doctor",)):
        done = canaries.run("auth", *arguments)
        assert done.status == 0, (arguments, done.err)
    assert canaries.run("me").out == "200\n"
    server.expire_access_tokens()
    assert canaries.run("me").out == "200\n"
    token = canaries.run("auth", "token")
    assert (token.out in server.grants.tokens, token.out in token.err) == (True, False)
    canaries.heard[next(name for name in canaries.heard if "auth token: stdout" in name)] = ""
    assert canaries.run("auth", "logout").status == 0
    assert canaries.run("auth", "login", "--device", BROWSER="true").status == 0
    assert "click_auth: " in "".join(canaries.heard.values())
    assert len(canaries.secrets()) > 12
    assert canaries.sightings() == []


def test_sx_02_nothing_is_shown_when_a_server_quotes_it(canaries: Canaries) -> None:
    """Exchange, refresh, device polls and revocation are refused with the request's own words."""
    hooks = canaries.world.server.faults.hooks
    assert canaries.run("auth", "login").status == 0
    for hook in (echo, echo_as_code, echo_as_page):
        hooks["token"] = hook
        assert canaries.run("auth", "refresh").status == 5
    for hook in (echo, echo_as_code):
        hooks["token"] = hook
        assert canaries.run("auth", "login", "--json").status == 1
    assert canaries.run("auth", "login", "--device", BROWSER="true").status == 1
    hooks["revoke"] = echo
    assert canaries.run("auth", "logout").status == 0
    assert canaries.sightings() == []


def test_sx_02_nothing_is_shown_when_a_login_fails(canaries: Canaries) -> None:
    """Refused, answered by others, met by a bug of the application, or by a broken service."""
    server = canaries.world.server
    server.auto_approve = False
    assert canaries.run("auth", "login", BROWSER=FakeBrowser.command("--deny")).status == 1
    server.auto_approve = True
    bug = canaries.run("auth", "login", HOSTILE_BUG="1")
    assert (bug.status, "Traceback" in bug.err) == (1, True)
    server.faults.hooks["api"] = echo
    assert canaries.run("auth", "login").status == 1
    server.faults.clear()
    server.faults.callback["state"] = "of-somebody-else"
    assert canaries.run("auth", "login", "--timeout", "1").status == 1
    assert not (canaries.world.config / "auth.json").exists()
    assert canaries.world.slots() == {}
    assert canaries.sightings() == []


@posix
def test_sx_05_ar_13_nothing_is_in_arguments_and_environments(world: World) -> None:
    """The browser gets the address as one argument, our environment and nothing more."""
    report = world.folder / "report.json"
    script = world.folder / "browser"
    script.write_text(
        f"#!{sys.executable}\nimport json, os, pathlib, sys\n"
        "def of(pid):\n"
        "    at = pathlib.Path('/proc', str(pid))\n"
        "    return [(at / n).read_text('utf-8').split('\\0') for n in ('cmdline', 'environ')]\n"
        f"pathlib.Path({str(report)!r}).write_text(json.dumps([of('self'), of(os.getppid())]))\n"
        "from click_auth.testing import FakeBrowser\n"
        "FakeBrowser().visit(sys.argv[1])\n"
    )
    script.chmod(0o755)
    given = {**world.environ, "BROWSER": str(script)}
    done = ended(world.start("auth", "login", BROWSER=str(script)))
    assert done.status == 0, done.err
    (own, (inherited)), (caller, _) = json.loads(report.read_text("utf-8"))
    canaries = Canaries(world)
    secrets = {
        value for value, name in canaries.secrets().items() if name not in ("state", "nonce")
    }
    assert not [secret for secret in secrets if any(secret in word for word in (*own, *inherited))]
    assert not [secret for secret in canaries.secrets() if any(secret in word for word in caller)]
    assert len([word for word in own if "code_challenge=" in word]) == 1
    names = {word.partition("=")[0] for word in inherited if word}
    assert names - set(given) <= {"LC_CTYPE"}
    assert secrets


@pytest.mark.parametrize("storage", ["system", "plaintext"])
def test_sx_12_what_lies_about_is_private(world: World, storage: str) -> None:
    """Damage to the record file leaves a backup of mode 0600, and no other file has a secret."""
    world.log_in(HOSTILE_STORAGE=storage)
    file = world.config / "auth.json"
    file.write_bytes(file.read_bytes()[:-20])
    world.log_in(HOSTILE_STORAGE=storage)
    (backup,) = world.config.glob("auth.json.broken-*")
    holders = {file, backup} if storage == "plaintext" else set()
    for path in world.files():
        assert path.stat().st_mode & 0o077 == 0, path
        text = path.read_text("utf-8", "replace")
        seen = [name for value, name in Canaries(world).secrets().items() if value in text]
        assert bool(seen) == (path in holders), (path, seen)


def test_sx_07_a_status_has_no_token(here: World) -> None:
    """Neither of the two, neither whole nor in part, for people and for programs."""
    assert here.invoke("auth", "login").status == 0
    secrets = Canaries(here).secrets()
    for arguments in ((), ("--json",), ("--all", "--ndjson")):
        done = here.invoke("auth", "status", *arguments)
        assert done.status == 0
        assert not [value for value in secrets if value[:8] in done.out + done.err]


def test_sx_06_an_error_leaves_stdout_empty(here: World) -> None:
    """A script that takes what `token` prints never takes half of something."""
    assert here.invoke("auth", "login").status == 0
    here.lock_keyring()
    for arguments in (("token",), ("token", "--json"), ("token", "--min-ttl", "99h")):
        done = here.invoke("auth", *arguments)
        assert (done.status, done.out) == (6, ""), done.err


def test_sx_10_no_option_takes_a_token(here: World) -> None:
    """`--with-token` is a flag: what follows it on the command line is refused."""
    for arguments in (("--with-token", "secret"), ("--with-token=secret",)):
        done = here.invoke("auth", "login", *arguments)
        assert (done.status, done.out) == (2, "")
    assert "--with-token" in here.invoke("auth", "login", "--help").out


def test_ar_13_nothing_of_a_login_is_on_disk_while_it_waits(world: World) -> None:
    """Verifier, state and nonce live in memory only: not in the home while a browser is open."""
    process = world.start("auth", "login", "--json", BROWSER="true")
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    url = next(json.loads(line)["url"] for line in lines if '"open_url"' in line)
    before = {path: path.read_text("utf-8", "replace") for path in world.files()}
    FakeBrowser().visit(url)
    assert ended(process).status == 0
    secrets = Canaries(world).secrets()
    assert {"state", "nonce", "code_verifier", "code"} <= set(secrets.values())
    assert not [path for path, text in before.items() if any(each in text for each in secrets)]
    assert isinstance(next(iter(before)), Path)
