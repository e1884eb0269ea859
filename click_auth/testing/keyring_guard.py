"""Keeps tests away from the real keyring and record files, and remembers which of them tried."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from click_auth.stores import keychain, record_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_HARMLESS = ("keyring.backends.null", "keyring.backends.fail")


class RealKeyringTouched(Exception):
    """Click-auth was about to touch the real keyring, or a real record file, in a test."""


class KeyringGuard:
    """Stands before keyring and record files from `install()` to `remove()`, a whole test run.

    It refuses as long as no `allowed()` block is open. Child processes are refused by
    environment variables that the guarded modules know. A real record file is one where
    applications keep theirs on this machine, as it was when the guard was installed.
    """

    def __init__(self) -> None:
        self._refused: list[str] = []
        self._allowed = False
        self._patch = pytest.MonkeyPatch()

    def install(self) -> None:
        """Guard both modules; no library is loaded for this."""
        self._patch.setenv(keychain.REFUSAL, "1")
        self._patch.setattr(keychain, "guard", self)
        self._patch.setenv(record_file.REFUSAL, str(Path(click.get_app_dir("any")).parent))
        self._patch.setattr(record_file, "guard", self.refuse_record_file)

    def remove(self) -> None:
        """Take everything back."""
        self._patch.undo()

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let everything pass inside of the block, in child processes too."""
        with pytest.MonkeyPatch.context() as patch:
            for name in (keychain.REFUSAL, record_file.REFUSAL):
                patch.delenv(name, raising=False)
            patch.setattr(self, "_allowed", True)
            yield

    def check(self) -> None:
        """Raise `RealKeyringTouched` if anything was refused since the last check."""
        refused, self._refused = self._refused, []
        if refused:
            raise RealKeyringTouched(_explain(refused))

    def __call__(self, operation: str) -> None:
        """Refuse an operation, unless it is allowed or a test's own backend would do it."""
        if not self._allowed and _is_real():
            self._refuse(f"the real keyring ({operation})")

    def refuse_record_file(self, path: str) -> None:
        """Refuse a real record file, unless it is allowed."""
        if not self._allowed:
            self._refuse(f"the real record file {path}")

    def _refuse(self, what: str) -> None:
        self._refused.append(what)
        raise RealKeyringTouched(_explain([what]))


def _is_real() -> bool:
    """Whether keyring would use a backend of its own, not one that a test has put in place."""
    backend = getattr(sys.modules.get("keyring.core"), "_keyring_backend", None)
    chosen = os.environ.get("PYTHON_KEYRING_BACKEND", "")
    module = chosen if backend is None else type(backend).__module__
    own = not module or module.startswith(("keyring.", "keyrings."))
    return own and not module.startswith(_HARMLESS)


def _explain(refused: list[str]) -> str:
    return (
        f"click-auth was about to touch {', '.join(refused)}; isolate it with "
        "the fixture isolated_auth, or mark the test real_keyring"
    )
