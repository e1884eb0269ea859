"""The three ways to have a token: from the environment, as a client, from the store.

`choose` is the one place that decides which of them applies.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from click_auth.chosen import chosen_record
from click_auth.defaults import DEFAULT_MIN_TTL
from click_auth.errors import NotLoggedIn
from click_auth.identity import Identity
from click_auth.keys import account_key
from click_auth.records import Record
from click_auth.stores.held import Held, read_held
from click_auth.tokens import TokenBundle, from_posix, is_fresh, to_posix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.core import Core
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
    identity: Identity | None = None

    def __init__(self, core: Core, instance: str | None) -> None:
        self._core = core
        self.instance = instance

    @property
    def provider(self) -> Provider:
        """Whose token it is."""
        return self._core.provider(self.instance)

    @abstractmethod
    def at_hand(self) -> TokenBundle | None:
        """Return the token if it is held and may still be used. Touches nothing but one stat."""

    @abstractmethod
    def bundle(self, min_ttl: float = DEFAULT_MIN_TTL, rejected: str | None = None) -> TokenBundle:
        """Return a token with more than *min_ttl* seconds left that is not the *rejected* one.

        Blocks when it has to be read or renewed. Raises `NotLoggedIn`, `Unreachable`,
        `StorageUnavailable`.
        """

    def accepted(self, token: str) -> None:  # noqa: B027 - only a stored one remembers
        """Hear that the service has taken *token*."""

    def after_401(self, rejected: str) -> TokenBundle | None:
        """Return another token than the *rejected* one, None where there cannot be one."""
        return self.bundle(rejected=rejected)


class FixedToken(Credential):
    """A token that is used as it is: the one of a login that is not stored yet."""

    source = "login"

    def __init__(self, core: Core, instance: str | None, bundle: TokenBundle) -> None:
        super().__init__(core, instance)
        self._bundle = bundle

    def at_hand(self) -> TokenBundle:
        """Return the token."""
        return self._bundle

    def bundle(self, min_ttl: float = DEFAULT_MIN_TTL, rejected: str | None = None) -> TokenBundle:
        """Return the token, whatever is asked of it: nothing else is known."""
        del min_ttl, rejected
        return self._bundle

    def after_401(self, rejected: str) -> None:
        """Return None: the answer stands."""


class EnvironmentToken(FixedToken):
    """The token in `<APP>_TOKEN`: never renewed, never stored."""

    source = "env"

    def __init__(self, core: Core, instance: str | None, token: str) -> None:
        if not all(ord(character) in _VISIBLE for character in token):
            raise NotLoggedIn(f"{core.environment.token_env} holds characters that no token has.")
        super().__init__(core, instance, TokenBundle(token))


class StoredCredential(Credential):
    """The credential of one account in the store."""

    def __init__(self, core: Core, record: Record, stamp: object) -> None:
        super().__init__(core, record.instance)
        self.source: str = record.storage
        self.identity: Identity | None = record.account
        self.record: Record = record
        self._lock = _Turn()
        self._first_read: Record | None = record  # read by whoever chose it, after that stamp
        self._held: Held | None = None
        self._stamp: object = stamp
        self._in_doubt: str | None = None  # got after a 401, and not yet seen to be taken

    def at_hand(self) -> TokenBundle | None:
        """Return the held token while it is fresh and nobody has written the record file."""
        return self._at_hand(DEFAULT_MIN_TTL)

    def _at_hand(self, min_ttl: float) -> TokenBundle | None:
        held = self._held
        if held is None or self._stamp != self._core.store.stamp():
            return None
        fresh = is_fresh(held.record, now=self._core.clock(), min_ttl=min_ttl)
        return held.bundle if fresh else None

    def bundle(self, min_ttl: float = DEFAULT_MIN_TTL, rejected: str | None = None) -> TokenBundle:
        """Return the token, read once and renewed when it must be."""
        with self._lock:
            bundle = self._at_hand(min_ttl)
            if bundle is None or bundle.access_token == rejected:
                bundle = self._obtained(min_ttl, rejected)
            return bundle

    def accepted(self, token: str) -> None:
        """Hear that the service has taken *token*: its next 401 is worth a refresh again."""
        if token == self._in_doubt:
            self._in_doubt = None

    def after_401(self, rejected: str) -> TokenBundle | None:
        """Return another token, None where the *rejected* one was got for that very reason.

        A service that refuses whatever it is sent costs one refresh, not one for each request.
        """
        if rejected == self._in_doubt:
            return None
        bundle = self.bundle(rejected=rejected)
        self._in_doubt = bundle.access_token
        return bundle

    def _obtained(self, min_ttl: float, rejected: str | None) -> TokenBundle:
        stamp = self._core.store.stamp()
        record, held = self._record(stamp), self._held
        if held is None or held.record.generation != record.generation:
            fresh = is_fresh(record, now=self._core.clock(), min_ttl=min_ttl)
            held = read_held(self._core.store, record) if fresh else None
        if held is None or not self._serves(held, min_ttl, rejected):
            held = self._renewed(record, min_ttl, rejected)
        self.record, self._held, self._stamp = held.record, held, stamp
        return held.bundle

    def _serves(self, held: Held, min_ttl: float, rejected: str | None) -> bool:
        fresh = is_fresh(held.record, now=self._core.clock(), min_ttl=min_ttl)
        return fresh and held.bundle.access_token != rejected

    def _record(self, stamp: object) -> Record:
        first_read, self._first_read = self._first_read, None
        record = first_read if stamp == self._stamp else None
        record = record or self._core.store.record_of(self.record.key)
        if record is None:
            self._held = None
            raise NotLoggedIn(f"The account {self.record.account.name} was logged out.")
        return record

    def _renewed(self, record: Record, min_ttl: float, rejected: str | None) -> Held:
        from click_auth.refresh import Renewal  # noqa: PLC0415 - the edge of the hot path

        return Renewal(self._core, record, min_ttl, rejected).run()


class ClientCredentials(Credential):
    """The application itself as the client, for CI (RFC 6749 section 4.4)."""

    source = "client_credentials"

    def __init__(self, core: Core, instance: str | None, client: tuple[str, str]) -> None:
        super().__init__(core, instance)
        self._client = client
        self._lock = _Turn()
        self._grant: Record | None = None
        self._bundle: TokenBundle | None = None

    def at_hand(self) -> TokenBundle | None:
        """Return the token while it is fresh."""
        return self._at_hand(DEFAULT_MIN_TTL)

    def _at_hand(self, min_ttl: float) -> TokenBundle | None:
        if self._grant is None:
            return None
        fresh = is_fresh(self._grant, now=self._core.clock(), min_ttl=min_ttl)
        return self._bundle if fresh else None

    def bundle(self, min_ttl: float = DEFAULT_MIN_TTL, rejected: str | None = None) -> TokenBundle:
        """Return the token, granted anew where there is none that serves. Blocks."""
        with self._lock:
            bundle = self._at_hand(min_ttl)
            if bundle is None or bundle.access_token == rejected:
                self._take(self._core.store.kept_grant(self._name))
                bundle = self._at_hand(min_ttl)
            if bundle is None or bundle.access_token == rejected:
                bundle = self.provider.client_credentials(*self._client)
                grant = {
                    "access_token": bundle.access_token,
                    "expires_at": to_posix(bundle.expires_at),
                    "obtained_at": self._core.clock(),
                    "issuer": self.provider.binding.issuer,
                }
                self._core.store.keep_grant(self._name, grant)
                self._take(grant)
                self._bundle = bundle
            return bundle

    @property
    def _name(self) -> str:
        return account_key(self._client[0], self.instance)

    def _take(self, grant: Mapping[str, Any] | None) -> None:
        """Hold *grant*, from the store or the server, if it is this server's."""
        if grant is None or grant.get("issuer") != self.provider.binding.issuer:
            return
        expires_at, obtained_at = grant.get("expires_at"), grant.get("obtained_at")
        self._bundle = TokenBundle(str(grant["access_token"]), expires_at=from_posix(expires_at))
        self._grant = Record(
            Identity(self._client[0]),
            access_token_expires_at=expires_at,
            access_token_obtained_at=obtained_at,
        )


def choose(core: Core, user: str | None = None, instance: str | None = None) -> Credential:
    """Return the credential that applies: *user*, the environment's token, its client, the store.

    Reads the record file where the store applies, and no secret. Raises `NotLoggedIn` where
    there is none, `UsageError` where *user* means no account or several.
    """
    environment = core.environment
    if user is None and environment.token is not None:
        return EnvironmentToken(core, core.instance(instance), environment.token)
    if user is None and environment.client_credentials is not None:
        return ClientCredentials(core, core.instance(instance), environment.client_credentials)
    return chosen_stored(core, user, instance)


def chosen_stored(
    core: Core, user: str | None = None, instance: str | None = None
) -> StoredCredential:
    """Return the stored credential that applies, whatever token the environment holds."""
    stamp = core.store.stamp()
    return StoredCredential(core, chosen_record(core, user, instance), stamp)
