"""Keeps tests away from the real keyring, and remembers which of them tried."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from click_auth.stores import keychain

if TYPE_CHECKING:
    from collections.abc import Iterator

_HARMLESS = ("keyring.backends.null", "keyring.backends.fail")


class RealKeyringTouched(Exception):
    """Click-auth was about to touch the real keyring in a test."""


class KeyringGuard:
    """Stands before the keyring module from `install()` to `remove()`, for the whole test run.

    It refuses as long as no `allowed()` block is open. Child processes are refused by an
    environment variable that the keyring module knows.
    """

    def __init__(self) -> None:
        self._refused: list[str] = []
        self._allowed = False
        self._patch = pytest.MonkeyPatch()

    def install(self) -> None:
        """Guard the keyring module; the keyring library is not loaded for this."""
        self._patch.setenv(keychain.REFUSAL, "1")
        self._patch.setattr(keychain, "guard", self)

    def remove(self) -> None:
        """Take everything back."""
        self._patch.undo()

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let everything pass inside of the block, in child processes too."""
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv(keychain.REFUSAL, raising=False)
            patch.setattr(self, "_allowed", True)
            yield

    def check(self) -> None:
        """Raise `RealKeyringTouched` if anything was refused since the last check."""
        refused, self._refused = self._refused, []
        if refused:
            raise RealKeyringTouched(_explain(refused))

    def __call__(self, operation: str) -> None:
        """Refuse an operation, unless it is allowed or a test's own backend would do it."""
        if self._allowed or not _is_real():
            return
        self._refused.append(operation)
        raise RealKeyringTouched(_explain([operation]))


def _is_real() -> bool:
    """Whether keyring would use a backend of its own, not one that a test has put in place."""
    backend = getattr(sys.modules.get("keyring.core"), "_keyring_backend", None)
    chosen = os.environ.get("PYTHON_KEYRING_BACKEND", "")
    module = chosen if backend is None else type(backend).__module__
    own = not module or module.startswith(("keyring.", "keyrings."))
    return own and not module.startswith(_HARMLESS)


def _explain(refused: list[str]) -> str:
    return (
        f"click-auth was about to touch the real keyring ({', '.join(refused)}); isolate it with "
        "the fixture isolated_auth, or mark the test real_keyring"
    )
