"""What the machine must have, installed when missing: Debian's packages and some of npm's."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
# How long an installation may take, in seconds.
PATIENCE = 900.0


def run(*command: str, cwd: Path | None = None) -> None:
    """Run an installer; raise with all that it printed when it fails."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        message = f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout}"
        raise RuntimeError(message)


@cache
def refresh_package_lists() -> list[str]:
    """Refresh apt's lists, once, and return how apt is called here: as root, or through sudo."""
    apt = ["apt-get"] if os.geteuid() == 0 else ["sudo", "-n", "apt-get"]
    run(*apt, "update", "-q")
    return apt


@cache
def command(name: str, *packages: str) -> str:
    """Return the path of a program, after installing the Debian packages that bring it."""
    if shutil.which(name) is None:
        run(*refresh_package_lists(), "install", "-qy", "--no-install-recommends", *packages)
    path = shutil.which(name)
    if path is None:
        message = f"{name} is still missing after the installation of {', '.join(packages)}"
        raise RuntimeError(message)
    return path


@cache
def node_modules(manifests: Path, folder: Path) -> Path:
    """Install what the lockfile in *manifests* names into *folder*; return its node_modules.

    A Node of its own is among it: `node_modules/.bin/node`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = ("package.json", "package-lock.json")
    wanted = [(manifests / name).read_bytes() for name in names]
    unchanged = [path.read_bytes() for name in names if (path := folder / name).is_file()] == wanted
    modules = folder / "node_modules"
    if not (unchanged and (modules / ".bin" / "node").exists()):
        for name in names:
            shutil.copyfile(manifests / name, folder / name)
        run(command("npm", "npm"), "ci", "--no-audit", "--no-fund", cwd=folder)
    return modules
