"""The store that applications get: tokens in the system's keyring, records in a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from click_auth.environment import POLICIES, Environment
from click_auth.stores.placement import FallbackPlacement, PlaintextPlacement, SystemPlacement
from click_auth.stores.record_file import RecordFile
from click_auth.stores.recorded import RecordedTokenStore
from click_auth.stores.system_vault import SystemVault

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from click_auth.stores.placement import Placement
    from click_auth.stores.vault import Vault


class KeyringTokenStore(RecordedTokenStore):
    """Tokens in the system's keyring under *service*, records in `auth.json` in *folder*.

    *folder* is by default where the application named *service* keeps such things. *storage* is
    the policy: "system", "fallback" (to the record file, loudly) or "plaintext" (in the record
    file). *clock* tells POSIX seconds. No I/O until used.
    """

    def __init__(
        self,
        service: str,
        *,
        folder: Path | str | None = None,
        storage: str = "fallback",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.service = service
        self.storage = storage
        self._folder = None if folder is None else Path(folder)
        self._file = RecordFile(self._folder or Environment(service).folder)
        vault = SystemVault(service)
        super().__init__(self._file, vault, placement_of(storage, vault), clock)

    @property
    def folder(self) -> Path | None:
        """The folder that was chosen for this store, None where nobody chose one."""
        return self._folder

    @folder.setter
    def folder(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            self._file.folder = folder

    def lock(self, ref: str) -> AbstractContextManager[None]:
        """Return the lock file of one account, beside the records."""
        from click_auth.lock import account_lock  # noqa: PLC0415 - portalocker, when needed

        return account_lock(self._file.folder, ref)


def placement_of(policy: str, vault: Vault) -> Placement:
    """Return the placement of a storage policy. Raises `ValueError` on an unknown one."""
    system, plaintext = SystemPlacement(vault), PlaintextPlacement()
    placements: tuple[Placement, ...] = (
        system,
        FallbackPlacement(vault, system, plaintext),
        plaintext,
    )
    for placement in placements:
        if placement.policy == policy:
            return placement
    message = f"storage is one of {', '.join(POLICIES)}, not {policy!r}"
    raise ValueError(message)
