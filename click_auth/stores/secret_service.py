"""One secret straight from the Secret Service, Linux's keyring, without the library `keyring`.

Finding out what most commands ask, one token, costs a tenth of a second in imports that keyring
needs for writing and unlocking. This reads what keyring's own backend has written, in an unlocked
default collection, and nothing else: in every doubt the answer is "do not know", and keyring is
asked. It stands on jeepney, as keyring's backend does.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from importlib import import_module
from itertools import count
from typing import Any

BACKEND = "keyring.backends.SecretService.Keyring"
"""The backend whose secrets this module finds."""

SECONDS = 3.0  # for the whole conversation: no more and no less than any call to the keyring

_NAME = "org.freedesktop.secrets"
_INTERFACE = "org.freedesktop.Secret"
_SERVICE = "/org/freedesktop/secrets"
_DEFAULT_COLLECTION = "/org/freedesktop/secrets/aliases/default"
_PIECE_BYTES = 1 << 16
_PAUSE_SECONDS = 0.005


def glance(service: str, user: str, seconds: float = SECONDS) -> str | None:
    """Return the secret of *user* under *service*, None for "do not know". Never raises."""
    if sys.platform != "linux":
        return None
    try:
        with closing(_Conversation(seconds)) as bus:
            bus.introduce_ourselves()
            return _secret(bus, service, user)
    except Exception:  # noqa: BLE001 - keyring is asked next, and says what is the matter
        return None


def _secret(bus: _Conversation, service: str, user: str) -> str | None:
    collection = (_DEFAULT_COLLECTION, "Collection")
    if bus.locked(*collection):
        return None
    attributes = {"service": service, "username": user}
    (found,) = bus.call(*collection, "SearchItems", "a{ss}", attributes)
    if len(found) != 1:
        return None
    # "plain": whoever can listen on a person's private bus can ask the service as well.
    _, session = bus.call(_SERVICE, "Service", "OpenSession", "sv", "plain", ("s", ""))
    ((_, _, secret, _),) = bus.call(found[0], "Item", "GetSecret", "o", session)
    return bytes(secret).decode()


class _Conversation:
    """A connection to the session bus, over when *seconds* have passed since it was made."""

    def __init__(self, seconds: float) -> None:
        import socket  # noqa: PLC0415 - with jeepney: for this conversation only

        self._jeepney: Any = import_module("jeepney")  # it has no types
        self._deadline = time.monotonic() + seconds
        self._serials = count(1)
        self._parser = self._jeepney.Parser()
        self._socket = socket.socket(socket.AF_UNIX)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def introduce_ourselves(self) -> None:
        """Connect, prove whose process this is, and say hello, as the bus demands."""
        self._connect()
        authenticator = self._jeepney.auth.Authenticator()
        for line in authenticator:
            self._send(line)
            authenticator.feed(self._received())
        self._send(self._jeepney.auth.BEGIN)
        self._answer(self._jeepney.message_bus.Hello())

    def locked(self, path: str, interface: str) -> bool:
        """Return whether a collection is locked."""
        address = self._jeepney.DBusAddress(path, _NAME, f"{_INTERFACE}.{interface}")
        ((_, is_locked),) = self._answer(self._jeepney.Properties(address).get("Locked"))
        return bool(is_locked)

    def call(self, path: str, interface: str, method: str, signature: str, *args: Any) -> Any:
        """Return the results of a method of the Secret Service."""
        address = self._jeepney.DBusAddress(path, _NAME, f"{_INTERFACE}.{interface}")
        return self._answer(self._jeepney.new_method_call(address, method, signature, args))

    def _connect(self) -> None:
        address = self._jeepney.find_session_bus()
        while True:
            self._socket.settimeout(self._left())
            try:
                self._socket.connect(address)
            except BlockingIOError:  # the bus has more callers than its queue takes
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def _answer(self, message: Any) -> Any:
        serial = next(self._serials)
        self._send(message.serialise(serial=serial))
        while True:
            answer = self._parser.get_next_message()
            if answer is None:
                self._parser.add_data(self._received())
            elif answer.header.fields.get(self._jeepney.HeaderFields.reply_serial) == serial:
                return self._jeepney.wrappers.unwrap_msg(answer)

    def _send(self, content: bytes) -> None:
        self._socket.settimeout(self._left())
        self._socket.sendall(content)

    def _received(self) -> bytes:
        self._socket.settimeout(self._left())
        content = self._socket.recv(_PIECE_BYTES)
        if not content:
            raise ConnectionResetError
        return content

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
