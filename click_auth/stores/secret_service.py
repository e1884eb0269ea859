"""One secret of the Secret Service, Linux's keyring, without the library `keyring`.

Finding out what most commands ask, one token, costs a tenth of a second in imports that keyring
needs; so does a refresh, which writes over two secrets. This reads and replaces what keyring's own
backend has written, in an unlocked default collection, and nothing else: in every doubt nothing is
done, and keyring is asked. It stands on jeepney, as keyring's backend does.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import closing, suppress
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from click_auth.timeouts import Deadline, TimedOut

try:
    import jeepney  # type: ignore[import-not-found,import-untyped,unused-ignore]
except ImportError:  # keyring finds its own way, or says what is missing
    jeepney = None

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SECONDS = 3.0  # for the whole conversation: no more and no less than any call to the keyring

_NAME = "org.freedesktop.secrets"
_INTERFACE = "org.freedesktop.Secret"
_SERVICE = "/org/freedesktop/secrets"
_NO_PROMPT = "/"
_PIECE_BYTES = 1 << 16
_PAUSE_SECONDS = 0.005


class ForeignBus(Exception):
    """The socket at the bus's address is neither this user's nor root's."""


def read_secret(service: str, user: str, deadline: Deadline | None = None) -> str | None:
    """Return the secret of *user* under *service*, None for "do not know".

    Raises `TimedOut` at *deadline*, and nothing else ever.
    """

    def read(bus: _Conversation, item: Any, session: str) -> str:
        ((_, _, secret, _),) = bus.ask(_call(item, "GetSecret", "o", session))
        return bytes(secret).decode()

    return _act(read, service, user, deadline)


def replace_secret(service: str, user: str, text: str, deadline: Deadline | None = None) -> bool:
    """Put *text* in place of the secret of *user* under *service*; return whether it was done.

    Not where a person is to be asked first: keyring asks them. Raises `TimedOut` as `read_secret`.
    """

    def replace(bus: _Conversation, item: Any, session: str) -> bool:
        (facts,) = bus.ask(jeepney.Properties(item).get_all())
        same = {f"{_INTERFACE}.Item.{name}": facts[name] for name in ("Label", "Attributes")}
        secret = (session, b"", text.encode(), "text/plain")
        creation = _call(_collection(), "CreateItem", "a{sv}(oayays)b", same, secret, True)  # noqa: FBT003
        _, prompt = bus.ask(creation)
        return bool(prompt == _NO_PROMPT)

    return bool(_act(replace, service, user, deadline))


def is_foreign_bus() -> bool:
    """Return whether whoever serves the session bus is certainly neither this user nor root."""
    try:
        with closing(_Conversation(Deadline(SECONDS))) as bus:
            bus.connect()
    except ForeignBus:
        return True
    except Exception:  # noqa: BLE001 - no bus, no jeepney: keyring says what is the matter
        return False
    return False


def _act(
    act: Callable[[_Conversation, Any, str], T], service: str, user: str, deadline: Deadline | None
) -> T | None:
    """Return what *act* returns of the item and a session, None in every doubt."""
    try:
        with closing(_Conversation(deadline or Deadline(SECONDS))) as bus:
            bus.authenticate()
            collection = _collection()
            ((_, is_locked),) = bus.ask(jeepney.Properties(collection).get("Locked"))
            if is_locked:
                return None
            attributes = {"service": service, "username": user}
            (found,) = bus.ask(_call(collection, "SearchItems", "a{ss}", attributes))
            if len(found) != 1:
                return None
            # "plain": whoever can listen on a person's private bus can ask the service as well.
            opening = _call(_address(_SERVICE, "Service"), "OpenSession", "sv", "plain", ("s", ""))
            _, session = bus.ask(opening)
            return act(bus, _address(found[0], "Item"), session)
    except TimedOut:
        raise
    except Exception:  # noqa: BLE001 - keyring is asked next, and says what is the matter
        return None


def _collection() -> Any:
    return _address("/org/freedesktop/secrets/aliases/default", "Collection")


def _address(path: str, interface: str) -> Any:
    return jeepney.DBusAddress(path, _NAME, f"{_INTERFACE}.{interface}")


def _call(address: Any, method: str, signature: str, *args: Any) -> Any:
    return jeepney.new_method_call(address, method, signature, args)


class _Conversation:
    """A connection to the session bus, over at *deadline*."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._serials = count(1)
        self._parser = jeepney.Parser()
        self._socket = socket.socket(socket.AF_UNIX)
        self.close = self._socket.close

    def connect(self) -> None:
        """Connect, and raise `ForeignBus` unless the bus is ours: it is given no word."""
        address = jeepney.find_session_bus()
        while True:
            self._socket.settimeout(self._deadline.left())
            try:
                self._socket.connect(address)
                break
            except BlockingIOError:  # the bus has more callers than its queue takes
                time.sleep(_PAUSE_SECONDS)
        peer = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)  # pid, uid, gid
        if int.from_bytes(peer[4:8], sys.byteorder) not in (0, os.geteuid()):
            raise ForeignBus

    def authenticate(self) -> None:
        """Connect, prove whose process this is, and say hello, as the bus demands."""
        self.connect()
        authenticator = jeepney.auth.Authenticator()
        for line in authenticator:
            self._send(line)
            authenticator.feed(self._receive())
        self._send(jeepney.auth.BEGIN)
        self.ask(jeepney.message_bus.Hello())

    def ask(self, message: Any) -> Any:
        """Return what the other side answers to *message*. Raises what it answers of an error."""
        serial = next(self._serials)
        self._send(message.serialise(serial=serial))
        while True:
            answer = self._parser.get_next_message()
            if answer is None:
                self._parser.add_data(self._receive())
            elif answer.header.fields.get(jeepney.HeaderFields.reply_serial) == serial:
                return jeepney.wrappers.unwrap_msg(answer)

    def _send(self, content: bytes) -> None:
        self._socket.settimeout(self._deadline.left())
        self._socket.sendall(content)

    def _receive(self) -> bytes:
        while True:
            self._socket.settimeout(self._deadline.left())
            with suppress(TimeoutError):  # there may be more time
                content = self._socket.recv(_PIECE_BYTES)
                break
        if not content:
            raise ConnectionResetError
        return content
