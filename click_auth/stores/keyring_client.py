"""The operating system's keyring: the only module that knows the library `keyring`.

Every call is made on a daemon thread and bounded, because a backend may wait for ever for a
prompt that nobody sees; where somebody may see it they are told, and given the time to answer.
Every exception becomes a `KeyringFault` that says what happened.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from click_auth import stores
from click_auth.console import console
from click_auth.errors import StorageUnavailable
from click_auth.stores.keyring_backends import (
    LINUX_BACKEND,
    Backend,
    KeyringFault,
    describe_backend,
    fault_of,
)
from click_auth.timeouts import Deadline, TimedOut, call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyring.backend import KeyringBackend

T = TypeVar("T")

CALL_SECONDS = 3.0
PERSON_SECONDS = 60.0

_SETTINGS = ("PYTHON_KEYRING_BACKEND", "KEYRING_PROPERTY_")
_DELETIONS = 3  # a keyring may hold a secret twice; delete takes one
_MACOS_PAUSE_SECONDS = 0.05
_LATE_READ = 1.5  # times the bound, beyond it

most_seconds: ContextVar[float | None] = ContextVar("click_auth_keyring_most", default=None)
"""How long a call may take where a prompt is answered; None: that depends on the terminal."""


class KeyringClient:
    """The slots of one application, as the backend has them, and what is known of the backend.

    A call may take *seconds*, by default three, longer where a person may be asked. Every method
    raises `KeyringFault`.
    """

    def __init__(self, app_name: str, seconds: float | None = None) -> None:
        self.backend: Backend = Backend()
        self._app_name = app_name
        self._seconds = CALL_SECONDS if seconds is None else seconds
        self._is_bus_ours = False
        self._remembered: str | None = None
        self._loaded: KeyringBackend | None = None
        self._stuck: threading.Event | None = None

    def remember(self, origin: str | None) -> None:
        """Use the backend of this name from now on, unless somebody has chosen another one."""
        if self._loaded is None:
            self._remembered = Backend(origin or "").origin

    def search_anew(self) -> bool:
        """Let go of the remembered backend; return whether it was in use."""
        was_in_use = self._loaded is not None
        self._remembered = self._loaded = None
        return was_in_use

    def check(self) -> None:
        """Raise unless there is a backend, and a system keyring it is."""
        self._call("look for a backend", lambda _: None)
        self._refuse_weak()

    def read(self, slot: str) -> str | None:
        """Return what the slot holds. Raises where the backend is no system keyring."""
        text: str | None = self._ask_directly("read_secret", slot)
        if text is not None:
            return text
        try:
            text = self._get(slot)
        except KeyringFault as fault:
            if "keyring.backends.macOS" not in self.backend.name or fault.kind != "failing":
                raise
            time.sleep(_MACOS_PAUSE_SECONDS)  # two readers at once: one of them fails
            text = self._get(slot)
        if text is None:
            self._refuse_weak()
        return text

    def write(self, slot: str, text: str, before: str | None) -> None:
        """Put *text* into the slot, read it back, and put *before* back where that fails."""
        try:
            self.overwrite(slot, text)
        except KeyringFault:
            with contextlib.suppress(StorageUnavailable):
                if self.read(slot) != before:
                    self.erase(slot) if before is None else self.set(slot, before)
            raise

    def overwrite(self, slot: str, text: str) -> None:
        """Put *text* into the slot and read it back."""
        self.set(slot, text)
        kept = self.read(slot)
        if kept != text:
            is_cut = bool(kept) and text.startswith(kept or "")
            raise KeyringFault("truncating" if is_cut else "lying", self.backend.name)

    def set(self, slot: str, text: str) -> None:
        """Put *text* into the slot, on trust."""
        self._refuse_weak()
        if not self._ask_directly("replace_secret", slot, text):
            self._call(f"write {slot}", lambda each: each.set_password(*self._place(slot), text))

    def erase(self, slot: str) -> None:
        """Empty the slot and make sure that it is empty."""

        def delete(backend: KeyringBackend) -> Exception | None:
            try:
                backend.delete_password(*self._place(slot))
            except Exception as error:  # noqa: BLE001 - perhaps nothing was there: a read will tell
                return error
            return None

        for _ in range(_DELETIONS):
            refusal = self._call(f"delete {slot}", delete)
            if self.read(slot) is None:
                return
            if refusal is not None:
                raise fault_of(refusal, self.backend.name)
        raise KeyringFault("failing", self.backend.name, "it doesn't delete")

    def _ask_directly(self, ask: str, slot: str, *text: str) -> Any:
        """Return what `secret_service` answers to *ask*, None where keyring is to be asked."""
        is_ours = self._loaded is not None  # then it is in use, whatever was chosen since
        if self._remembered != LINUX_BACKEND or (not is_ours and _is_chosen()):
            return None
        with _watched(f"{'write' if text else 'read'} {slot} without keyring"):
            from click_auth.stores import secret_service  # noqa: PLC0415 - jeepney, on Linux alone

            deadline = self._deadline(is_reading=not text)
            try:
                answer = getattr(secret_service, ask)(*self._place(slot), *text, deadline)
            except TimedOut:  # keyring would ask the same service, and the person, once more
                self.backend = Backend(LINUX_BACKEND)
                raise self._too_late(deadline) from None
        if answer:
            self.backend = Backend(LINUX_BACKEND)
        return answer

    def _get(self, slot: str) -> str | None:
        place = self._place(slot)
        text = self._call(f"read {slot}", lambda each: each.get_password(*place), is_reading=True)
        return None if text is None else str(text)

    def _place(self, slot: str) -> tuple[str, str]:
        return f"{self._app_name}/{slot}", slot

    def _deadline(self, *, is_reading: bool) -> Deadline:
        most = most_seconds.get()
        if most is None and console.is_terminal(sys.stderr):
            most = PERSON_SECONDS
        if most is not None:
            return Deadline(self._seconds, most - self._seconds, _say_that_it_waits)
        # Nobody is told; an answer to a read may be late all the same: it does no harm.
        return Deadline(self._seconds, _LATE_READ * self._seconds if is_reading else 0.0)

    def _call(
        self, description: str, function: Callable[[KeyringBackend], T], *, is_reading: bool = False
    ) -> T:
        """Return what *function* returns for the backend in use."""
        if self._stuck is not None and not self._stuck.is_set():
            raise KeyringFault("hanging", self.backend.name, "an earlier call is still waiting")
        finished = threading.Event()

        def run() -> tuple[T | None, BaseException | None]:
            try:
                return function(self._backend_in_use()), None
            except BaseException as error:  # noqa: BLE001 - none of them may end our process
                return None, error
            finally:
                finished.set()

        deadline = self._deadline(is_reading=is_reading)
        with _watched(description):
            try:
                result, error = call_with_timeout(run, deadline)
            except TimedOut:
                self._stuck = finished
                raise self._too_late(deadline) from None
            if error is not None:
                is_known = isinstance(error, KeyringFault)
                raise (error if is_known else fault_of(error, self.backend.name)) from None
        return result  # type: ignore[return-value]

    def _too_late(self, deadline: Deadline) -> KeyringFault:
        return KeyringFault("hanging", self.backend.name, f"after {deadline.seconds:g} s")

    def _refuse_weak(self) -> None:
        if self.backend.weakness is not None:
            raise KeyringFault("absent", self.backend.name, self.backend.weakness)

    def _backend_in_use(self) -> KeyringBackend:
        try:
            backend = self._load_remembered() or _found_by_keyring()
        except BaseException as error:  # noqa: BLE001 - whatever a backend does when it is loaded
            name = os.environ.get("PYTHON_KEYRING_BACKEND", "unknown")
            self.backend = Backend(name)
            raise KeyringFault("absent", name, type(error).__name__) from None
        self.backend = describe_backend(backend)
        if self.backend.is_on_a_bus and not self._is_bus_ours:
            from click_auth.stores import secret_service  # noqa: PLC0415 - as above

            if secret_service.is_foreign_bus():
                detail = "the session bus is another user's"
                raise KeyringFault("absent", self.backend.name, detail)
            self._is_bus_ours = True
        return backend

    def _load_remembered(self) -> KeyringBackend | None:
        if self._loaded is None and self._remembered is not None and not _is_chosen():
            from keyring import core  # noqa: PLC0415 - spares the search, half of keyring's time

            with contextlib.suppress(Exception):  # it is gone: let keyring look for another
                self._loaded = core.load_keyring(self._remembered)
        return self._loaded


def _found_by_keyring() -> KeyringBackend:
    import keyring  # noqa: PLC0415 - 150 ms, and may fail or hang like any other call

    return keyring.get_keyring()


def _is_chosen() -> bool:
    """Whether the person or the application says which backend it is, and how it behaves."""
    return (
        "keyring.core" in sys.modules
        or any(name.startswith(_SETTINGS) for name in os.environ)
        or os.path.exists(_settings_file())  # noqa: PTH110 - pathlib costs more than the question
    )


def _settings_file() -> str:
    """Return where keyring's own settings lie (`keyring.core._config_path`)."""
    if sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA", os.environ.get("PROGRAMDATA", "."))
        return f"{root}/Python Keyring/keyringrc.cfg"
    root = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return f"{root}/python_keyring/keyringrc.cfg"


@contextlib.contextmanager
def _watched(description: str) -> Iterator[None]:
    """Ask the guard, let the block make a call, and log how it ended and how long it took."""
    if stores.keyring_guard is not None:
        stores.keyring_guard(description)
    elif os.environ.get(stores.REFUSE_KEYRING) == "1":
        raise AssertionError(stores.REFUSAL.format(stores.REFUSE_KEYRING, description))
    began, ended = time.monotonic(), "done"
    try:
        yield
    except BaseException as error:
        ended = getattr(error, "kind", "interrupted")
        raise
    finally:
        console.log("keyring: %s: %s, %d ms", description, ended, 1000 * (time.monotonic() - began))


def _say_that_it_waits() -> None:
    console.current().say("Waiting for the keyring. It may be showing you a prompt.")
