"""What a refresh has received and could not store, in a file beside the records.

The file is there before the server is asked, and held open: it can be written when the folder
has closed meanwhile. It holds the whole new record, with its tokens only where those belong into
the record file anyway.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from click_auth.folders import writing
from click_auth.stores.records import Reserve

if TYPE_CHECKING:
    from pathlib import Path

    from click_auth.record import Record


class HeldFile(Reserve):
    """The file at *path*, of *size* bytes from now on. Raises `StorageUnavailable`."""

    def __init__(self, path: Path, size: int) -> None:
        with writing(path):
            self._file = path.open("r+b")
            self._file.truncate(size)

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(OSError):  # what could not be written is not written now
            self._file.close()

    def keep(self, expected: Record, record: Record) -> None:
        """Keep *record*, which was to replace *expected*, if there is room. Never raises."""
        replaces = [expected.generation, expected.access_token_obtained_at]
        content = json.dumps({"replaces": replaces, "record": record.to_json()})
        with contextlib.suppress(OSError):
            self._file.write(content.encode())
            self._file.truncate()
            os.fsync(self._file.fileno())
            self.is_used = True


def kept_in(content: bytes) -> tuple[Record, Record] | None:
    """Return what `HeldFile.keep` wrote, expected and new record; None of anything else."""
    from click_auth.models import trusted_record  # noqa: PLC0415 - pydantic, for what was kept

    try:
        kept = json.loads(content)
        record = trusted_record(kept["record"])
        generation, obtained_at = kept["replaces"]
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
        return None
    return replace(record, generation=generation, access_token_obtained_at=obtained_at), record
