"""What is known of keyring's backends by their names, and what their exceptions come down to.

Imports none of them. A backend's own message may hold the secret that it choked on, so that only
the names of its exceptions are shown.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from click_auth.errors import StorageUnavailable

LINUX_BACKEND = "keyring.backends.SecretService.Keyring"
"""The backend whose secrets `secret_service` finds."""

STORES_NOTHING = "it stores nothing"
STORES_PLAINTEXT = "it stores secrets unencrypted"

Kind = Literal["locked", "denied", "absent", "hanging", "lying", "truncating", "failing"]

_STORE_NOTHING = ("keyring.backends.null", "keyring.backends.fail")

# Nothing else is imported because a record names it: it might lie in the current directory.
_KNOWN = {
    LINUX_BACKEND,
    "keyring.backends.libsecret.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.kwallet.DBusKeyringKWallet4",
    "keyring.backends.macOS.Keyring",
    "keyring.backends.Windows.WinVaultKeyring",
}
_ON_A_BUS = ("SecretService", "libsecret", "kwallet")

_INTERACTION_NOT_ALLOWED = "-25308"  # macOS
_DENIED_BY_PERSON = r"-128\b"  # macOS

_OR_FILE = "or log in with `--storage plaintext`."
_MESSAGES: dict[Kind, tuple[str, str]] = {
    "locked": ("The keyring is locked", ""),  # how it is unlocked depends on the backend
    "denied": ("Access to the keyring was denied", "Allow access when prompted."),
    "absent": ("No system keyring is available", f"Install or start one, {_OR_FILE}"),
    "hanging": (
        "The keyring didn't respond in time",
        f"Look for a prompt waiting for you, {_OR_FILE}",
    ),
    "lying": ("The keyring didn't save what was written to it", ""),
    "truncating": ("The keyring truncated what was written to it", ""),
    "failing": ("The keyring failed", ""),
}
_UNLOCKING = {
    "macOS": "Run `security unlock-keychain` and try again.",
    "Windows": "Sign in to Windows with your password and try again.",
    "kwallet": "Unlock it: open the wallet in KWalletManager, and try again.",
    "": "Unlock it and try again: open Passwords and Keys, or the database in KeePassXC; without a "
    "desktop run `gnome-keyring-daemon --unlock`.",
}


class Backend(NamedTuple):
    """What matters about a keyring backend.

    `weakness` says why it is no system keyring, None where it is one.
    """

    name: str = "unknown"
    weakness: str | None = None

    @property
    def is_small(self) -> bool:
        """Whether it is known to refuse long secrets."""
        return "WinVaultKeyring" in self.name

    @property
    def is_on_a_bus(self) -> bool:
        """Whether it asks another process on the session bus."""
        return any(each in self.name for each in _ON_A_BUS)

    @property
    def origin(self) -> str | None:
        """The name by which keyring loads it again without a search; None of what is not known.

        A chain of backends has no such name: it is made of what a search finds.
        """
        return self.name if self.name in _KNOWN else None


def describe_backend(backend: object) -> Backend:
    """Return what is known of a backend; a chain of backends is as good as its first."""
    names = [f"{each.__module__}.{each.__qualname__}" for each in type(backend).__mro__]
    name = names[0]
    if name.startswith("keyring.backends.chainer."):
        first = next(iter(getattr(backend, "backends", None) or ()), None)
        if first is None:
            return Backend(name, STORES_NOTHING)
        facts = describe_backend(first)
        return facts._replace(name=f"{name} of {facts.name}")
    if any(each.startswith(_STORE_NOTHING) for each in names):
        return Backend(name, STORES_NOTHING)
    is_plain = any(each.startswith("keyrings.alt") and "Plaintext" in each for each in names)
    return Backend(name, STORES_PLAINTEXT if is_plain else None)


class KeyringFault(StorageUnavailable):
    """The keyring did not do what it was asked; `kind` says what it did instead."""

    def __init__(self, kind: Kind, backend: str, detail: str = "", system: str = "") -> None:
        message, hint = _MESSAGES[kind]
        if kind == "locked":
            hint = next(way for part, way in _UNLOCKING.items() if part in (system or backend))
        about = f"backend {backend}: {detail}" if detail else f"backend {backend}"
        super().__init__(f"{message} ({about}).", hints=[hint] if hint else [])
        self.kind = kind
        self.is_late: bool = kind == "hanging"


def fault_of(error: BaseException, backend: str) -> KeyringFault:
    """Return what *error*, raised by a keyring backend or on the way to it, comes down to."""
    if isinstance(error, KeyringFault):
        return error
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    names = " ".join(type(each).__name__ for each in chain)
    words = " ".join(str(each.args) for each in chain)
    if "NoKeyringError" in names:
        return KeyringFault("absent", backend)
    if _INTERACTION_NOT_ALLOWED in words:
        return KeyringFault("locked", backend, system="macOS")
    if re.search(_DENIED_BY_PERSON, words) or "Denied" in names:
        return KeyringFault("denied", backend)
    if "Locked" in names or "Dismissed" in names:  # a prompt that nobody could see, too
        return KeyringFault("locked", backend)
    return KeyringFault("failing", backend, type(error).__name__)
