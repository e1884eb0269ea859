"""The operating system's keyring: the only module that knows the library `keyring`.

Every call is made on a daemon thread and bounded, because a backend may wait for ever for a
prompt that nobody sees; every exception becomes a `StorageUnavailable` that says what happened.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from click_auth.bounded import TimedOut, bounded
from click_auth.errors import STORE_READ_FAILED, STORE_WRITE_FAILED, StorageUnavailable
from click_auth.stores import chunks
from click_auth.stores.backends import Backend, facts_of
from click_auth.stores.trouble import KeyringTrouble, Kind, NoBackend, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyring.backend import KeyringBackend

T = TypeVar("T")

CALL_SECONDS = 3.0
PATIENT_SECONDS = 60.0

REFUSAL = "CLICK_AUTH_REFUSE_KEYRING"

guard: Callable[[str], None] | None = None
"""Asked before each contact with the keyring; what it raises passes through."""

_CAREFUL_LIMIT = 1200  # characters; for a backend that chokes on longer secrets
_DELETIONS = 3  # a keyring may hold a secret twice; delete takes one
_MACOS_PAUSE_SECONDS = 0.05
_SPLITTABLE: tuple[Kind, ...] = ("truncating", "lying", "failing")

_seconds: ContextVar[float] = ContextVar("click_auth_keyring_seconds", default=CALL_SECONDS)


class KeyringRefused(AssertionError):
    """The environment forbids any contact with the keyring: a test's child process."""


class Keychain:
    """The secrets of one application, each in a service of its own, `<app>/<slot>`."""

    def __init__(self, app_name: str) -> None:
        self._app_name = app_name
        self._calls = _Calls(app_name)
        self._learned_limit: int | None = None

    @property
    def backend_name(self) -> str:
        """The backend's class, dotted; "unknown" until it was touched."""
        return self._calls.backend.name

    def get(self, slot: str) -> str | None:
        """Return the secret in *slot*, None where there is none."""
        return chunks.load(_Slots(self._calls, STORE_READ_FAILED), slot).secret

    def set(self, slot: str, secret: str) -> str | None:
        """Put *secret* into *slot*, read it back, and return what the slot held before.

        A secret that is there already is not written again: on macOS a write takes back what
        the person has allowed.
        """
        slots = _Slots(self._calls, STORE_WRITE_FAILED)
        loaded = chunks.load(slots, slot)
        if loaded.secret != secret:
            self._store(slots, slot, secret, loaded.head)
        return loaded.secret

    def delete(self, slot: str) -> None:
        """Empty *slot*. Harmless where it is empty."""
        slots = _Slots(self._calls, STORE_WRITE_FAILED)
        head = slots.read(slot)
        chunks.drop(slots, slot, head=head, may_be_split=self._limit is not None)

    def check(self) -> None:
        """Raise `StorageUnavailable` unless there is a backend that is a system keyring."""
        self._calls.make("look for a backend", STORE_WRITE_FAILED, lambda _: None)
        self._calls.refuse_weak(STORE_WRITE_FAILED)

    def probe(self) -> None:
        """Raise `StorageUnavailable` unless the keyring keeps what it is given. It may prompt."""
        slot = f"probe-{os.getpid()}"
        self.set(slot, "probe")
        self.delete(slot)

    @contextlib.contextmanager
    def patiently(self) -> Iterator[None]:
        """Wait PATIENT_SECONDS for each call within the block: a person may have to answer."""
        token = _seconds.set(PATIENT_SECONDS)
        try:
            yield
        finally:
            _seconds.reset(token)

    @property
    def _limit(self) -> int | None:
        return self._calls.backend.limit or self._learned_limit

    def _store(self, slots: _Slots, slot: str, secret: str, head: str | None) -> None:
        try:
            chunks.store(slots, slot, secret, head=head, limit=self._limit)
        except KeyringTrouble as trouble:
            could_split = self._limit is None and len(secret) > _CAREFUL_LIMIT
            if not could_split or trouble.kind not in _SPLITTABLE:
                raise
            chunks.store(slots, slot, secret, head=head, limit=_CAREFUL_LIMIT)
            self._learned_limit = _CAREFUL_LIMIT


