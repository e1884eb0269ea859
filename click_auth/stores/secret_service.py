"""One secret of the Secret Service, Linux's keyring, without the library `keyring`.

Finding out what most commands ask, one token, costs a tenth of a second in imports that keyring
needs; so does a refresh, which writes over two secrets. This reads and replaces what keyring's own
backend has written, in an unlocked default collection, and nothing else: in every doubt nothing is
done, and keyring is asked. It stands on jeepney, as keyring's backend does. No call here has a time
limit of its own: whoever has lost patience closes the *line*, from another thread, and the service
forgets what it was asked. So nothing is written late.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

try:
    import jeepney  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from jeepney.io import blocking  # type: ignore[import-not-found,import-untyped,unused-ignore]
except ImportError:  # keyring finds its own way, or says what is missing
    jeepney = None

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "org.freedesktop.secrets"
_SERVICE = "org.freedesktop.Secret.Service"
_COLLECTION = "org.freedesktop.Secret.Collection"
_ITEM = "org.freedesktop.Secret.Item"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_SERVICE_PATH = "/org/freedesktop/secrets"
_DEFAULT_PATH = "/org/freedesktop/secrets/aliases/default"
_NO_PROMPT = "/"


def read_secret(service: str, user: str, line: ExitStack) -> str | None:
    """Return the secret of *user* under *service*, None for "do not know". Never raises."""
    with suppress(Exception), _session_bus(line) as bus:  # keyring says what is the matter
        item, session = _find_item(bus, service, user)
        ((_, _, secret, _),) = _ask(bus, item, _ITEM, "GetSecret", "o", session)
        return bytes(secret).decode()
    return None


def replace_secret(service: str, user: str, text: str, line: ExitStack) -> bool:
    """Put *text* in place of the secret of *user* under *service*; return whether it was done.

    Not where a person is to be asked first: keyring asks them. Never raises.
    """
    with suppress(Exception), _session_bus(line) as bus:  # as above
        item, session = _find_item(bus, service, user)
        (facts,) = _ask(bus, item, _PROPERTIES, "GetAll", "s", _ITEM)
        same = {f"{_ITEM}.{name}": facts[name] for name in ("Label", "Attributes")}
        secret, replacing = (session, b"", text.encode(), "text/plain"), True
        creation = ("CreateItem", "a{sv}(oayays)b", same, secret, replacing)
        _, prompt = _ask(bus, _DEFAULT_PATH, _COLLECTION, *creation)
        return bool(prompt == _NO_PROMPT)
    return False


def is_foreign_bus() -> bool:
    """Return whether whoever serves the session bus is certainly neither this user nor root."""
    with suppress(Exception), ExitStack() as line:  # no bus, no jeepney: keyring says so
        return not _is_ours(_connect(line))
    return False


def _connect(line: ExitStack) -> socket.socket:
    bus = line.enter_context(closing(socket.socket(socket.AF_UNIX)))
    line.callback(_hang_up, bus)
    bus.connect(jeepney.find_session_bus())
    return bus


def _hang_up(bus: socket.socket) -> None:
    """Wake up whoever waits for an answer."""
    with suppress(OSError):  # it is not connected, or no more
        bus.shutdown(socket.SHUT_RDWR)


def _is_ours(bus: socket.socket) -> bool:
    peer = bus.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)  # pid, uid, gid
    return int.from_bytes(peer[4:8], sys.byteorder) in (0, os.geteuid())


@contextmanager
def _session_bus(line: ExitStack) -> Iterator[Any]:
    """Connect, prove whose process this is, and say hello, unless the bus is somebody else's.

    That one is given no word.
    """
    with line:
        bus = _connect(line)
        if not _is_ours(bus):
            raise PermissionError
        authenticator = jeepney.auth.Authenticator()
        for command in authenticator:
            bus.sendall(command)
            authenticator.feed(blocking.unwrap_read(bus.recv(1024)))
        bus.sendall(jeepney.auth.BEGIN)
        with blocking.DBusConnection(bus) as connection:
            yield connection


def _find_item(bus: Any, service: str, user: str) -> tuple[str, str]:
    """Return where the one item of *user* under *service* is, and a session to ask for it in.

    Raises LookupError where there is none, or several, or the collection is locked.
    """
    ((_, is_locked),) = _ask(bus, _DEFAULT_PATH, _PROPERTIES, "Get", "ss", _COLLECTION, "Locked")
    attributes = {"service": service, "username": user}
    (found,) = _ask(bus, _DEFAULT_PATH, _COLLECTION, "SearchItems", "a{ss}", attributes)
    if is_locked or len(found) != 1:
        raise LookupError
    # "plain": whoever can listen on a person's private bus can ask the service as well.
    opening = ("OpenSession", "sv", "plain", ("s", ""))
    _, session = _ask(bus, _SERVICE_PATH, _SERVICE, *opening)
    return found[0], session


def _ask(bus: Any, path: str, interface: str, method: str, signature: str, *args: Any) -> Any:
    """Return what the other side answers. Raises what it answers of an error."""
    address = jeepney.DBusAddress(path, _NAME, interface)
    message = jeepney.new_method_call(address, method, signature, args)
    return jeepney.wrappers.unwrap_msg(bus.send_and_get_reply(message))
