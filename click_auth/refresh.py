"""Silent refresh: one request for each expiry, however many processes want the token.

The lock protects a re-read, not a request: whoever gets it looks first whether somebody else has
renewed the token meanwhile, and only then asks the server (RFC 6749 section 6).
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from click_auth import errors, interrupts
from click_auth.console import console
from click_auth.defaults import DEFAULT_MIN_TTL
from click_auth.errors import AnswerLost, AuthError, NotLoggedIn, StorageUnavailable, Unreachable
from click_auth.locks.account_lock import LockBusy, lock_timeout
from click_auth.record import Record, Rejected, TokenBundle, carried_forward, to_posix
from click_auth.stores.account_store import CachedCredential, Superseded

if TYPE_CHECKING:
    from click_auth.context import Context
    from click_auth.locks.account_lock import LockOf
    from click_auth.providers import Provider
    from click_auth.stores.placement import Reserve


logger: logging.Logger = logging.getLogger("click_auth")


@dataclass(frozen=True, eq=False)
class Renewal:
    """One caller's need of a token: more than *min_ttl* seconds left, and not the *rejected* one.

    `seen` is the record as the caller read it before the lock. One that is *forced* wants another
    credential than that, whatever is left of it, and wants it stored.
    """

    context: Context
    seen: Record
    min_ttl: float = DEFAULT_MIN_TTL
    rejected: Rejected | None = None
    forced: bool = False

    def run(self, lock_of: LockOf | None = None) -> CachedCredential:
        """Return what is there once somebody, perhaps we, has renewed the token. Blocks.

        What could not be stored serves this process, with a warning. *lock_of* replaces the
        store's lock. Raises `NotLoggedIn` when only a login helps, `Unreachable` when trying
        later does, `StorageUnavailable` when the server was not asked because its response could
        not be kept.
        """
        store = self.context.store
        why = "it expires" if self.rejected is None else "the service rejected the token"
        logger.debug("refresh of %s: %s", self.seen.key, "it was asked for" if self.forced else why)
        deadline = time.monotonic() + self.context.lock_timeout(self.seen.instance)
        try:
            # A crowd that looks on until one of it is done costs less than one that queues.
            if lock_of is None and store.wait_for_others(self.seen.key, deadline):
                found = self._find_serving(self._read_record())
                if found is not None:
                    return found
            seconds = max(deadline - time.monotonic(), 0.0)
            with lock_timeout(seconds), (lock_of or store.lock)(self.seen.key):
                return self._renew()
        except LockBusy as busy:
            return self._after_waiting_in_vain(busy)
        except NotLoggedIn:
            raise
        except AuthError:
            found = self._find(self.seen) if self._may_fail(self.seen) else None
            if found is None:
                raise
            return found

    def _renew(self) -> CachedCredential:
        """Renew the credential, whose lock we hold, unless somebody else has."""
        store = self.context.store
        store.adopt(self.seen.key)
        record = self._read_record()
        found = self._find_serving(record)
        if found is not None:
            logger.debug("refresh of %s: another process has done it", record.key)
            return found
        old = record.bundle("", store.refresh_token(record))  # what has expired need not be read
        if old.refresh_token is None:
            store.read_cached(record)  # raises where nothing at all is left
            message = f"The credentials of {record.account.name} can't be refreshed."
            raise NotLoggedIn(message, code=errors.REFRESH_UNAVAILABLE)
        _ = self.context.http.module  # imported before `reserve`: right after it comes the POST
        with store.reserve(record, old) as reserve, interrupts.deferred():
            return self._exchange(record, old, reserve)

    def _exchange(self, record: Record, old: TokenBundle, reserve: Reserve) -> CachedCredential:
        """Ask the server and store what it gives. Signals wait until this is done."""
        provider = self.context.provider(record.instance)
        try:
            record.check_binding(provider.discover_binding())
            old, fresh = self._ask(provider, record, old)
            _refuse_others(provider, record, fresh)
        except NotLoggedIn as error:
            return self._after_a_refusal(record, error)
        bundle = carried_forward(old, fresh)
        label = provider.new_label(fresh, record.account.label)
        try:
            with self.context.store.patiently():
                record = self.context.store.rotate(record.renamed(label), bundle, reserve)
        except Superseded:  # by a logout or a login that did not wait: it stands
            return self.context.store.read_cached(self._read_record())
        except StorageUnavailable as error:
            return self._keep_in_memory(record, bundle, error, reserve)
        logger.debug("renewed %s, generation %d", record.key, record.generation)
        if not record.is_fresh(now=self.context.clock(), min_ttl=self.min_ttl):
            console.current().warn(
                f"The server's tokens expire sooner than the {self.min_ttl:g} s asked for."
            )
        return CachedCredential(record, bundle)

    def _ask(
        self, provider: Provider, record: Record, old: TokenBundle
    ) -> tuple[TokenBundle, TokenBundle]:
        """Return the grant that was spent, and what the server gave for it.

        Where *old* is refused, that is the refresh token which has taken its place: somebody
        without our lock, an older version, writes its record last or has died before.
        """
        try:
            return old, _request_tokens(provider, old)
        except NotLoggedIn as error:
            current = self._read_record()
            other = replace(old, refresh_token=self.context.store.refresh_token(current))
            is_other = other.refresh_token not in (None, old.refresh_token)
            is_known = current.generation != record.generation
            if error.code != errors.REFRESH_EXPIRED or is_known or not is_other:
                raise
        return other, _request_tokens(provider, other)

    def _after_a_refusal(self, record: Record, error: NotLoggedIn) -> CachedCredential:
        """Adopt what somebody without our lock has renewed; else remember that the grant is dead.

        So the next twenty commands do not ask the server again.
        """
        current = self._read_record()
        if current.generation != record.generation:
            return self.context.store.read_cached(current)
        if error.code != errors.REFRESH_EXPIRED:
            raise error
        with suppress(StorageUnavailable, Superseded):
            self.context.store.reject(record)
        raise record.session_ended(error.hints) from None

    def _keep_in_memory(
        self, record: Record, bundle: TokenBundle, error: StorageUnavailable, reserve: Reserve
    ) -> CachedCredential:
        """Return what could not be stored, with a warning: it serves this process alone."""
        lost = "The next command may have to log in again."
        unstored = StorageUnavailable(
            f"The token was refreshed for {record.account.name}, but it couldn't be stored: "
            f"{error.message}",
            code=errors.STORE_WRITE_FAILED,
            hints=["The next command tries again." if reserve.is_used else lost],
        )
        if self.forced:
            raise unstored
        console.current().warn(
            f"{unstored.message} This command continues. {' '.join(unstored.hints)}"
        )
        expiry = to_posix(bundle.expires_at)
        return CachedCredential(replace(record, access_token_expires_at=expiry), bundle)

    def _after_waiting_in_vain(self, busy: LockBusy) -> CachedCredential:
        record = self._read_record()
        found = self._find_serving(record)
        if found is None and self._may_fail(record):
            found = self._find(record)
        if found is None:
            message = f"Another process has been refreshing the token for too long: {busy}."
            raise Unreachable(message, hints=[Unreachable.try_later])
        return found

    def _read_record(self) -> Record:
        """Return the record as it is now, if it may be used."""
        record = self.context.store.record_of(self.seen.key)
        if record is None:
            message = f"The account {self.seen.account.name} was logged out in the meantime."
            raise NotLoggedIn(message, code=errors.REFRESH_UNAVAILABLE)
        record.check_binding(self.context.services.provider(record.instance).binding)
        return record

    def _find_serving(self, record: Record) -> CachedCredential | None:
        """Return what is stored if it serves, None where the server has to be asked.

        What somebody has renewed meanwhile serves while it is valid, if shorter than asked for.
        """
        if record.is_rejected:
            raise record.session_ended()
        is_another = self.rejected is not None or not record.is_same_credential(self.seen)
        min_ttl = 0.0 if is_another else self.min_ttl
        serves = is_another or not self.forced
        return self._find(record) if serves and self._is_fresh(record, min_ttl) else None

    def _find(self, record: Record) -> CachedCredential | None:
        """Return what is stored, None where it is gone or is what the server has rejected."""
        found = self.context.store.find_cached(record)
        return None if found is None or found.bundle.access_token == self.rejected else found

    def _may_fail(self, record: Record) -> bool:
        """Whether a failure to renew *record* is no error at all: its token is valid yet."""
        return self.rejected is None and not self.forced and self._is_fresh(record, 0.0)

    def _is_fresh(self, record: Record, min_ttl: float) -> bool:
        return record.is_fresh(now=self.context.clock(), min_ttl=min_ttl)


def _request_tokens(provider: Provider, bundle: TokenBundle) -> TokenBundle:
    """Refresh; where the response was lost without any status, send the same token once more.

    The server may have rotated it, and a replay right away falls into the window that servers
    leave for it. Never after a status (RFC 9700 section 4.14.2).
    """
    with suppress(AnswerLost):
        return provider.refresh(bundle)
    return provider.refresh(bundle)


def _refuse_others(provider: Provider, record: Record, fresh: TokenBundle) -> None:
    if not provider.is_same_account(fresh, record.account.id):
        message = "The server returned another account's tokens."
        raise NotLoggedIn(
            message, code=errors.REFRESH_EXPIRED, hints=[message, NotLoggedIn.log_in_again]
        )
