"""The operating system's keyring: the only module that knows the library `keyring`.

Every call is made on a daemon thread and bounded, because a backend may wait for ever for a
prompt that nobody sees; where somebody may see it they are told, and given the time to answer.
Every exception becomes a `KeyringFault` that says what happened.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from click_auth import stores
from click_auth.console import console
from click_auth.errors import StorageUnavailable
from click_auth.interrupts import Deadline, TimedOut, call_with_timeout, prompt_seconds
from click_auth.stores import secret_service
from click_auth.stores.keyring_backends import (
    LINUX_BACKEND,
    Backend,
    KeyringFault,
    describe_backend,
    fault_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyring.backend import KeyringBackend

T = TypeVar("T")

CALL_SECONDS = 3.0
PERSON_SECONDS = 60.0

_SETTINGS = ("PYTHON_KEYRING_BACKEND", "KEYRING_PROPERTY_")
_DELETIONS = 3  # a keyring may hold a secret twice; delete takes one
_MACOS_PAUSE_SECONDS = 0.05
_LATE_READ = 1.5  # times the bound, beyond it


class KeyringClient:
    """The slots of one application, as the backend has them, and what is known of the backend.

    A call may take *seconds*, by default three, longer where a person may be asked. Every method
    raises `KeyringFault`.
    """

    def __init__(self, app_name: str, seconds: float | None = None) -> None:
        self.backend: Backend = Backend()
        self._app_name = app_name
        self._seconds = seconds or CALL_SECONDS
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
        self._call("look for a backend", self._backend_in_use)
        self._refuse_weak()

    def read(self, slot: str) -> str | None:
        """Return what the slot holds. Raises where the backend is no system keyring."""
        place, text = self._place(slot), None
        if self._needs_no_keyring():
            verb, line = f"read {slot} without keyring", contextlib.ExitStack()
            read = functools.partial(secret_service.read_secret, *place, line)
            text = self._call(verb, read, is_reading=True, line=line)
        if text is None:
            text = self._call(f"read {slot}", lambda: self._get(*place), is_reading=True)
        if text is None:
            self._refuse_weak()
        return text

    def _get(self, service: str, user: str) -> str | None:
        backend = self._backend_in_use()
        try:
            return backend.get_password(service, user)
        except Exception as error:
            is_on_macos = "keyring.backends.macOS" in self.backend.name
            if not is_on_macos or fault_of(error, self.backend.name).kind != "failing":
                raise
        time.sleep(_MACOS_PAUSE_SECONDS)  # two readers at once: one of them fails
        return backend.get_password(service, user)

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
            is_cut = kept and text.startswith(kept)
            raise KeyringFault("truncating" if is_cut else "lying", self.backend.name)

    def set(self, slot: str, text: str) -> None:
        """Put *text* into the slot, on trust."""
        self._refuse_weak()
        place = self._place(slot)
        if self._needs_no_keyring():
            line, verb = contextlib.ExitStack(), f"write {slot} without keyring"
            replace = secret_service.replace_secret
            if self._call(verb, lambda: replace(*place, text, line), line=line):
                return
        self._call(f"write {slot}", lambda: self._backend_in_use().set_password(*place, text))

    def erase(self, slot: str) -> None:
        """Empty the slot and make sure that it is empty."""
        place = self._place(slot)
        for _ in range(_DELETIONS):
            refusal = None
            try:
                self._call(f"delete {slot}", lambda: self._backend_in_use().delete_password(*place))
            except KeyringFault as fault:
                if fault.is_late:
                    raise
                refusal = fault  # perhaps nothing was there: a read will tell
            if self.read(slot) is None:
                return
            if refusal is not None:
                raise refusal
        raise KeyringFault("failing", self.backend.name, "it doesn't delete")

    def _place(self, slot: str) -> tuple[str, str]:
        return f"{self._app_name}/{slot}", slot

    def _refuse_weak(self) -> None:
        if self.backend.weakness is not None:
            raise KeyringFault("absent", self.backend.name, self.backend.weakness)

    def _call(
        self,
        description: str,
        call: Callable[[], T],
        *,
        is_reading: bool = False,
        line: contextlib.ExitStack | None = None,
    ) -> T:
        """Return what *call* returns in time, on a thread of its own, and log how it ended.

        One with a *line* of its own is ended when its time is up. Any other goes on, and whoever
        calls meanwhile is told so.
        """
        _ask_guard(description)
        if line is None and self._stuck is not None and not self._stuck.is_set():
            raise KeyringFault("hanging", self.backend.name, "an earlier call is still waiting")
        finished = threading.Event()

        def run() -> T:
            try:
                return call()
            except BaseException as error:  # noqa: BLE001 - none of them may end our process
                fault = fault_of(error, self.backend.name)
            finally:
                finished.set()
            raise fault  # here, so that what may quote a secret is not its context

        deadline = self._deadline(is_reading=is_reading)
        began, ended = time.monotonic(), "interrupted"
        try:
            answer = call_with_timeout(run, deadline)
            ended = "done"
        except TimedOut:
            ended = "hanging"
            self._leave(finished, line)
            detail = f"after {deadline.seconds:g} s"
            raise KeyringFault("hanging", self.backend.name, detail) from None
        except KeyringFault as fault:
            ended = fault.kind
            raise
        finally:
            spent = 1000 * (time.monotonic() - began)
            console.log("keyring: %s: %s, %d ms", description, ended, spent)
        return answer

    def _leave(self, finished: threading.Event, line: contextlib.ExitStack | None) -> None:
        if line is None:
            self._stuck = finished
        else:
            line.close()

    def _deadline(self, *, is_reading: bool) -> Deadline:
        most = prompt_seconds.get()
        if most is None and console.is_terminal(sys.stderr):
            most = PERSON_SECONDS
        if most is not None:
            return Deadline(self._seconds, most - self._seconds, _say_that_it_waits)
        # Nobody is told; an answer to a read may be late all the same: it does no harm.
        return Deadline(self._seconds, _LATE_READ * self._seconds if is_reading else 0.0)

    def _backend_in_use(self) -> KeyringBackend:
        try:
            backend = self._load_backend()
        except BaseException as error:  # noqa: BLE001 - whatever a backend does when it is loaded
            name = os.environ.get("PYTHON_KEYRING_BACKEND", "unknown")
            self.backend = Backend(name)
            raise KeyringFault("absent", name, type(error).__name__) from None
        self.backend = describe_backend(backend)
        if self.backend.is_on_a_bus and not self._is_bus_ours:
            if secret_service.is_foreign_bus():
                detail = "the session bus is another user's"
                raise KeyringFault("absent", self.backend.name, detail)
            self._is_bus_ours = True
        return backend

    def _load_backend(self) -> KeyringBackend:
        name = self._usable_origin()
        from keyring import core  # noqa: PLC0415 - 150 ms, and may fail or hang like any other call

        if name is not None and self._loaded is None:  # spares the search, half of keyring's time
            with contextlib.suppress(Exception):  # it is gone: let keyring look for another
                self._loaded = core.load_keyring(name)
        return self._loaded or core.get_keyring()

    def _usable_origin(self) -> str | None:
        """Return the backend that is remembered, unless somebody chose another before its use."""
        return self._remembered if self._loaded is not None or not _is_chosen() else None

    def _needs_no_keyring(self) -> bool:
        """Return whether the backend is one whose secrets are found without it."""
        if self._remembered != LINUX_BACKEND or self._usable_origin() is None:
            return False
        self.backend = Backend(LINUX_BACKEND)
        return True


def _ask_guard(description: str) -> None:
    if stores.keyring_guard is not None:
        stores.keyring_guard(description)
    elif os.environ.get(stores.REFUSE_KEYRING) == "1":
        raise AssertionError(stores.REFUSAL.format(stores.REFUSE_KEYRING, description))


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


def _say_that_it_waits() -> None:
    console.current().say("Waiting for the keyring. It may be showing you a prompt.")
