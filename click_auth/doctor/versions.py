"""Which versions are at work, and from where."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from click_auth._version import __version__
from click_auth.results import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.core import Core

_LIBRARIES = ("click", "keyring", "portalocker", "pydantic")


def versions(core: Core) -> Iterator[Check]:
    """Yield a check for each version that matters."""
    yield Check("click-auth", __version__, str(Path(__file__).parent.parent))
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    yield Check("Python", python, sys.executable)
    system = (platform.system(), platform.release(), platform.machine(), *platform.libc_ver())
    yield Check("platform", " ".join(filter(None, system)), "")
    for name in sorted((*_LIBRARIES, core.settings.http)):
        yield _version(name)


def _version(name: str) -> Check:
    try:
        return Check(name, metadata.version(name), "installed")
    except metadata.PackageNotFoundError:
        return Check(name, "not installed", "", "fail", f"Install {name} beside click-auth.")
