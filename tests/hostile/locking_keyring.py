"""A keyring in a folder that can be locked, and that can lose single slots."""

from __future__ import annotations

import os
from pathlib import Path

from keyring.errors import KeyringLocked

from crash.filed_keyring import FOLDER, FiledKeyring

LOCK = "locked"


class LockingKeyring(FiledKeyring):
    """Raises `KeyringLocked`, whatever is asked, while there is a file `locked` in the folder."""

    def get_password(self, service: str, username: str) -> str | None:
        _refuse_if_locked()
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        _refuse_if_locked()
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        _refuse_if_locked()
        super().delete_password(service, username)


def _refuse_if_locked() -> None:
    if (Path(os.environ[FOLDER]) / LOCK).exists():
        raise KeyringLocked("locked")
