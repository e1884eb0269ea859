"""Secrets sealed with a key: AES-256-GCM of `cryptography`, bound to where they belong.

A sealed text is `sealed:1:` and the base64 of nonce, ciphertext and tag. The application and the
slot, which is the account's key and the field, are the associated data, so that no value opens in
the place of another. Keys come from the end user's environment, or from the application.
"""

from __future__ import annotations

import contextlib
import json
import os
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from click_auth.errors import BAD_SETTING, AuthError, StorageUnavailable
from click_auth.record import Unpickled

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:  # the extra `encrypted` brings it
    AESGCM = None  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from click_auth.environment import Environment

KeyGiven = bytes | Iterable[bytes] | Callable[[], "bytes | Iterable[bytes]"]
"""What `Auth(key=)` takes: 32 bytes, several of them (the first seals), or what returns either."""

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_VERSION = "1"
_PREFIX = f"sealed:{_VERSION}:"
_LONGEST_KEY_FILE = 64 * 1024


class Keys(Unpickled):
    """Keys of 32 bytes, of which the first seals and each opens; `source` says whence they are.

    `file` is where they lie if its mode has to keep others out; systemd does so for its own.
    """

    def __init__(self, keys: Iterable[bytes], source: str, file: str | None = None) -> None:
        self.all: tuple[bytes, ...] = tuple(keys)
        self.source = source
        self.file = file
        if not self.all or any(len(key) != _KEY_BYTES for key in self.all):
            raise malformed(source)


def malformed(source: str) -> AuthError:
    """Return the error of a key that is none. It quotes nothing of it."""
    return AuthError(
        f"{source} does not contain a key: {_KEY_BYTES} bytes, as base64 or (in a file) raw.",
        code=BAD_SETTING,
        hints=["`head -c 32 /dev/urandom | base64` makes one."],
    )


def find_keys(environment: Environment, given: KeyGiven | None = None) -> Keys | None:
    """Return the keys in effect: `<APP>_AUTH_KEY`, then `<APP>_AUTH_KEY_FILE`, then *given*.

    Raises `AuthError` (AUTH_BAD_SETTING) where what is there is no key.
    """
    name = environment.name("AUTH_KEY")
    if (text := environment.value("AUTH_KEY")) is not None:
        return Keys(_decoded(text.encode(), name), name)
    if (path := environment.value("AUTH_KEY_FILE")) is not None:
        systemd = environment.environ.get("CREDENTIALS_DIRECTORY")
        file = None if systemd and path.startswith(f"{systemd}/") else os.path.expanduser(path)  # noqa: PTH111 - as below
        return Keys(_in_file(path, f"{name}_FILE"), f"{name}_FILE={path}", file)
    if given is None:
        return None
    keys = given() if callable(given) else given
    return Keys([keys] if isinstance(keys, bytes) else keys, "Auth(key=)")


def _in_file(path: str, name: str) -> list[bytes]:
    try:
        with open(os.path.expanduser(path), "rb") as file:  # noqa: PTH111, PTH123 - no pathlib yet
            content = file.read(_LONGEST_KEY_FILE)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it names no file"
        raise AuthError(f"{name} can't be read: {path}: {reason}.", code=BAD_SETTING) from None
    return [content] if len(content) == _KEY_BYTES else _decoded(content, f"{name}={path}")


def _decoded(text: bytes, source: str) -> list[bytes]:
    """Return the keys in *text*, base64 of either alphabet, between blanks or commas."""
    try:
        words = text.translate(bytes.maketrans(b"-_,", b"+/ ")).split()
        return [b64decode(word.rstrip(b"=") + b"=", validate=True) for word in words]
    except ValueError:
        raise malformed(source) from None


def make_cipher(environment: Environment, given: KeyGiven | None) -> Cipher | None:
    """Return what seals with the keys in effect, None where there are none.

    Raises as `find_keys`, and `StorageUnavailable` where the package `cryptography` is missing.
    """
    keys = find_keys(environment, given)
    return None if keys is None else Cipher(environment.app_name, keys)


class Cipher(Unpickled):
    """Seals and opens the secrets of one application.

    Raises `StorageUnavailable` where the package `cryptography` is missing.
    """

    def __init__(self, app_name: str, keys: Keys) -> None:
        if AESGCM is None:
            message = "Encrypted storage needs cryptography: install click-auth[encrypted]."
            raise StorageUnavailable(message)
        self._app_name = app_name
        self.keys = keys

    def seal(self, secret: str, slot: str) -> str:
        """Return *secret* sealed for *slot*, which names an account and a field of it."""
        nonce = os.urandom(_NONCE_BYTES)
        content = AESGCM(self.keys.all[0]).encrypt(nonce, secret.encode(), self._place(slot))
        return f"{_PREFIX}{urlsafe_b64encode(nonce + content).decode()}"

    def open(self, sealed: str, slot: str) -> str:
        """Return the secret that was sealed for just this place.

        Raises `StorageUnavailable`, of which a person reads what to do.
        """
        if not sealed.startswith(_PREFIX):
            raise self._unopened(slot, "this version doesn't know its format")
        content = b""
        with contextlib.suppress(ValueError):
            content = urlsafe_b64decode(sealed.removeprefix(_PREFIX))
        if len(content) < _NONCE_BYTES + _TAG_BYTES:
            raise self._unopened(slot, "it is truncated or was edited")
        nonce, content = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
        for each in self.keys.all:
            with contextlib.suppress(InvalidTag):
                return AESGCM(each).decrypt(nonce, content, self._place(slot)).decode()
        raise self._unopened(slot, f"no key of {self.keys.source} opens it, or it was edited")

    def _place(self, slot: str) -> bytes:
        return json.dumps(["click-auth", _VERSION, self._app_name, slot]).encode()

    def _unopened(self, slot: str, reason: str) -> StorageUnavailable:
        return StorageUnavailable(
            f"The encrypted credential {slot} can't be decrypted: {reason}. Nothing was changed.",
            hints=["Restore the key it was encrypted with, or log in again."],
        )
