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

from click_auth import signals
from click_auth.console import console
from click_auth.credentials import check_binding, ended, select_stored
from click_auth.defaults import DEFAULT_MIN_TTL
from click_auth.errors import (
    REFRESH_EXPIRED,
    REFRESH_UNAVAILABLE,
    STORE_WRITE_FAILED,
    AnswerLost,
    AuthError,
    NotLoggedIn,
    StorageUnavailable,
    Unreachable,
)
from click_auth.locks.account_lock import LockBusy, lock_timeout
from click_auth.record import is_fresh
from click_auth.stores.base import Superseded
from click_auth.stores.cached import Held, find_held, find_token, read_held
from click_auth.tokens import Rejected, TokenBundle, carried_forward, to_posix

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from click_auth.context import Context
    from click_auth.providers.base import Provider
    from click_auth.record import Record
    from click_auth.stores.records import Reserve

    LockOf = Callable[[str], AbstractContextManager[object]]

_LOST = "The next one may have to log in again."

logger: logging.Logger = logging.getLogger("click_auth")


@dataclass(frozen=True)
class Renewal:
    """One caller's need of a token: more than *min_ttl* seconds left, and not the *rejected* one.

    `seen` is the record as the caller read it before the lock.
    """

    context: Context
    seen: Record
    min_ttl: float = DEFAULT_MIN_TTL
    rejected: Rejected | None = None

    def run(self, lock_of: LockOf | None = None) -> Held:
        """Return what is there once somebody, perhaps we, has renewed the token. Blocks.

        What could not be stored serves this process, with a warning. Raises `NotLoggedIn` when
        only a login helps, `Unreachable` when trying later does, `StorageUnavailable` when the
        server was not asked because its answer could not be kept.
        """
        held = self.renewed(lock_of)
        if held.unstored is not None:
            console.current().warn(
                f"{held.unstored.message} This command goes on. {' '.join(held.unstored.hints)}"
            )
        return held

    def renewed(self, lock_of: LockOf | None = None) -> Held:
        """Return what `run` does, and say nothing of it where it could not be stored."""
        store = self.context.store
        deadline = time.monotonic() + self.context.lock_timeout(self.seen.instance)
        try:
            held = self._renewed_by_others(deadline) if lock_of is None else None
            if held is not None:
                return held
            seconds = max(deadline - time.monotonic(), 0.0)
            with lock_timeout(seconds), (lock_of or store.lock)(self.seen.key):
                return self._under_the_lock()
        except LockBusy as busy:
            return self._after_waiting_in_vain(busy)
        except NotLoggedIn:
            raise
        except AuthError:
            # While the access token is valid, a failure to renew it is no error at all.
            held = self._stored(self.seen) if self._is_good_yet(self.seen) else None
            if held is None:
                raise
            return held

    def _renewed_by_others(self, deadline: float) -> Held | None:
        """Return what whoever is on the lock now comes to store, None where it is ours to do.

        A crowd that looks on until one of it is done costs less than one that queues. What they
        find is what a command finds that starts a moment later, and takes no lock either.
        """
        if not self.context.store.outlast_others(self.seen.key, deadline):
            return None
        return self._settled(self._current())

    def _settled(self, record: Record) -> Held | None:
        """Return what is stored if it serves, None where the server has to be asked."""
        if record.is_rejected:
            raise ended(record)
        return self._stored(record) if self._is_served_by(record) else None

    def _stored(self, record: Record) -> Held | None:
        """Return what is stored, None where it is gone or is what the server has rejected."""
        held = find_held(self.context.store, record)
        return None if held is None or held.bundle.access_token == self.rejected else held

    def _under_the_lock(self) -> Held:
        store = self.context.store
        store.adopt(self.seen.key)
        record = self._current()
        held = self._settled(record)
        if held is not None:
            return held
        old = self._grant_of(record)
        provider = self.context.provider(record.instance)
        with store.reserve(record, old.bundle) as reserve, signals.deferred():
            return self._exchange(provider, old, reserve)

    def _grant_of(self, record: Record) -> Held:
        """Return *record* with its refresh token; nobody needs the access token that is over."""
        store = self.context.store
        grant = TokenBundle("", store.refresh_token(record))
        if grant.refresh_token is None:
            read_held(store, record)  # raises where nothing at all is left
            message = f"The credential of {record.account.name} cannot be renewed."
            raise NotLoggedIn(message, code=REFRESH_UNAVAILABLE)
        return Held(record, record.bundle("", grant.refresh_token))

    def _exchange(self, provider: Provider, old: Held, reserve: Reserve) -> Held:
        """Ask the server and store what it gives. Signals wait until this is done."""
        try:
            old, fresh = self._ask(provider, old)
        except NotLoggedIn as error:
            return self._after_a_refusal(old.record, error)
        if not provider.is_same_account(fresh, old.record.account.id):
            message = "The server answered the refresh with the tokens of another account."
            hints = [message, "Log in again."]
            swapped = NotLoggedIn(message, code=REFRESH_EXPIRED, hints=hints)
            return self._after_a_refusal(old.record, swapped)
        store, bundle = self.context.store, carried_forward(old.bundle, fresh)
        label = provider.new_label(fresh, old.record.account.label)
        try:
            with store.patiently():
                record = store.rotate(old.record.renamed(label), bundle, reserve)
        except Superseded:  # by a logout or a login that did not wait: it stands
            return read_held(store, self._current())
        except StorageUnavailable as error:
            return _kept_in_memory(old.record, bundle, error, reserve)
        logger.debug("renewed %s, generation %d", record.key, record.generation)
        self._warn_if_too_short(record)
        return Held(record, bundle)

    def _ask(self, provider: Provider, old: Held) -> tuple[Held, TokenBundle]:
        """Return what the server gives for *old*, or for what has taken the place of its token.

        Somebody without our lock, an older version, writes its record last or has died before.
        """
        try:
            return old, _asked(provider, old.bundle)
        except NotLoggedIn as error:
            record = self._current()
            found = replace(old.bundle, refresh_token=self.context.store.refresh_token(record))
            is_other = found.refresh_token not in (None, old.bundle.refresh_token)
            is_known = record.generation != old.record.generation
            if error.code != REFRESH_EXPIRED or is_known or not is_other:
                raise
        newer = Held(record, found)
        return newer, _asked(provider, newer.bundle)

    def _after_a_refusal(self, record: Record, error: NotLoggedIn) -> Held:
        """Adopt what somebody without our lock has renewed; else remember that the grant is dead.

        So the next twenty commands do not ask the server again.
        """
        current = self._current()
        if current.generation != record.generation:
            return read_held(self.context.store, current)
        if error.code != REFRESH_EXPIRED:
            raise error
        with suppress(StorageUnavailable, Superseded):
            self.context.store.reject(record)
        raise ended(record, error) from None

    def _after_waiting_in_vain(self, busy: LockBusy) -> Held:
        record = self._current()
        is_good = self._is_served_by(record) or self._is_good_yet(record)
        held = self._stored(record) if is_good else None
        if held is not None:
            return held
        message = f"Another process is renewing the credential and does not finish: {busy}."
        raise Unreachable(message, hints=["Try again later."])

    def _current(self) -> Record:
        record = self.context.store.record_of(self.seen.key)
        if record is None:
            message = f"The account {self.seen.account.name} was logged out meanwhile."
            raise NotLoggedIn(message, code=REFRESH_UNAVAILABLE)
        check_binding(self.context.services.provider(record.instance), record)
        return record

    def _is_served_by(self, record: Record) -> bool:
        """Whether what is stored now lasts, so that the server need not be asked."""
        if self.rejected is not None:
            return self._is_valid(record)
        if is_fresh(record, now=self.context.clock(), min_ttl=self.min_ttl):
            return True
        return record.generation != self.seen.generation and self._is_valid(record)

    def _is_good_yet(self, record: Record) -> bool:
        """Whether a failure to renew *record* is no error at all."""
        return self.rejected is None and self._is_valid(record)

    def _is_valid(self, record: Record) -> bool:
        return is_fresh(record, now=self.context.clock(), min_ttl=0.0)

    def _warn_if_too_short(self, record: Record) -> None:
        if not is_fresh(record, now=self.context.clock(), min_ttl=self.min_ttl):
            console.current().warn(
                f"The server's tokens live shorter than the {self.min_ttl:g} s asked for."
            )


