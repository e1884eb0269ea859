"""What each command may load, open and ask for: counts, which do not depend on the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import click_auth
from click_auth.account import Account
from click_auth.record import Record
from click_auth.stores import REFUSE_KEYRING
from click_auth.stores.keyring_backends import LINUX_BACKEND
from click_auth.stores.records import RecordFile

PROGRAM = Path(__file__).with_name("todo.py")

# What Click's own help and prompts load, and what the interpreter does when it is asked.
CLICKS = "__main__ bz2 lzma zlib locale shutil fnmatch textwrap termios _locale _bz2 _lzma"
START = f"{CLICKS} __future__ _compression click._textwrap click._termui_impl click._winconsole"
READING = "json json.decoder json.encoder json.scanner _json dataclasses copy binascii zlib"
SIGNALS = "signal contextvars _contextvars tty"
HEAVY = """
    httpx httpcore pydantic portalocker keyring asyncio anyio logging ssl pathlib urllib.parse
    importlib.metadata email http.client hashlib traceback
"""

# How many modules of ours a command may load; whoever lowers a figure lowers its bound.
MOST_OF_OURS = {
    "--help": 19,
    "auth token": 40,
    "auth status --offline": 37,
    "auth account list": 36,
}


@dataclass(frozen=True)
class Cost:
    """What a command took: modules beyond Click's, files of ours, secrets."""

    loaded: frozenset[str]
    opened: list[str]
    asked: list[str]
    stdout: str

    @property
    def ours(self) -> frozenset[str]:
        """Our own modules, by what follows `click_auth.`."""
        names = (name.partition(".") for name in self.loaded)
        return frozenset(rest for package, _, rest in names if package == "click_auth" and rest)

    @property
    def others(self) -> frozenset[str]:
        """Everybody else's."""
        return frozenset(name for name in self.loaded if name.partition(".")[0] != "click_auth")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keep one account, whose token is in the Secret Service, as far as the record says."""
    ada = Record(Account("ada", "Ada"), has_refresh_token=True, backend=LINUX_BACKEND)
    RecordFile(tmp_path / "todo").insert_if_absent(ada)
    return tmp_path / "todo"


def cost_of(folder: Path, *arguments: str) -> Cost:
    """Run a command in a process of its own, with a reader of the Secret Service that counts."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        env={
            **kept,
            "PYTHONPATH": os.pathsep.join(
                [str(Path(click_auth.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
            ),
            "TODO_CONFIG_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "xdg"),
            "HOME": str(folder),
            "BACKEND": "counted" if "token" in arguments else "",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    report = json.loads(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    loaded = frozenset(report["loaded"])
    return Cost(loaded, report["opened"], report["asked"], done.stdout)


@pytest.mark.parametrize(
    "arguments, others, reads",
    [
        ("--help", START, 0),
        ("auth token", f"{START} {READING} {SIGNALS}", 1),
        ("auth status --offline", f"{START} {READING} {SIGNALS}", 1),
        ("auth account list", f"{START} {READING} {SIGNALS}", 1),
    ],
)
def test_a_command_loads_and_opens_what_it_may(
    folder: Path, arguments: str, others: str, reads: int
) -> None:
    """So many modules of ours, an allow-list of others; the record file is read so often."""
    cost = cost_of(folder, *arguments.split())
    assert len(cost.ours) <= MOST_OF_OURS[arguments], sorted(cost.ours)
    private = {name for name in cost.others if name.startswith(("_sysconfig", "encodings"))}
    assert cost.others - set(others.split()) - private == set()
    assert cost.loaded & set(HEAVY.split()) == set()
    assert cost.opened == ["auth.json"] * reads


def test_a_fresh_token_asks_for_one_secret(folder: Path) -> None:
    """One read of the record file, one of the keyring, and the token is printed."""
    cost = cost_of(folder, "auth", "token")
    assert (cost.stdout, cost.asked, cost.opened) == ("access-1", ["user-ada"], ["auth.json"])


def test_importing_the_package_loads_click_and_the_standard_library() -> None:
    """Nothing that has to be installed but Click, and few modules of ours."""
    script = "import __future__, click, sys; before = set(sys.modules); import click_auth; "
    script += "print(sorted(set(sys.modules) - before))"
    source = str(Path(click_auth.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['click_auth']"


def test_the_size_of_the_file_hardly_matters(folder: Path) -> None:
    """With a thousand accounts beside it one is found without a look at the others."""
    with RecordFile(folder).transaction() as draft:
        for number in range(1_000):
            other = Record(Account(f"user-{number}"))
            draft.records[other.key] = other
    cost = cost_of(folder, "auth", "token")
    assert (cost.stdout, cost.opened) == ("access-1", ["auth.json"])


def test_a_refused_keyring_is_refused_on_the_short_path_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps tests away from the real keyring stands before every way to it."""
    script = """
import sys
from click_auth.stores import keyring_client, secret_service
secret_service.read_secret = lambda *_: print("asked") or "x"
from click_auth.stores.keyring_vault import KeyringVault
try:
    KeyringVault("todo").get("user-ada", keyring_client.LINUX_BACKEND)
except AssertionError:
    print("refused")
"""
    monkeypatch.setenv(REFUSE_KEYRING, "1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    source = str(Path(click_auth.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "refused\n"
