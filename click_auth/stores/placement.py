"""Where tokens are placed: in a vault or a record, as the policy says; and room for a refresh's."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from click_auth import files
from click_auth.account import refresh_slot_name, slot_name
from click_auth.errors import StorageUnavailable
from click_auth.files import read_private, writing
from click_auth.record import ENCRYPTED, IN_RECORD, PLAINTEXT, SYSTEM, Record, TokenBundle
from click_auth.stores.document import UNREADABLE, loads, validate_record
from click_auth.stores.records import ROOM_TO_GROW, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click_auth.environment import Environment
    from click_auth.stores.cipher import Cipher, KeyGiven
    from click_auth.stores.vault import Vault


@dataclass(eq=False, repr=False)
class Storage:
    """Where credentials are kept: *records*, and a vault for the tokens that are not in them.

    *policy* says which tokens go where; *clock* tells POSIX seconds. The vault is made when a
    token is first looked for in it. *key*, or that of the *environment*, seals what is in records.
    """

    records: Records
    make_vault: Callable[[], Vault]
    policy: str
    clock: Callable[[], float] = time.time
    environment: Environment | None = None
    key: KeyGiven | None = None

    @cached_property
    def vault(self) -> Vault:
        """Where the tokens lie that are not in the records."""
        return self.make_vault()

    @cached_property
    def cipher(self) -> Cipher | None:
        """What seals tokens in the records, None where nobody gave a key."""
        if self.environment is None:
            return None
        from click_auth.stores.cipher import make_cipher  # noqa: PLC0415 - an extra

        return make_cipher(self.environment, self.key)

    @property
    def sealer(self) -> Cipher:
        """The same. Raises `StorageUnavailable` where there is no key."""
        if self.cipher is None:
            name = self.environment.name("AUTH_KEY") if self.environment else "<APP>_AUTH_KEY"
            hints = [f"Set {name} or {name}_FILE."]
            raise StorageUnavailable("No key for encrypted credentials.", hints=hints)
        return self.cipher

    def policy_of(self, old: Record | None) -> str:
        """Return the policy for what replaces *old*, None for a login.

        A refresh moves nothing into the sealed records, nor out of them.
        """
        if old is not None and ENCRYPTED in (self.policy, old.storage):
            return old.storage
        return self.policy

    def uses_vault(self, old: Record | None) -> bool:
        """Return whether what replaces *old* is to go into the vault, if that works."""
        return self.policy_of(old) not in IN_RECORD

    def record_with(self, record: Record, bundle: TokenBundle, *, is_sealed: bool) -> Record:
        """Return *record* with its tokens in it, sealed or in plain text."""
        access_token, refresh_token = bundle.access_token, bundle.refresh_token
        if is_sealed:
            access_token = self.sealer.seal(access_token, slot_name(record.key))
        if is_sealed and refresh_token is not None:
            refresh_token = self.sealer.seal(refresh_token, refresh_slot_name(record.key))
        return replace(
            record,
            storage=ENCRYPTED if is_sealed else PLAINTEXT,
            backend=None,
            fallback_token=access_token,
            fallback_refresh_token=refresh_token,
        )

    @contextlib.contextmanager
    def reserve(self, record: Record, grant: TokenBundle | None = None) -> Iterator[Reserve]:
        """Hold room for what a refresh of *record*, read under its lock, brings.

        Within the block its *grant*, the refresh token as it was just read, may be spent: each
        place has been written. `rotate` is given what this yields. Raises `StorageUnavailable`
        where the result could not be stored.
        """
        with _hold_room(self.records, record.key) as room:
            # The tokens are to stay in the vault, or must come into it.
            if self.uses_vault(record) and not (record.holds_tokens and self.policy != SYSTEM):
                self._confirm_slot(record, grant)
            yield room

    def _confirm_slot(self, record: Record, grant: TokenBundle | None) -> None:
        """Write the refresh slot, which should contain that of *grant*, once more."""
        slot, held = refresh_slot_name(record.key), None if record.holds_tokens else grant
        try:
            self.vault.confirm(slot, record.backend, held.refresh_token if held else None)
        except StorageUnavailable as fault:
            # Whoever is only late may take them yet: that moves nothing into the file.
            if self.policy_of(record) == SYSTEM or fault.is_late:
                raise fault.with_traceback(None) from None  # its frames hold what was there

    def adopt(self, key: str) -> None:
        """Store what a refresh could only keep in its `Reserve`. Call it under the account's lock.

        Raises `StorageUnavailable` where that fails still.
        """
        kept = find_reserved(self.records, key)
        if kept is not None:
            self.records.compare_and_set(*kept)
            drop_reserve(self.records, key)


class Reserve:
    """Room for one record, held while a grant is spent; there is none where no *path* is given.

    The file is there before the server is asked, and held open: it can be written when the folder
    has closed meanwhile. It then holds the whole new record, with its tokens only where those
    belong into the record file anyway; `is_used` says so. Raises `StorageUnavailable`.
    """

    is_used: bool = False

    def __init__(self, path: Path | None = None) -> None:
        self._file: BinaryIO | None = None
        if path is not None:
            with writing(path):
                self._file = path.open("r+b")
                self._file.truncate(ROOM_TO_GROW)

    def keep(self, expected: Record, record: Record) -> None:
        """Keep *record*, which was to replace *expected*, if there is room. Never raises."""
        if self._file is None:
            return
        replaces = [expected.generation, expected.access_token_obtained_at]
        content = json.dumps({"replaces": replaces, "record": record.to_json()})
        with contextlib.suppress(OSError):
            self._file.write(content.encode())
            self._file.truncate()
            os.fsync(self._file.fileno())
            self.is_used = True

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(OSError):  # what could not be written is not written now
            if self._file is not None:
                self._file.close()


@contextlib.contextmanager
def _hold_room(records: Records, key: str) -> Iterator[Reserve]:
    """Hold a file beside *records*, open, so that it can be written whatever comes.

    Raises `StorageUnavailable` when a transaction would fail.
    """
    records.confirm(key)
    if records.path is None:
        yield Reserve()
        return
    path, held = _reserve_path(records.path, key), None
    # No record lock: a writer of records sweeps no name with an account in it.
    with writing(records.path):
        size = records.path.stat().st_size + 2 * ROOM_TO_GROW
        files.sweep_leftovers(path)
        files.write_whole(path, bytes(size))
    try:
        with contextlib.closing(Reserve(path)) as held:
            yield held
    finally:
        if held is None or not held.is_used:
            _remove(path)


def find_reserved(records: Records, key: str) -> tuple[Record, Record] | None:
    """Return what a `Reserve` keeps of *key*: the record to be replaced, and the new one.

    None where none has been written to its end. Raises `StorageUnavailable`.
    """
    if records.path is None:
        return None
    try:
        kept = loads(read_private(_reserve_path(records.path, key)) or b"")
        record = validate_record(kept["record"])
        generation, obtained_at = kept["replaces"]
    except (*UNREADABLE, LookupError, TypeError):
        return None
    if record.key != key:
        return None
    return replace(record, generation=generation, access_token_obtained_at=obtained_at), record


def drop_reserve(records: Records, key: str) -> None:
    """Remove what a `Reserve` of *key* has left, or a process that was killed. Never raises."""
    if records.path is not None:
        with contextlib.suppress(StorageUnavailable):
            path = _reserve_path(records.path, key)
            files.sweep_leftovers(path)
            _remove(path)


def _reserve_path(path: Path, key: str) -> Path:
    target = files.resolved(path)
    return target.with_name(f"{target.name}.{slot_name(key)}.unstored")


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