class _Slots:
    """Slots as the backend has them, for one operation, whose failures carry *code*."""

    def __init__(self, calls: _Calls, code: str) -> None:
        self._calls = calls
        self._code = code

    def read(self, slot: str) -> str | None:
        try:
            text = self._get(slot)
        except KeyringTrouble as trouble:
            if not self._calls.backend.is_macos or trouble.kind != "failing":
                raise
            time.sleep(_MACOS_PAUSE_SECONDS)  # two readers at once: one of them fails
            text = self._get(slot)
        if text is None:
            self._calls.refuse_weak(self._code)
        return text

    def write(self, slot: str, text: str, before: str | None) -> None:
        self._calls.refuse_weak(self._code)
        try:
            self._set(slot, text)
            kept = self.read(slot)
        except KeyringTrouble:
            self._put_back(slot, before)
            raise
        if kept != text:
            self._put_back(slot, before)
            is_cut = bool(kept) and text.startswith(kept or "")
            raise self._calls.trouble("truncating" if is_cut else "lying", self._code)

    def erase(self, slot: str) -> None:
        for _ in range(_DELETIONS):
            self._delete(slot)
            if self.read(slot) is None:
                return
        raise self._calls.trouble("lying", self._code, "it does not delete")

    def _put_back(self, slot: str, before: str | None) -> None:
        with contextlib.suppress(StorageUnavailable):
            if self.read(slot) == before:
                return
            if before is None:
                self.erase(slot)
            else:
                self._set(slot, before)

    def _get(self, slot: str) -> str | None:
        def get(backend: KeyringBackend, service: str, user: str) -> str | None:
            return backend.get_password(service, user)

        return self._make("read", slot, get)

    def _set(self, slot: str, text: str) -> None:
        def put(backend: KeyringBackend, service: str, user: str) -> None:
            backend.set_password(service, user, text)

        self._make("write", slot, put)

    def _delete(self, slot: str) -> None:
        def delete(backend: KeyringBackend, service: str, user: str) -> None:
            from keyring.errors import PasswordDeleteError  # noqa: PLC0415 - see the module

            with contextlib.suppress(PasswordDeleteError):  # so say those where nothing is there
                backend.delete_password(service, user)

        self._make("delete", slot, delete)

    def _make(self, verb: str, slot: str, function: Callable[[KeyringBackend, str, str], T]) -> T:
        service = f"{self._calls.app_name}/{slot}"

        def call(backend: KeyringBackend) -> T:
            return function(backend, service, slot)

        return self._calls.make(f"{verb} {slot}", self._code, call)


class _Calls:
    """Bounded calls into the keyring library, and what they taught us of its backend."""

    def __init__(self, app_name: str) -> None:
        self.app_name = app_name
        self.backend = Backend()
        self._stuck: threading.Event | None = None

    def make(self, description: str, code: str, function: Callable[[KeyringBackend], T]) -> T:
        """Return what *function* returns for the backend in use. Raises `KeyringTrouble`."""
        _ask_guard(description)
        if self._stuck is not None and not self._stuck.is_set():
            raise self.trouble("hanging", code, "an earlier call still waits")
        finished = threading.Event()

        def run() -> tuple[Any, BaseException | None]:
            try:
                return function(self._backend_in_use()), None
            except BaseException as error:  # noqa: BLE001 - none of them may end our thread
                return None, error
            finally:
                finished.set()

        seconds = _seconds.get()
        try:
            result, error = bounded(run, seconds)
        except TimedOut:
            self._stuck = finished
            raise self.trouble("hanging", code, f"after {seconds:g} s") from None
        if error is not None:
            raise trouble_of(error, code, self.backend.name) from None
        return result  # type: ignore[no-any-return]

    def refuse_weak(self, code: str) -> None:
        """Raise `KeyringTrouble` where the backend in use is no system keyring."""
        if self.backend.weakness is not None:
            raise self.trouble("absent", code, self.backend.weakness)

    def trouble(self, kind: Kind, code: str, detail: str = "") -> KeyringTrouble:
        """Return an error that names the backend in use."""
        return KeyringTrouble(kind, code, self.backend.name, detail)

    def _backend_in_use(self) -> KeyringBackend:
        try:
            import keyring  # noqa: PLC0415 - 150 ms, and may fail or hang like any other call

            backend = keyring.get_keyring()
        except BaseException as error:
            self.backend = Backend(os.environ.get("PYTHON_KEYRING_BACKEND", "unknown"))
            raise NoBackend from error
        self.backend = facts_of(backend)
        return backend


def _ask_guard(description: str) -> None:
    if guard is not None:
        guard(description)
    elif os.environ.get(REFUSAL) == "1":
        raise KeyringRefused(description)
