"""The three ways to have a token: from the environment, as a client, from the store.

`choose` is the one place that decides which of them applies.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from click_auth.account import Account
from click_auth.binding import check_usable
from click_auth.chosen import chosen_record, existing_record, overriding
from click_auth.defaults import DEFAULT_MIN_TTL
from click_auth.errors import NotLoggedIn
from click_auth.record import Record, is_fresh
from click_auth.stores.cached import Held, find_held
from click_auth.tokens import Rejected, TokenBundle, to_posix

if TYPE_CHECKING:
    from click_auth.context import Context
    from click_auth.providers.base import Provider

_VISIBLE = range(0x21, 0x7F)


class _Turn:
    """A lock of which a forked child has its own: the thread that held it is not there."""

    def __init__(self) -> None:
        self._process, self._lock = os.getpid(), threading.Lock()

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self._process, self._lock = os.getpid(), threading.Lock()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Credential(ABC):
    """A token for one service, kept fresh. Thread-safe."""

    source: str
    account: Account | None = None
    whose: str = "the new credential"
    """What a person is told was refused."""
    way_out: tuple[str, ...] = ()
    """What a person does about that, where it is not to log in."""

    def __init__(self, context: Context, instance: str | None) -> None:
        self._context = context
        self.instance = instance

    @property
    def provider(self) -> Provider:
        """Whose token it is."""
        return self._context.provider(self.instance)

    @abstractmethod
    def at_hand(self) -> TokenBundle | None:
        """Return the token if it is held and may still be used. Touches nothing but one stat."""

    @abstractmethod
    def bundle(
        self, min_ttl: float = DEFAULT_MIN_TTL, rejected: Rejected | None = None
    ) -> TokenBundle:
        """Return a token with more than *min_ttl* seconds left that is not the *rejected* one.

        Blocks when it has to be read or renewed. Raises `NotLoggedIn`, `Unreachable`,
        `StorageUnavailable`.
        """

    def accepted(self, token: str) -> None:  # noqa: B027 - only a stored one remembers
        """Hear that the service has taken *token*."""

    def after_401(self, rejected: Rejected) -> TokenBundle | None:
        """Return another token than the *rejected* one, None where there cannot be one."""
        return self.bundle(rejected=rejected)


class FixedToken(Credential):
    """A token that is used as it is: the one of a login that is not stored yet."""

    source = "login"

    def __init__(self, context: Context, instance: str | None, bundle: TokenBundle) -> None:
        super().__init__(context, instance)
        self._bundle = bundle

    def at_hand(self) -> TokenBundle:
        """Return the token."""
        return self._bundle

    def bundle(
        self, min_ttl: float = DEFAULT_MIN_TTL, rejected: Rejected | None = None
    ) -> TokenBundle:
        """Return the token, whatever is asked of it: nothing else is known."""
        del min_ttl, rejected
        return self._bundle

    def after_401(self, rejected: Rejected) -> None:
        """Return None: the answer stands."""


class EnvironmentToken(FixedToken):
    """The token in `<APP>_TOKEN`: never renewed, never stored."""

    source = "env"

    def __init__(self, context: Context, instance: str | None) -> None:
        super().__init__(context, instance, TokenBundle(context.environment.token or ""))
        variable = context.environment.token_env
        self.whose: str = f"the token in {variable}"
        self.way_out: tuple[str, ...] = (f"Set {variable} to one that is valid, or unset it.",)
        if not all(ord(character) in _VISIBLE for character in self._bundle.access_token):
            message = f"{variable} holds characters that no token has."
            raise NotLoggedIn(message, hints=self.way_out)


class Renewable(Credential):
    """A token that is held while it serves, and is then got anew by one thread for all."""

    def __init__(self, context: Context, instance: str | None) -> None:
        super().__init__(context, instance)
        self._lock = _Turn()
        self._held: Held | None = None

    def at_hand(self, min_ttl: float = DEFAULT_MIN_TTL) -> TokenBundle | None:
        """Return the held token while it is fresh."""
        held = self._held
        return held.bundle if held is not None and self._is_fresh(held.record, min_ttl) else None

    def bundle(
        self, min_ttl: float = DEFAULT_MIN_TTL, rejected: Rejected | None = None
    ) -> TokenBundle:
        """Return the token that is held, or another one where it does not serve."""
        with self._lock:
            bundle = self.at_hand(min_ttl)
            if bundle is None or bundle.access_token == rejected:
                bundle = self._obtained(min_ttl, rejected)
            return bundle

    @abstractmethod
    def _obtained(self, min_ttl: float, rejected: Rejected | None) -> TokenBundle:
        """Return a token that serves, and hold it."""

    def _is_fresh(self, record: Record, min_ttl: float) -> bool:
        return is_fresh(record, now=self._context.clock(), min_ttl=min_ttl)


class StoredCredential(Renewable):
    """The credential of one account in the store."""

    def __init__(self, context: Context, record: Record, stamp: object) -> None:
        super().__init__(context, record.instance)
        self.source: str = record.storage
        self.account: Account | None = record.account
        self.whose: str = f"the credential of {record.account.name}"
        self.record: Record = record
        self._first_read: Record | None = record  # read by whoever chose it, after that stamp
        self._stamp: object = stamp
        self._in_doubt: str | None = None  # got after a 401, and not yet seen to be taken

    def at_hand(self, min_ttl: float = DEFAULT_MIN_TTL) -> TokenBundle | None:
        """Return the held token while it is fresh and nobody has written the record file."""
        if self._held is None or self._stamp != self._context.store.stamp():
            return None
        return super().at_hand(min_ttl)

    def accepted(self, token: str) -> None:
        """Hear that the service has taken *token*: its next 401 is worth a refresh again."""
        if token == self._in_doubt:
            self._in_doubt = None

    def after_401(self, rejected: Rejected) -> TokenBundle | None:
        """Return another token, None where the *rejected* one was got for that very reason.

        A service that refuses whatever it is sent costs one refresh, not one for each request.
        """
        if rejected == self._in_doubt:
            return None
        bundle = self.bundle(rejected=rejected)
        self._in_doubt = bundle.access_token
        return bundle

    def _obtained(self, min_ttl: float, rejected: Rejected | None) -> TokenBundle:
        stamp = self._context.store.stamp()
        record, held = self._record(stamp), self._held
        if held is None or held.record.generation != record.generation:
            is_good = self._is_fresh(record, min_ttl)
            held = find_held(self._context.store, record) if is_good else None
        elif not self._is_fresh(held.record, min_ttl):
            held = None
        if held is None or held.bundle.access_token == rejected:
            from click_auth.refresh import Renewal  # noqa: PLC0415 - the edge of the hot path

            held = Renewal(self._context, record, min_ttl, rejected).run()
        self.record, self._held, self._stamp = held.record, held, stamp
        return held.bundle

    def _record(self, stamp: object) -> Record:
        first_read, self._first_read = self._first_read, None
        record = first_read if stamp == self._stamp else None
        record = record or self._context.store.record_of(self.record.key)
        if record is None:
            self._held = None
            raise NotLoggedIn(f"The account {self.record.account.name} was logged out.")
        check_usable(self._context, record)  # a login elsewhere may have replaced it
        return record


class ClientCredentials(Renewable):
    """The application itself as the client, for CI (RFC 6749 section 4.4): nothing is stored."""

    source = "client_credentials"
    whose: str = "the token of the client credentials"
    way_out: tuple[str, ...] = ("Check the client's id and secret, and what it is allowed to do.",)

    def __init__(self, context: Context, instance: str | None) -> None:
        super().__init__(context, instance)
        self._client = context.environment.client_credentials or ("", "")

    def _obtained(self, min_ttl: float, rejected: Rejected | None) -> TokenBundle:
        """Return a new token, whatever was wrong with the held one. Blocks."""
        del min_ttl, rejected
        obtained_at = self._context.clock()
        bundle = self.provider.client_credentials(*self._client)
        record = Record(
            Account(self._client[0]),
            access_token_expires_at=to_posix(bundle.expires_at),
            access_token_obtained_at=obtained_at,
        )
        self._held = Held(record, bundle)
        return bundle


def choose(context: Context, user: str | None = None, instance: str | None = None) -> Credential:
    """Return the credential that applies: *user*, the environment's token, its client, the store.

    Reads the record file where the store applies, and no secret. Raises `NotLoggedIn` where
    there is none that may be used here, `UsageError` where *user* means no account or several.
    """
    credential = applying(context, user, instance)
    if isinstance(credential, StoredCredential):
        check_usable(context, credential.record)
    return credential


def applying(context: Context, user: str | None = None, instance: str | None = None) -> Credential:
    """Return the same, be a stored one of any use or not: for whoever only shows what there is."""
    if overriding(context, user, instance) is not None:
        kind = ClientCredentials if context.environment.token is None else EnvironmentToken
        return kind(context, context.instance(instance))
    stamp = context.store.stamp()
    return StoredCredential(context, existing_record(context, user, instance), stamp)


def chosen_stored(
    context: Context, user: str | None = None, instance: str | None = None
) -> StoredCredential:
    """Return the stored credential that applies, whatever token the environment holds."""
    stamp = context.store.stamp()
    return StoredCredential(context, chosen_record(context, user, instance), stamp)
