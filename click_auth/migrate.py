"""Taking over the credential of an application's own, older login: one way, once, resumably.

Two phases, with a durable marker: the old token is inserted as a record in plaintext, where no
record is; then it moves to where new credentials go. The old place is emptied last, when the
record has been read back. Whatever stops this in between, the next command goes on from there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from click_auth.api_client import identify_account
from click_auth.credentials import FixedToken
from click_auth.errors import AuthError, LoginFailed, Unreachable
from click_auth.record import PLAINTEXT, Record, TokenBundle, usable
from click_auth.stores.account_store import MIGRATED

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.account import Account
    from click_auth.arguments import LegacyCredential
    from click_auth.context import Context

logger: logging.Logger = logging.getLogger("click_auth")

MOVING = "moving"

R = TypeVar("R")


@dataclass(frozen=True)
class MigrationResult:
    """How the migration of an older credential ended; `reason` says why it was skipped."""

    state: Literal["migrated", "already-migrated", "no-legacy-state", "skipped"]
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return `{"state", "reason"}`."""
        return {"state": self.state, "reason": self.reason}


def migrate_once(context: Context) -> None:
    """Take over the application's older credential, where nothing is stored yet.

    One that was begun, and ended by a crash, goes on.
    """
    legacy, store = context.settings.legacy, context.store
    if legacy is None or context.is_migrated:
        return
    if store.listing()[0] and store.migration(legacy.name) in (None, MIGRATED):
        return
    context.is_migrated = True
    migrate(context, legacy)


def migrate(context: Context, legacy: LegacyCredential) -> MigrationResult:
    """Take over *legacy*, as `migrate_legacy_auth` says."""
    migration = _Migration(context, legacy)
    result = _attempt(migration.resume)
    if result is None:
        result = _attempt(migration.begin)
        if result.state != "migrated":  # another process may have been faster
            result = _attempt(migration.resume) or result
    reason = "" if result.reason is None else f": {result.reason}"
    logger.info("migration %s: %s%s", legacy.name, result.state, reason)
    return result


def _attempt(step: Callable[[], R]) -> R | MigrationResult:
    """Return what *step* returns, and as a result what it raises."""
    try:
        return step()
    except AuthError as error:
        return MigrationResult("skipped", error.message)
    except Exception as error:  # noqa: BLE001 - the old place is the application's own
        return MigrationResult("skipped", f"failed with {type(error).__name__}")


@dataclass(frozen=True)
class _Migration:
    context: Context
    legacy: LegacyCredential

    def resume(self) -> MigrationResult | None:
        """Go on from the marker; return how that went, None where nobody has begun."""
        state = self.context.store.migration(self.legacy.name)
        if state == MIGRATED:
            return MigrationResult("already-migrated")
        return None if state is None else self._finish(state.partition(" ")[2])

    def begin(self) -> MigrationResult:
        """Begin, where there is something to take over."""
        found = self.legacy.read()
        bundle = TokenBundle(found.strip()) if isinstance(found, str) else found
        if bundle is None or bundle == TokenBundle(""):
            return MigrationResult("no-legacy-state")
        if usable(bundle.access_token) is None and usable(bundle.refresh_token) is None:
            return MigrationResult("skipped", "the old credentials are unusable")
        self.context.store.check_writable()
        key = self._insert(bundle)
        if key is None:
            return MigrationResult("skipped", "the account is already logged in")
        return self._finish(key)

    def _insert(self, bundle: TokenBundle) -> str | None:
        """Insert the old credential where no record is, together with the marker."""
        account = self._identify(bundle)
        record = replace(
            Record(account).dated(bundle, None),
            has_refresh_token=None,
            storage=PLAINTEXT,
            fallback_token=bundle.access_token,
            fallback_refresh_token=bundle.refresh_token,
            **self.context.provider(account.instance).binding._asdict(),
        )
        marker = f"{MOVING} {record.key}"
        is_new = self.context.store.insert_migrated(record, self.legacy.name, marker)
        return record.key if is_new else None

    def _identify(self, bundle: TokenBundle) -> Account:
        credential = FixedToken(self.context, self.context.instance(None), bundle)
        try:
            return identify_account(self.context, credential)
        except (LoginFailed, Unreachable) as error:
            message = f"couldn't identify the old credentials: {error.message}"
            raise Unreachable(message) from None

    def _finish(self, key: str) -> MigrationResult:
        """Move the inserted credential to where new ones go, then empty the old place.

        Under the account's lock: of several processes one does it, the others find it done.
        """
        store, name = self.context.store, self.legacy.name
        with store.lock(key):
            if store.migration(name) == MIGRATED:
                return MigrationResult("already-migrated")
            record = store.record_of(key)
            if record is None:  # logged out in between: that is done
                store.mark_migration(name, MIGRATED)
                return MigrationResult("skipped", "the account was logged out in the meantime")
            if record.storage == PLAINTEXT:
                record = store.rotate(record, store.credential(record))  # as any write goes
            store.access_token(record)  # raises where the new record cannot be read
            self.legacy.retire()
            store.mark_migration(name, MIGRATED)
        return MigrationResult("migrated")
