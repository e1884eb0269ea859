"""Where credentials live: the folder and its files, the keyring, and the accounts in them."""

from __future__ import annotations

import contextlib
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from click_auth.console.text import printable
from click_auth.doctor.report import Check, advise, report_error
from click_auth.errors import AuthError, StorageUnavailable
from click_auth.files import check_usable, is_open_to_others
from click_auth.files.refusals import quoted
from click_auth.locks.account_lock import DEFAULT_SECONDS, find_holder
from click_auth.login.pending import pending_ids
from click_auth.record import CUSTOM, ENCRYPTED, PLAINTEXT, SYSTEM, Record, rfc3339
from click_auth.status import judge_record
from click_auth.stores.account_store import MIGRATED, AccountStore
from click_auth.stores.records import FILE_NAME, REPLACE_IT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.context import Context
    from click_auth.stores.document import Document

_MOST_LISTED = 50
_SLOW_SECONDS = 1.0
_EMPTY_SLOT = "doctor"


def store_of(context: Context) -> AccountStore:
    """Return the application's store, also where the environment asks for a policy that is none."""
    try:
        return context.store
    except AuthError:
        return context.store_with(context.settings.storage).account_store


def folder(context: Context) -> Iterator[Check]:
    """Yield who may use the folder of the records, or whether it can be made."""
    path, source = _folder_of(context), "default"
    variable = context.environment.name("CONFIG_DIR")
    if context.settings.folder is not None or path != context.folder:
        source = "the application"
    elif context.environment.value("CONFIG_DIR"):
        source = variable
    try:
        if check_usable(path):
            yield _private("folder", str(path), source, path, "700")
        else:
            yield Check("folder", f"{path}, created by the first login", source)
    except StorageUnavailable as error:
        if source != "the application":
            error.with_hints([f"Or choose another with {variable}."])
        yield report_error("folder", error, source)


def records(context: Context) -> Iterator[Check]:
    """Yield the state of the record file, of each bad record, of removals, of each account."""
    store = store_of(context)
    document = store.records.document()
    if store.records.path is None:
        kind = type(context.settings.store).__name__
        yield Check("record file", "not used by this store", kind)
    else:
        yield from _record_file(store.records.path, document)
    pending = ", ".join(printable(key, 80) for key in document.removed[:_MOST_LISTED])
    hint = "The next login, logout or refresh deletes their secrets once the keyring is available."
    value = f"pending for {pending}" if pending else "none pending"
    yield advise("removals", value, "record file", hint if pending else None)
    accounts = list(document.records.values())
    for record in accounts[:_MOST_LISTED]:
        yield _account(context, record, is_default=record.key == document.default)
    left = len(accounts) - _MOST_LISTED
    if left > 0 or not accounts:
        yield Check("accounts", f"and {left} more" if accounts else "not logged in", "")


def _record_file(path: Path, document: Document) -> Iterator[Check]:
    """Yield the state of the record file, of each bad record, and of what was set aside."""
    source = str(path.resolve())
    if path.exists():
        yield _private("record file", f"accounts: {len(document.records)}", source, path, "600")
    else:
        yield Check("record file", "not created yet", source)
    for key, reason in list(document.records.bad.items())[:_MOST_LISTED]:
        found = f"{printable(key, 80)}: {reason}"
        yield Check("bad record", found, source, "fail", REPLACE_IT)
    for aside in sorted(path.parent.glob(f"{FILE_NAME}.broken-*"))[-_MOST_LISTED:]:
        hint = "It was damaged and may contain tokens. Delete it when you no longer need it."
        yield advise("set aside", aside.name, str(path.parent), hint)


def _account(context: Context, record: Record, *, is_default: bool) -> Check:
    status = judge_record(context, record, is_default=is_default)
    state, hint = "ok", None
    if status.state != "ok":
        reason = (status.reason or "expired").removesuffix(".")
        state, hint = "ended by the server" if record.is_rejected else reason, "Log in to it again."
    elif record.storage == PLAINTEXT and store_of(context).policy in ("system", "fallback"):
        hint = "It moves to the keyring at the next refresh, if a keyring is available."
    expiry = rfc3339(record.access_token_expires_at) or "unknown"
    renewal = "not refreshable, " if record.has_refresh_token is False else ""
    place = f"{record.storage}, default" if is_default else record.storage
    value = f"{record.account.title}: {state}, expiry {expiry}, {renewal}{place}"
    return advise("account", value, "record file", hint)


