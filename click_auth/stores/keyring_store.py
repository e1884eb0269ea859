"""The store that applications get: tokens in the system's keyring, records in a file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from click_auth.defaults import POLICIES
from click_auth.environment import Environment
from click_auth.stores.account_store import AccountStore
from click_auth.stores.record_file import RecordFile
from click_auth.stores.token_store import RecordedTokenStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from click_auth.stores.keyring_vault import KeyringVault


class KeyringTokenStore(RecordedTokenStore):
    """Tokens in the system's keyring under *service*, records in `auth.json` in *folder*.

    *folder* is by default where the application named *service* keeps such things. *storage* is
    the policy: "system", "fallback" (to the record file, loudly) or "plaintext" (in the record
    file). *clock* tells POSIX seconds. *environ* is where the person's own settings are looked
    up, by default the process's environment. No I/O until used.
    """

    def __init__(
        self,
        service: str,
        *,
        folder: Path | str | None = None,
        storage: str = "fallback",
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        if storage not in POLICIES:
            raise ValueError(f"storage is one of {', '.join(POLICIES)}, not {storage!r}")
        self.service = service
        self.storage = storage
        self._environment = Environment(service, environ)
        own = self._environment.folder if folder is None else self._environment.expanded(folder)
        self._file = RecordFile(own)
        self._has_own_folder = folder is not None
        super().__init__(AccountStore(self._file, self._make_vault, storage, clock))

    def _make_vault(self) -> KeyringVault:
        from click_auth.stores.keyring_vault import KeyringVault  # noqa: PLC0415 - for tokens only

        seconds = self._environment.keyring_timeout
        return (
            KeyringVault(self.service) if seconds is None else KeyringVault(self.service, seconds)
        )

    @property
    def folder(self) -> Path | None:
        """The folder that was chosen for this store, None where nobody chose one."""
        return self._file.folder if self._has_own_folder else None

    @folder.setter
    def folder(self, folder: Path | None) -> None:
        self._has_own_folder = folder is not None
        if folder is not None:
            self._file.folder = folder
