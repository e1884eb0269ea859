"""Keyring backends that do to click-auth what real ones do. Each holds its secrets in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class Cellar(KeyringBackend):
    """A good backend, with a journal of what was asked of it."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.secrets: dict[str, str] = {}
        self.journal: list[str] = []

    def get_password(self, service: str, username: str) -> str | None:
        """Return a secret."""
        self.journal.append(f"get {service}")
        return self.secrets.get(service)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret."""
        self.journal.append(f"set {service}")
        self.secrets[service] = password

    def delete_password(self, service: str, username: str) -> None:
        """Drop a secret."""
        self.journal.append(f"delete {service}")
        if self.secrets.pop(service, None) is None:
            raise PasswordDeleteError(service)

    @property
    def written(self) -> list[str]:
        """Which services were written, in order."""
        return [line[4:] for line in self.journal if line.startswith("set ")]


class Failing(Cellar):
    """Raises *error* whenever one of *verbs* is asked of it and the service has *part* in it."""

    def __init__(
        self, error: BaseException | None = None, verbs: str = "get set delete", part: str = ""
    ) -> None:
        super().__init__()
        self.error = KeyringLocked("locked") if error is None else error
        self.verbs = verbs
        self.part = part

    def get_password(self, service: str, username: str) -> str | None:
        """Raise or return a secret."""
        self._fail("get", service)
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Raise or keep a secret."""
        self._fail("set", service)
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        """Raise or drop a secret."""
        self._fail("delete", service)
        super().delete_password(service, username)

    def _fail(self, verb: str, service: str) -> None:
        if verb in self.verbs and self.part in service:
            raise self.error


class Telltale(Cellar):
    """Quotes the secret in its complaint."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Raise."""
        message = f"cannot store {password} for {username}"
        raise RuntimeError(message)


class Forgetful(Cellar):
    """Takes every secret and keeps none."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Do nothing."""
        self.journal.append(f"set {service}")


class Cutting(Cellar):
    """Cuts every secret off after 1,280 characters, in silence."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep the head of a secret."""
        super().set_password(service, username, password[:1280])


class Small(Cellar):
    """Refuses a secret of more than 2,560 bytes of UTF-16, as Windows does."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret that is short enough."""
        if len(password.encode("utf-16-le")) > 2560:
            raise OSError(1783, "The stub received bad data")
        super().set_password(service, username, password)


class Hanging(Cellar):
    """Never answers until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        """Wait."""
        self.let_go.wait()
        return super().get_password(service, username)


def join_calls() -> None:
    """Wait until no thread is in a call of the keyring any more."""
    for thread in threading.enumerate():
        if thread.name == "click-auth":
            thread.join(60)
            assert not thread.is_alive()


class Flickering(Cellar):
    """Fails every other read, as macOS does when two processes read at once."""

    def get_password(self, service: str, username: str) -> str | None:
        """Raise or return a secret."""
        secret = super().get_password(service, username)
        if sum(line.startswith("get ") for line in self.journal) % 2:
            message = "Can't get password from keychain: (-25293, 'Security Auth Failure')"
            raise RuntimeError(message)
        return secret


class Rude(BaseException):
    """What some bindings raise: no Exception."""


def under_the_name_of(path: str, kind: type[Cellar]) -> Cellar:
    """Return a backend that calls itself *path*."""
    module, _, name = path.rpartition(".")
    return type(name, (kind,), {"__module__": module})()


class Interrupted(Cellar):
    """Lets something else happen, once, right before the read of *service*."""

    def __init__(self) -> None:
        super().__init__()
        self.service = "nothing"
        self.happens: Callable[[], object] | None = None

    def get_password(self, service: str, username: str) -> str | None:
        """Let it happen, then return a secret."""
        happens = self.happens
        if happens is not None and service == self.service:
            self.happens = None
            happens()
        return super().get_password(service, username)
