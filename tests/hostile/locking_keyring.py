"""A keyring in a folder that can be locked, and in the middle of which a process can die."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from keyring.errors import KeyringLocked

from crash.filed_keyring import FOLDER, FiledKeyring

LOCK = "locked"
DEATH = "deadly"


class LockingKeyring(FiledKeyring):
    """Raises `KeyringLocked`, whatever is asked, while there is a file `locked` in the folder.

    While there is a file `deadly`, whoever writes an access token dies before it is written.
    """

    def get_password(self, service: str, username: str) -> str | None:
        _refuse_if_locked()
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        _refuse_if_locked()
        if (Path(os.environ[FOLDER]) / DEATH).exists() and not username.endswith("/refresh"):
            os.kill(os.getpid(), signal.SIGKILL)
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        _refuse_if_locked()
        super().delete_password(service, username)


def _refuse_if_locked() -> None:
    if (Path(os.environ[FOLDER]) / LOCK).exists():
        raise KeyringLocked("locked")
