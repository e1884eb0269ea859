"""A keyring that keeps each secret in a file: it outlives the processes that are killed."""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path
from urllib.parse import quote

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError, PasswordSetError

FOLDER = "CRASH_KEYRING"
REFUSAL = "refuse"
_serial = itertools.count()


class FiledKeyring(KeyringBackend):
    """Secrets in the folder that CRASH_KEYRING names, each replaced whole, as a keyring does.

    While there is a file `refuse` in that folder nothing is taken.
    """

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        with contextlib.suppress(FileNotFoundError):
            return _file_of(service, username).read_text("utf-8")
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        path = _file_of(service, username)
        if path.with_name(REFUSAL).exists():
            raise PasswordSetError("refused")
        temporary = path.with_name(f"new-{os.getpid()}-{next(_serial)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, password.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)

    def delete_password(self, service: str, username: str) -> None:
        try:
            _file_of(service, username).unlink()
        except FileNotFoundError:
            raise PasswordDeleteError("there is none") from None


def secrets(folder: Path) -> dict[str, str]:
    """Return what the keyring in *folder* holds, by the files' names, but what was on trial."""
    found = {path.name: path.read_text("utf-8") for path in folder.glob("secret-*")}
    return {name: secret for name, secret in found.items() if secret != "probe"}


def _file_of(service: str, username: str) -> Path:
    return Path(os.environ[FOLDER]) / f"secret-{quote(f'{service} {username}', safe='')}"
