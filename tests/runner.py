"""Click's test runner, with stdout and stderr apart in every version of Click."""

from __future__ import annotations

import inspect
from typing import Any

from click import testing
from click.testing import Result

__all__ = ["APART", "CliRunner", "Result"]

APART: dict[str, Any] = (
    {"mix_stderr": False}  # Click before 8.2 mixes them unless it is told not to
    if "mix_stderr" in inspect.signature(testing.CliRunner).parameters
    else {}
)


class CliRunner(testing.CliRunner):
    """Runs a command in this process and keeps what it prints."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**APART, **settings)
