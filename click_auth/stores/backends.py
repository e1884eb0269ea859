"""What is known of keyring's backends by their names. Imports none of them."""

from __future__ import annotations

from typing import NamedTuple

STORES_NOTHING = "it stores nothing"
STORES_PLAINTEXT = "it stores secrets in plain text"

_WINDOWS_CHARACTERS = 1200  # 2,560 bytes of UTF-16, and room for what the backend adds

_STORE_NOTHING = ("keyring.backends.null", "keyring.backends.fail")

# Nothing else is imported because a record names it: it might lie in the current directory.
_KNOWN = {
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.libsecret.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.kwallet.DBusKeyringKWallet4",
    "keyring.backends.macOS.Keyring",
    "keyring.backends.Windows.WinVaultKeyring",
}
_ON_A_BUS = ("SecretService", "libsecret", "kwallet")


class Backend(NamedTuple):
    """What matters about a keyring backend.

    `weakness` says why it is no system keyring, None where it is one. `limit` is how many
    characters of the basic plane one secret may have, None where no limit is known.
    """

    name: str = "unknown"
    weakness: str | None = None
    limit: int | None = None

    @property
    def is_macos(self) -> bool:
        """Whether it is the Keychain of macOS."""
        return "keyring.backends.macOS" in self.name

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


def facts_of(backend: object) -> Backend:
    """Return what is known of a backend; a chain of backends is as good as its first."""
    name = _path_of(type(backend))
    if name.startswith("keyring.backends.chainer."):
        first = next(iter(getattr(backend, "backends", None) or ()), None)
        if first is None:
            return Backend(name, STORES_NOTHING)
        facts = facts_of(first)
        return facts._replace(name=f"{name} of {facts.name}")
    limit = _WINDOWS_CHARACTERS if "WinVaultKeyring" in name else None
    return Backend(name, _weakness(type(backend)), limit)


def _weakness(kind: type) -> str | None:
    names = [_path_of(each) for each in kind.__mro__]
    if any(name.startswith(_STORE_NOTHING) for name in names):
        return STORES_NOTHING
    if any(name.startswith("keyrings.alt") and "Plaintext" in name for name in names):
        return STORES_PLAINTEXT
    return None


def _path_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
