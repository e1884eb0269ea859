from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )


def test_the_demo_walks_through_its_day() -> None:
    """Every step of the demo does what it should, and no token is shown whole."""
    done = run(EXAMPLES / "demo.py", "--unattended", PYTHONIOENCODING="utf-8")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Every step did what it should.\n")
    beside_addresses = re.sub(r"http://\S+", "", done.stdout + done.stderr)
    assert not re.search(r"[\w-]{43}", beside_addresses)


def test_the_readmes_block_is_a_whole_program(tmp_path: Path) -> None:
    """The first block of todo.py runs by itself."""
    source = (EXAMPLES / "todo.py").read_text(encoding="utf-8")
    block = source.split("# --8<-- [start:readme]\n")[1].split("# --8<-- [end:readme]")[0]
    program = tmp_path / "todo.py"
    program.write_text(f"{block}\ncli()\n", encoding="utf-8")

    done = run(program, "auth", "--help")

    assert done.returncode == 0, done.stderr
    for name in ("login", "logout", "status", "token"):
        assert name in done.stdout


def test_the_whole_example_has_every_command() -> None:
    """The example's own commands and all standard ones are there."""
    root = run(EXAMPLES / "todo.py", "--help").stdout
    group = run(EXAMPLES / "todo.py", "auth", "--help").stdout

    assert {"add", "auth", "done", "tasks"} <= set(root.split())
    standard = {"account", "doctor", "login", "logout", "refresh", "status", "token"}
    assert standard <= set(group.split())
