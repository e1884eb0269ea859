"""One secret straight from the Secret Service, Linux's keyring, without the library `keyring`.

Finding out what most commands ask, one token, costs a tenth of a second in imports that keyring
needs for writing and unlocking. This reads what keyring's own backend has written, in an unlocked
default collection, and nothing else: in every doubt the answer is "do not know", and keyring is
asked. It stands on jeepney, as keyring's backend does.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing, suppress
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BACKEND = "keyring.backends.SecretService.Keyring"
"""The backend whose secrets this module finds."""

SECONDS = 3.0  # for the whole conversation: no more and no less than any call to the keyring

_NAME = "org.freedesktop.secrets"
_INTERFACE = "org.freedesktop.Secret"
_SERVICE = "/org/freedesktop/secrets"
_DEFAULT_COLLECTION = "/org/freedesktop/secrets/aliases/default"
_PIECE_BYTES = 1 << 16
_PAUSE_SECONDS = 0.005


class ForeignBus(Exception):
    """The socket at the bus's address is neither this user's nor root's."""


def glance(
    service: str, user: str, seconds: float = SECONDS, more: Callable[[], float] = lambda: 0.0
) -> str | None:
    """Return the secret of *user* under *service*, None for "do not know".

    When *seconds* are over *more* is asked for how many are added; none, and this raises
    TimeoutError, and nothing else ever.
    """
    if sys.platform != "linux":
        return None
    try:
        with closing(_Conversation(seconds, more)) as bus:
            bus.introduce_ourselves()
            return _secret(bus, service, user)
    except TimeoutError:
        raise
    except Exception:  # noqa: BLE001 - keyring is asked next, and says what is the matter
        return None


def is_foreign_bus() -> bool:
    """Return whether whoever serves the session bus is certainly neither this user nor root."""
    if sys.platform != "linux":
        return False
    try:
        with closing(_Conversation(SECONDS, lambda: 0.0)) as bus:
            bus.connect()
    except ForeignBus:
        return True
    except Exception:  # noqa: BLE001 - no bus, no jeepney: keyring says what is the matter
        return False
    return False


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
    """A connection to the session bus, over when *seconds*, and then *more*, have passed."""

    def __init__(self, seconds: float, more: Callable[[], float]) -> None:
        import socket  # noqa: PLC0415 - with jeepney: for this conversation only

        self._jeepney: Any = import_module("jeepney")  # it has no types
        self._deadline = time.monotonic() + seconds
        self._more = more
        self._serials = count(1)
        self._parser = self._jeepney.Parser()
        self._socket = socket.socket(socket.AF_UNIX)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def introduce_ourselves(self) -> None:
        """Connect, prove whose process this is, and say hello, as the bus demands."""
        self.connect()
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

    def connect(self) -> None:
        """Connect, and raise `ForeignBus` unless the bus is ours: it is given no word."""
        import socket  # noqa: PLC0415 - as above

        self._reach(self._jeepney.find_session_bus())
        peer = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)  # pid, uid, gid
        if int.from_bytes(peer[4:8], sys.byteorder) not in (0, os.geteuid()):
            raise ForeignBus

    def _reach(self, address: str) -> None:
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
        while True:
            self._socket.settimeout(self._left())
            with suppress(TimeoutError):  # there may be more time
                content = self._socket.recv(_PIECE_BYTES)
                break
        if not content:
            raise ConnectionResetError
        return content

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            if (left := self._more()) <= 0:
                raise TimeoutError
            self._deadline = time.monotonic() + left
        return left
