"""Other programs that print a stored token, set up so that each has one to print."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from integration.machine import command, node_modules
from measure import Program

HERE = Path(__file__).parent
TOKEN = "made-up-token-of-forty-characters-or-so-"


@dataclass(frozen=True)
class Peer:
    """A program, and how much of its CPU time ours may take."""

    name: str
    program: Program
    goal: float


def peers(environment: Mapping[str, str], folder: Path, slot: str) -> list[Peer]:
    """Return all peers, installed and with a token each; the keyring is that of *environment*."""
    return [
        Peer("`hf auth token` (Python, a file)", hugging_face(environment, folder), 0.33),
        Peer("`keyring get` (Python)", keyring_command(environment, folder, slot), 0.33),
        Peer("@doist/cli-core on Node 24", cli_core(environment, folder), 0.50),
        Peer("`gh auth token` (Go, a file)", github(environment, folder), 1.00),
    ]


def script(name: str) -> str:
    """Return the path of a program that lies beside the Python that runs this."""
    return str(Path(sys.executable).parent / name)


def hugging_face(environment: Mapping[str, str], folder: Path) -> Program:
    """Return `hf auth token`, which reads a plain file."""
    home = folder / "hf"
    home.mkdir()
    (home / "token").write_text(TOKEN, encoding="utf-8")
    return Program([script("hf"), "auth", "token"], {**environment, "HF_HOME": str(home)}, folder)


def keyring_command(environment: Mapping[str, str], folder: Path, slot: str) -> Program:
    """Return keyring's own command, reading the slot that our login wrote."""
    return Program([script("keyring"), "get", f"todo/{slot}", slot], environment, folder)


def cli_core(environment: Mapping[str, str], folder: Path) -> Program:
    """Return the same CLI in TypeScript's own field, with its token in the same keyring."""
    modules = node_modules(HERE / "javascript", Path(os.environ["CLICK_AUTH_PEERS"]))
    program = modules.parent / "cli_core.mjs"
    shutil.copyfile(HERE / "javascript" / program.name, program)
    node = [str(modules / ".bin" / "node"), str(program)]
    own = {**environment, "RECORDS": str(folder / "cli-core.json")}
    subprocess.run([*node, "store", TOKEN], env=own, check=True)
    return Program([*node, "auth", "token"], own, folder)


def github(environment: Mapping[str, str], folder: Path) -> Program:
    """Return `gh auth token`, which reads a plain file."""
    settings = folder / "gh"
    settings.mkdir()
    hosts = f"github.com:\n  user: ada\n  oauth_token: {TOKEN}\n  git_protocol: https\n"
    (settings / "hosts.yml").write_text(hosts, encoding="utf-8")
    own = {**environment, "GH_CONFIG_DIR": str(settings)}
    return Program([command("gh", "gh"), "auth", "token"], own, folder)
