"""What every test shares: a machine that may be slow, and slow folders only where a run asks."""

from __future__ import annotations

import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

# They need more than Python, or much longer; sessions of nox have their names.
ON_REQUEST = ("integration", "frameworks", "crash", "fleet")


def pytest_configure() -> None:
    """Let a run in the background be interrupted, and let no example of hypothesis be timed."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so does a shell start what follows `&`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if find_spec("hypothesis") is not None:  # the integration tests do without
        from hypothesis import settings

        # How long an example takes says more about the machine than about the parser.
        settings.register_profile("patient", deadline=None)
        settings.load_profile("patient")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore a folder of ON_REQUEST unless an argument of this run points into it."""
    if collection_path.parent != Path(__file__).parent or collection_path.name not in ON_REQUEST:
        return None
    asked = (Path(config.invocation_params.dir, arg.split("::")[0]) for arg in config.args)
    wanted = any(collection_path in (path.resolve(), *path.resolve().parents) for path in asked)
    return None if wanted else True
