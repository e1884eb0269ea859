"""What every test shares: the slow folders are collected only when a run names them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

# They need more than Python, or much longer; `nox -s integration` and `nox -s crash` name them.
ON_REQUEST = ("integration", "crash")


def pytest_configure() -> None:
    """Hear Ctrl-C, here and in every child, where a shell started the run in its background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore a folder of ON_REQUEST unless an argument of this run points into it."""
    if collection_path.parent != Path(__file__).parent or collection_path.name not in ON_REQUEST:
        return None
    asked = (Path(config.invocation_params.dir, arg.split("::")[0]) for arg in config.args)
    wanted = any(collection_path in (path.resolve(), *path.resolve().parents) for path in asked)
    return None if wanted else True
