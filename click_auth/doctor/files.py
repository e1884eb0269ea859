"""The folder of the records: who may read and write it, what is in it, and who holds its locks."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from typing import TYPE_CHECKING

from click_auth.doctor.examination import trouble
from click_auth.doctor.subject import document_of, folder_of, store_of
from click_auth.errors import StorageUnavailable
from click_auth.results import Check
from click_auth.stores.files import HAS_OWNERS, OTHERS, is_ours, reason_of
from click_auth.stores.record_file import FILE_NAME
from click_auth.stores.recorded import RecordedTokenStore
from click_auth.text import inert

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click_auth.core import Core

_MOST_NAMED = 20
_NO_LOCKS = "Remove it, or make it yours: without locks nothing can be renewed."


def folder(core: Core) -> Iterator[Check]:
    """Yield who may use the folder of the records."""
    path = folder_of(core)
    source = _source_of_folder(core)
    try:
        facts = path.stat()
    except FileNotFoundError:
        yield _missing_folder(path, source)
        return
    except OSError as error:
        yield Check("folder", f"{path} cannot be read: {reason_of(error)}", source, "fail")
        return
    fault = _fault(path, facts)
    if fault is not None:
        hint = f"Make {path} a folder that you own, or choose another one."
        yield Check("folder", f"{path} {fault}", source, "fail", hint)
        return
    yield _with_mode("folder", str(path), source, facts, "0700")


def record_file(core: Core) -> Iterator[Check]:
    """Yield the state of the record file and of each record that is bad."""
    store = store_of(core)
    path = store.records.path if isinstance(store, RecordedTokenStore) else None
    if path is None:
        yield Check("record file", "none: not this store's way", type(store).__name__)
        return
    try:
        document = document_of(core)
        facts = path.stat()
    except FileNotFoundError:
        yield Check("record file", "not there yet", str(path))
        return
    except StorageUnavailable as error:
        yield trouble("record file", error, str(path))
        return
    assert document is not None  # noqa: S101 - a store with a path keeps records
    count = len(document.records)
    value = f"{count} account{'' if count == 1 else 's'}"
    link = f", a link to {path.resolve()}" if path.is_symlink() else ""
    yield _with_mode("record file", value, f"{path}{link}", facts, "0600")
    for key, reason in list(document.bad.items())[:_MOST_NAMED]:
        hint = "Log in to that account again to replace it."
        yield Check("bad record", f"{inert(key, 80)}: {reason}", str(path), "fail", hint)
    yield from _kept_aside(path)


def removals(core: Core) -> Iterator[Check]:
    """Yield the accounts that were logged out while their secrets could not be deleted."""
    document = document_of(core)
    pending = document.removed if document is not None else []
    if not pending:
        yield Check("removals", "none pending", "")
        return
    keys = ", ".join(inert(key, 80) for key in pending[:_MOST_NAMED])
    hint = (
        "Secrets of these accounts may still lie in the keyring. The next login, logout or "
        "refresh deletes them, once the keyring can be used."
    )
    yield Check("removals", f"pending for {keys}", "record file", "warn", hint)


def locks(core: Core) -> Iterator[Check]:
    """Yield each lock that is held, by whom, and for how long."""
    from click_auth.lock import holder_of  # noqa: PLC0415 - portalocker, for this check alone

    root = folder_of(core)
    found = False
    with contextlib.suppress(FileNotFoundError):
        fault = _fault(root / "locks", (root / "locks").stat())
        if fault is not None:
            found = True
            yield Check("locks", f"{root / 'locks'} {fault}", "", "fail", _NO_LOCKS)
    for path in sorted((*root.glob("locks/*.lock"), *root.glob(f"{FILE_NAME}.lock"))):
        try:
            busy = holder_of(path)
            age = 0.0 if busy is None else time.time() - path.stat().st_mtime
        except FileNotFoundError:  # released just now
            continue
        except OSError as error:
            found = True
            yield Check("locks", f"{path}: {reason_of(error)}", "", "fail", _NO_LOCKS)
            continue
        if busy is not None:
            found = True
            yield _held(path, busy.holder, age, core.lock_patience)
    if not found:
        yield Check("locks", "none held", "")


def _held(path: Path, holder: int | None, age: float, patience: float) -> Check:
    who = f"process {holder}" if holder else "a process that did not say its number"
    value = f"{path.stem} held by {who} for {max(age, 0.0):.0f} s"
    if age <= patience:
        return Check("locks", value, str(path))
    hint = f"No renewal takes that long: see what {who} waits for, or end it."
    return Check("locks", value, str(path), "warn", hint)


def _source_of_folder(core: Core) -> str:
    store, environment = core.settings.store, core.environment
    if store is not None and store.folder not in (None, core.folder):
        return "Auth(store=)"
    if core.settings.folder is not None:
        return "Auth(folder=)"
    return environment.name("CONFIG_DIR") if environment.value("CONFIG_DIR") else "default"


def _missing_folder(path: Path, source: str) -> Check:
    above = next(parent for parent in path.parents if parent.exists())
    fault = _fault(above, above.stat(), or_shared=True)
    if fault is None:
        return Check("folder", f"{path}, made by the first login", source)
    hint = f"Make {above} writable, or choose another folder."
    return Check("folder", f"{path} cannot be made: {above} {fault}", source, "fail", hint)


def _fault(path: Path, facts: os.stat_result, *, or_shared: bool = False) -> str | None:
    if not stat.S_ISDIR(facts.st_mode):
        return "is not a folder"
    if not or_shared and not is_ours(facts):
        return f"belongs to another user ({facts.st_uid})"
    if not os.access(path, os.W_OK | os.X_OK):
        return "cannot be written"
    return None


def _with_mode(name: str, value: str, source: str, facts: os.stat_result, private: str) -> Check:
    if not HAS_OWNERS:
        return Check(name, value, source)
    value = f"{value}, mode {stat.S_IMODE(facts.st_mode):04o}"
    if not facts.st_mode & OTHERS:
        return Check(name, value, source)
    return Check(
        name, value, source, "warn", f"Others may read it. The next write makes it {private}."
    )


def _kept_aside(path: Path) -> Iterator[Check]:
    aside = sorted(path.parent.glob(f"{FILE_NAME}.broken-*"))
    if aside:
        names = ", ".join(each.name for each in aside[-3:])
        value = f"{len(aside)} that {'was' if len(aside) == 1 else 'were'} damaged: {names}"
        hint = "They may hold tokens in plain text: delete them when nobody misses them."
        yield Check("kept aside", value, str(path.parent), "warn", hint)
