"""That no tracked file names this machine or a package registry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent


def output(*command: str) -> str:
    """Return what a command prints, or nothing where there is no such command."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def private_words() -> set[str]:
    """Return what belongs to this machine alone: its folders, and where it gets packages from."""
    settings = output(sys.executable, "-m", "pip", "config", "list").replace("'", " ").split()
    settings += output("npm", "config", "get", "registry").split()
    # Where pip and npm look when nobody configured anything: pip knows its own.
    question = (
        "from pip._internal.models.index import PyPI as i; print(i.url, i.file_storage_domain)"
    )
    index, files = output(sys.executable, "-c", question).split()
    settings += [index, f"https://{files}"]
    hosts = {urlsplit(word).hostname or "" for word in settings if "://" in word}
    folders = {f"{folder}/" for folder in (ROOT, Path.home()) if folder != Path("/")}
    return {word for word in hosts | folders if len(word) > len("/x/")}


def machine_bound() -> list[str]:
    """Return each line of a tracked file that names this machine or a package registry."""
    words = [argument for word in sorted(private_words()) for argument in ("-e", word)]
    return output("git", "-C", str(ROOT), "grep", "-nIF", *words).splitlines()


if __name__ == "__main__":
    found = machine_bound()
    print("\n".join(found) or "no tracked file names this machine or a registry")
    sys.exit(bool(found))
