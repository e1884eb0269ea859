"""Environments with other people's packages, each of its own, kept from one run to the next."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from functools import cache
from pathlib import Path

import portalocker

from integration.machine import run

ROOT = Path(__file__).parents[2]
# How long an installation may take, in seconds.
PATIENCE = 600.0
STAMP = "installed.txt"
VERSIONS = {
    "typer-0.16": ("typer==0.16.0", "click==8.2.1"),  # breaks by itself with later ones
    "typer-0.25": ("typer==0.25.1",),
    "typer-0.26": ("typer==0.26.0",),  # the first with a Click of its own
    "typer-newest": ("typer",),
}
TEST_TOOLS = ("pytest>=8.2", "pytest-timeout>=2.3")


def folder() -> Path:
    """Return where the environments are; `nox -s frameworks` says where."""
    return Path(os.environ.get("CLICK_AUTH_HOSTS", ROOT / ".nox" / "hosts"))


@cache
def wheel() -> Path:
    """Return the wheel to install: the one of the session, else one made of the checkout."""
    if "CLICK_AUTH_WHEEL" in os.environ:
        return Path(os.environ["CLICK_AUTH_WHEEL"])
    place = folder() / f"wheel-{os.getpid()}"
    pip("wheel", "--no-deps", "--wheel-dir", str(place), str(ROOT))
    return next(place.glob("*.whl"))


@cache
def environment(name: str, *requirements: str) -> Path:
    """Return the Python of an environment that has *requirements* and click-auth."""
    folder().mkdir(parents=True, exist_ok=True)
    with portalocker.Lock(folder() / f"{name}.lock", timeout=PATIENCE):  # for other processes
        return _made(name, requirements)


def _made(name: str, requirements: tuple[str, ...]) -> Path:
    place = folder() / name
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    digest = hashlib.sha256(wheel().read_bytes()).hexdigest()
    stamp = "\n".join((sys.version, *requirements))
    known, _, installed = read(place / STAMP).rpartition("\n")
    if known != stamp:
        shutil.rmtree(place, ignore_errors=True)
        run(sys.executable, "-m", "venv", "--without-pip", str(place))
        _install(python, str(wheel()), *requirements)
    elif installed != digest:
        # Its dependencies may have changed with it; what is there already is left alone.
        _install(python, "--force-reinstall", "--no-deps", str(wheel()))
        _install(python, str(wheel()))
    (place / STAMP).write_text(f"{stamp}\n{digest}", encoding="utf-8")
    return python


def _install(python: Path, *words: str) -> None:
    # What is run compiles itself; pip would compile all, and fails where that does.
    pip("--python", str(python), "install", "--no-compile", *words)


def read(path: Path) -> str:
    """Return what a file holds, nothing where there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def pip(*arguments: str) -> None:
    """Run pip."""
    run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)