def locks(context: Context) -> Iterator[Check]:
    """Yield each lock that is held, by which process, and for how long."""
    root, found = _folder_of(context), []
    if (root / "locks").exists():
        check_usable(root / "locks")
    for path in sorted((*root.glob("locks/*.lock"), *root.glob(f"{FILE_NAME}.lock"))):
        with contextlib.suppress(FileNotFoundError):  # released just now
            busy, age = find_holder(path), time.time() - path.stat().st_mtime
            if busy is not None:
                who = f"process {busy.holder or 'unknown'}"
                hint = f"A refresh never takes that long. See what {who} is waiting for, or end it."
                value, slow = f"{path.stem} held by {who} for {age:.0f} s", age > DEFAULT_SECONDS
                found.append(advise("locks", value, str(path), hint if slow else None))
    yield from found or [Check("locks", "none held", "")]


def migration(context: Context) -> Iterator[Check]:
    """Yield how far the application's older credential was taken over, where it has one."""
    legacy = context.settings.legacy
    if legacy is None:
        return
    state = store_of(context).migration(legacy.name)
    is_open = state != MIGRATED and bool(state or legacy.read())
    hint = f"Set {context.environment.name('AUTH_DEBUG')}=1 to see why with the next command."
    value = "not migrated yet" if is_open else "nothing to migrate"
    value = f"{printable(legacy.name)}: {value}"
    yield advise("migration", value, "Auth(legacy=)", hint if is_open else None)


def pending(context: Context) -> Iterator[Check]:
    """Yield the logins that were begun and not finished, where there are any."""
    ids = pending_ids(_folder_of(context))
    if ids:
        hint = "`login --resume` finishes one; expired ones are removed at the next login."
        yield Check("pending logins", ", ".join(ids), "folder", hint=hint)


def policy(context: Context) -> Iterator[Check]:
    """Yield the storage policy and where it comes from."""
    if context.settings.store is not None:
        kind = type(context.settings.store).__name__
        yield Check("storage", kind, "Auth(store=)")
        for name, value, hint in context.settings.store.checks():
            yield advise(name, value, kind, hint)
    else:
        configured = context.environment.storage  # raises where it is none
        source = context.environment.name("AUTH_STORAGE") if configured else "Auth(storage=)"
        yield Check("storage", configured or context.settings.storage, source)
    store = store_of(context)
    if store.policy == ENCRYPTED or store.cipher is not None:
        keys = store.sealer.keys  # raises where there is none
        yield _private("sealing key", f"keys: {len(keys.all)}", keys.source, keys.file, "600")


def keyring(context: Context) -> Iterator[Check]:
    """Yield which keyring is in use, and how fast it reads a slot that does not exist."""
    store, holds_accounts = store_of(context), False
    with contextlib.suppress(StorageUnavailable):  # the record file has a line of its own
        records = store.records.document().records.values()
        holds_accounts = any(record.storage == SYSTEM for record in records)
    if not holds_accounts and store.policy in (PLAINTEXT, ENCRYPTED, CUSTOM):
        yield Check("keyring backend", "not used", "storage")
        return
    name = "keyring backend"
    try:
        store.vault.check()
        yield Check(name, store.vault.backend_name, "keyring")
        name, started = "keyring read", time.monotonic()
        store.vault.get(_EMPTY_SLOT)
    except StorageUnavailable as error:
        has_other_place = store.policy == "fallback" and not holds_accounts
        yield report_error(name, error, verdict="warn" if has_other_place else "fail")
        return
    seconds = time.monotonic() - started
    slow = "Every command waits this long." if seconds > _SLOW_SECONDS else None
    yield advise(name, f"an empty slot in {seconds * 1000:.0f} ms", "measured", slow)


def _folder_of(context: Context) -> Path:
    given = context.settings.store
    return (None if given is None else given.folder) or context.folder


def _private(name: str, value: str, source: str, path: Path | str | None, wanted: str) -> Check:
    """Return the mode of *path*; a file system that keeps none is said of the folder alone."""
    if path is None:
        return Check(name, value, source)
    facts, hint = Path(path).stat(), None
    if is_open_to_others(path, facts):
        hint = (
            f"Other users can read it. Run `chmod {wanted} {quoted(path)}`; "
            "if that has no effect, the file system doesn't support modes."
        )
    return advise(name, f"{value}, mode {stat.S_IMODE(facts.st_mode):04o}", source, hint)
