"""What a keyring can do to us, told apart, in words that never quote it.

A backend's own message may hold the secret that it choked on, so that only the names of its
exceptions are shown.
"""

from __future__ import annotations

import re
from typing import Literal

from click_auth.errors import StorageUnavailable

Kind = Literal["locked", "denied", "absent", "hanging", "lying", "truncating", "failing"]

_INTERACTION_NOT_ALLOWED = "-25308"
_DENIED_BY_PERSON = r"-128\b"

_MESSAGES: dict[Kind, str] = {
    "locked": "The keyring is locked",
    "denied": "Access to the keyring was denied",
    "absent": "There is no usable keyring here",
    "hanging": "The keyring did not answer in time",
    "lying": "The keyring did not keep what it was given",
    "truncating": "The keyring cut off what it was given",
    "failing": "The keyring failed",
}
_HINTS: dict[Kind, str] = {
    "denied": "Allow the access when you are asked.",
    "absent": "Install or start one, or store in a file with --storage plaintext.",
    "hanging": "Look for a prompt that waits for you, or store in a file with --storage plaintext.",
}
_UNLOCKING = {
    "macOS": "Run `security unlock-keychain` and try again.",
    "Windows": "Sign in to Windows with your password and try again.",
    "kwallet": "Unlock it: open the wallet in KWalletManager, and try again.",
    "": "Unlock it and try again: open Passwords and Keys, or the database in KeePassXC; without a "
    "desktop run `gnome-keyring-daemon --unlock`.",
}


class KeyringFault(StorageUnavailable):
    """The keyring did not do what it was asked; `kind` says what it did instead."""

    def __init__(self, kind: Kind, backend: str, detail: str = "", system: str = "") -> None:
        unlocking = next(way for part, way in _UNLOCKING.items() if part in (system or backend))
        hint = unlocking if kind == "locked" else _HINTS.get(kind)
        hints = [] if hint is None else [hint]
        about = f"backend {backend}: {detail}" if detail else f"backend {backend}"
        super().__init__(f"{_MESSAGES[kind]} ({about}).", hints=hints)
        self.kind = kind
        self.is_late: bool = kind == "hanging"


class NoBackend(Exception):
    """Keyring could not even say which backend to use."""


def trouble_of(error: BaseException, backend: str) -> KeyringFault:
    """Return what *error*, raised by a keyring backend, comes down to."""
    chain = _chain(error)
    names = {type(each).__name__ for each in chain}
    words = " ".join(map(_text, chain))
    if isinstance(error, NoBackend):
        return KeyringFault("absent", backend, type(chain[-1]).__name__)
    if "NoKeyringError" in names:
        return KeyringFault("absent", backend)
    if _INTERACTION_NOT_ALLOWED in words:
        return KeyringFault("locked", backend, system="macOS")
    if re.search(_DENIED_BY_PERSON, words) or _any("Denied", names):
        return KeyringFault("denied", backend)
    if _any("Locked", names) or _any("Dismissed", names):  # a prompt that nobody could see, too
        return KeyringFault("locked", backend)
    return KeyringFault("failing", backend, type(error).__name__)


def _any(part: str, names: set[str]) -> bool:
    return any(part in name for name in names)


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and all(error is not each for each in chain):
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - whatever a backend's exception does
        return ""
