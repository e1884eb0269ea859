from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from click_auth import Account
from click_auth.record import PLAINTEXT, Record
from click_auth.stores.records import RecordFile

PROGRAM = Path(__file__).with_name("todo.py")
TOKEN = "it's $HOME `of` tokens".replace(" ", "_")


class Todo:
    """`todo` as a process of its own, with Ada's token in its record file."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.folder = folder
        self.expires_at = int(time.time()) + 3600
        ada = Record(
            Account("ada"),
            storage=PLAINTEXT,
            fallback_token=TOKEN,
            access_token_expires_at=self.expires_at,
            has_refresh_token=False,
            **more,
        )
        RecordFile(folder).insert_if_absent(ada)

    @property
    def environ(self) -> dict[str, str]:
        """Its environment: ours, with its own folder and no token."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TODO_")}
        return {**kept, "TODO_CONFIG_DIR": str(self.folder)}

    def command(self, *words: str) -> Sequence[str]:
        """Return what runs `todo auth WORDS`."""
        return [sys.executable, str(PROGRAM), "auth", *words]

    def run(self, *words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `todo auth WORDS` to its end."""
        return subprocess.run(
            self.command(*words),
            input=stdin,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def make_todo(tmp_path: Path) -> Callable[..., Todo]:
    """Make a `todo` whose record has fields of one's own."""
    return lambda **more: Todo(tmp_path / "todo", **more)


@pytest.fixture
def todo(make_todo: Callable[..., Todo]) -> Todo:
    """A `todo` that Ada is logged in to."""
    return make_todo()