def _asked(provider: Provider, bundle: TokenBundle) -> TokenBundle:
    """Refresh; where the answer was lost without any status, send the same token once more.

    The server may have rotated it, and a replay right away falls into the window that servers
    leave for it. Never after a status (RFC 9700 section 4.14.2).
    """
    with suppress(AnswerLost):
        return provider.refresh(bundle)
    return provider.refresh(bundle)


def _kept_in_memory(
    record: Record, bundle: TokenBundle, error: StorageUnavailable, reserve: Reserve
) -> Held:
    unstored = StorageUnavailable(
        f"The renewed credential of {record.account.name} could not be stored: {error.message}",
        code=STORE_WRITE_FAILED,
        hints=["The next one tries it again." if reserve.is_used else _LOST],
    )
    expiry = to_posix(bundle.expires_at)
    return Held(replace(record, access_token_expires_at=expiry), bundle, unstored)


def refreshed(
    context: Context,
    user: str | None,
    instance: str | None,
    *,
    min_ttl: float,
    rejected: Rejected | None,
    lock_of: LockOf | None,
) -> TokenBundle:
    """Return tokens with more than *min_ttl* seconds left that are not the *rejected* ones."""
    record = select_stored(context, user, instance).record
    is_good = rejected is None and is_fresh(record, now=context.clock(), min_ttl=min_ttl)
    held = find_held(context.store, record) if is_good else None
    return (held or Renewal(context, record, min_ttl, rejected).run(lock_of)).bundle


def rotate_now(context: Context, user: str | None, instance: str | None) -> Held:
    """Rotate the credential of a stored account whatever is left of it; return the new one.

    Of two processes that do it at once the second adopts what the first has got. Raises
    `StorageUnavailable` also where the new credential could not be stored.
    """
    record = select_stored(context, user, instance).record
    current = Rejected(find_token(context.store, record) or "")
    held = Renewal(context, record, rejected=current).renewed()
    if held.unstored is not None:
        raise held.unstored
    return held
