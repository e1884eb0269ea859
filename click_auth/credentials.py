"""Which credential applies, which `find_credential` alone decides; what each kind of them does."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from click_auth.account import Account, select_account
from click_auth.console import console
from click_auth.defaults import DEFAULT_MIN_TTL
from click_auth.errors import AuthError, NotLoggedIn
from click_auth.record import Record, Rejected, TokenBundle
from click_auth.stores.account_store import CachedCredential

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from click_auth.context import Context
    from click_auth.locks.account_lock import LockOf
    from click_auth.providers import Provider


class Credential:
    """A token for one service, cached while it is fresh. Thread-safe."""

    source: str
    record: Record | None = None
    """What is stored of it, None where nothing is."""
    whose: str = "the new credential"
    """What a person is told was refused, where that is no account's."""
    way_out: tuple[str, ...] = ()
    """What a person does about that, where it is not to log in."""

    def __init__(self, context: Context, instance: str | None) -> None:
        self._context = context
        self.instance = instance
        self._locks: dict[int, threading.Lock] = {}
        self._cached: CachedCredential | None = None
        self._replaced_by: str | None = None  # the token that was got after a 401
        self._accepted: str | None = None
        self._failed: dict[object, tuple[float, AuthError]] = {}  # by what was rejected; the last

    @property
    def account(self) -> Account | None:
        """The account that it belongs to, where that is known."""
        return None if self.record is None else self.record.account

    @property
    def provider(self) -> Provider:
        """Whose token it is."""
        return self._context.provider(self.instance)

    def checked(self) -> Self:
        """Return this credential, if it may be used; else raise `NotLoggedIn`. No I/O."""
        return self

    def cached(self, min_ttl: float = DEFAULT_MIN_TTL) -> TokenBundle | None:
        """Return the token if it is in memory and may still be used. Costs one stat at most."""
        cached = self._cached
        if cached is None or not self._is_fresh(cached.record, min_ttl):
            return None
        return cached.bundle

    def bundle(
        self, min_ttl: float = DEFAULT_MIN_TTL, rejected: Rejected | None = None
    ) -> TokenBundle:
        """Return a token with more than *min_ttl* seconds left that is not the *rejected* one.

        Blocks when it has to be read or renewed, which one thread does for all: those that waited
        for it raise what it raised. Raises `NotLoggedIn`, `Unreachable`, `StorageUnavailable`.
        """
        asked_at = time.monotonic()
        # One lock for each process: a forked child has no thread that would release its parent's.
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            bundle = self.cached(min_ttl)
            if bundle is not None and bundle.access_token != rejected:
                return bundle
            failed_at, failure = self._failed.get(rejected, (asked_at, None))
            if failure is not None and failed_at > asked_at:
                raise failure
            try:
                self._cached = self._obtain(min_ttl, rejected)
            except AuthError as error:
                self._failed = {rejected: (time.monotonic(), error)}
                raise
            return self._cached.bundle

    def accepted(self, token: str) -> None:
        """Record that the service accepted *token*: its next 401 is worth a refresh again."""
        self._accepted = token

    def after_401(self, rejected: Rejected) -> TokenBundle | None:
        """Return another token, None where the *rejected* one was got for that very reason.

        A service that refuses whatever it is sent costs one refresh, not one for each request.
        """
        if rejected == self._replaced_by and rejected != self._accepted:
            return None
        bundle = self.bundle(rejected=rejected)
        self._replaced_by = bundle.access_token
        return bundle

    def _is_fresh(self, record: Record, min_ttl: float) -> bool:
        return record.is_fresh(now=self._context.clock(), min_ttl=min_ttl)

    def _obtain(self, min_ttl: float, rejected: Rejected | None) -> CachedCredential:
        """Return a token that `bundle` may return, with its record: here a new one. Blocks."""
        del min_ttl, rejected
        obtained_at = self._context.clock()
        bundle = self._request()
        return CachedCredential(Record(Account(self.source)).dated(bundle, obtained_at), bundle)

    def _request(self) -> TokenBundle:
        """Return a token that the server grants now. Blocks."""
        raise NotImplementedError


class FixedToken(Credential):
    """A token that is used as it is: the one of a login that is not stored yet."""

    source = "login"

    def __init__(self, context: Context, instance: str | None, bundle: TokenBundle) -> None:
        super().__init__(context, instance)
        self._bundle = bundle

    def _request(self) -> TokenBundle:
        return self._bundle

    def after_401(self, rejected: Rejected) -> None:
        """Return None: the response stands."""


class EnvironmentToken(FixedToken):
    """The token in `<APP>_TOKEN`: never renewed, never stored."""

    source = "env"

    def __init__(self, context: Context, instance: str | None) -> None:
        variable, token = context.environment.token_env, context.environment.token or ""
        super().__init__(context, instance, TokenBundle(token))
        self.whose: str = f"the token in {variable}"
        self.way_out: tuple[str, ...] = (f"Set {variable} to a valid token, or unset it.",)
        if not all("!" <= character <= "~" for character in token):
            message = f"{variable} contains characters that are not allowed in a token."
            raise NotLoggedIn(message, hints=self.way_out)


class StoredCredential(Credential):
    """The credential of one account in the store. *version* is that of the store it was read at."""

    record: Record
    lock_of: LockOf | None = None
    """What replaces the store's own lock, by account key."""

    def __init__(self, context: Context, record: Record, version: object) -> None:
        super().__init__(context, record.instance)
        self.source: str = record.storage
        self.record = record
        self._version: object = version

    def cached(self, min_ttl: float = DEFAULT_MIN_TTL) -> TokenBundle | None:
        """Return the cached token while it is fresh and nobody has written the record file."""
        is_current = self._cached is not None and self._version == self._context.store.stamp()
        return super().cached(min_ttl) if is_current else None

    def checked(self) -> Self:
        """Return it, unless it is another server's or its session is known to be over."""
        self.record.check_usable(self._context.services.provider(self.instance).binding)
        return self

    def renew(
        self,
        min_ttl: float = DEFAULT_MIN_TTL,
        rejected: Rejected | None = None,
        *,
        forced: bool = False,
    ) -> CachedCredential:
        """Return another credential, which `Renewal` describes. Blocks."""
        from click_auth.refresh import Renewal  # noqa: PLC0415 - the edge of the hot path

        return Renewal(self._context, self.record, min_ttl, rejected, forced).run(self.lock_of)

    def _obtain(self, min_ttl: float, rejected: Rejected | None) -> CachedCredential:
        store = self._context.store
        version = store.stamp()
        if version != self._version:  # a login elsewhere may have replaced it
            record = store.record_of(self.record.key)
            if record is None:
                raise NotLoggedIn(f"The account {self.record.account.name} has been logged out.")
            self.record = record
        self.checked()
        cached = self._cached
        if cached is None or not cached.record.is_same_credential(self.record):
            is_good = self._is_fresh(self.record, min_ttl)
            cached = store.find_cached(self.record) if is_good else None
        elif not self._is_fresh(cached.record, min_ttl):
            cached = None
        if cached is None or cached.bundle.access_token == rejected:
            cached = self.renew(min_ttl, rejected)
        # The version last: `cached` is called without the lock. It is the one from before a
        # renewal's own write, so that nobody else's write is ever missed.
        self._cached, self.record = cached, cached.record
        self._version = version
        return cached


class ClientCredentials(Credential):
    """The application itself as the client, for CI (RFC 6749 section 4.4)."""

    source = "client_credentials"
    whose: str = "the client credentials' token"
    way_out: tuple[str, ...] = ("Check the client ID and secret, and what the client may do.",)

    def _request(self) -> TokenBundle:
        # In no variable of this frame: a traceback that prints them would show the secret.
        environment = self._context.environment
        return self.provider.client_credentials(*(environment.client_credentials or ("", "")))


class WorkloadIdentity(Credential):
    """The CI job that runs us: its ID token is exchanged for an access token (RFC 8693)."""

    source = "workload"
    whose: str = "this CI job's token"
    way_out: tuple[str, ...] = ("Check what this job is allowed to do on the server.",)

    def _request(self) -> TokenBundle:
        identity = self._context.find_identity(self.instance)
        if identity is None or identity.token is None:
            raise NotLoggedIn((identity and identity.lacks) or "This CI job's ID token is gone.")
        return self.provider.exchange_id_token(identity.token)


def find_credential(
    context: Context, user: str | None = None, instance: str | None = None
) -> Credential:
    """Return what applies: the account named, the environment's token or client, the stored one.

    `checked` says whether it may be used.
    Reads the record file where the store applies, and no secret. Raises `NotLoggedIn` where
    there is none, `UsageError` where *user* means no account or several.
    """
    override = find_override(context, user, instance)
    if override is not None:
        console.log("credential: %s, ahead of every stored account", override[0])
        return override[1](context, context.instance(instance))
    if context.environment.token is not None:
        console.log("%s is set aside: another credential is named", context.environment.token_env)
    return find_stored(context, user, instance)


def find_stored(
    context: Context, user: str | None = None, instance: str | None = None
) -> StoredCredential:
    """Return the stored credential that applies, whatever token the environment holds."""
    version = context.store.stamp()
    record = find_record(context, user, instance)
    if record is None:
        raise NotLoggedIn(" ".join(("Not logged in.", *context.passed_over(instance))))
    return StoredCredential(context, record, version)


def find_record(
    context: Context, user: str | None = None, instance: str | None = None
) -> Record | None:
    """Return the record of the account that applies, or None where nobody is logged in.

    *user* beats `<APP>_ACCOUNT`, which beats the default account, which beats the only one of
    the instance in question.
    """
    ref = context.environment.account if user is None else user
    context.migrate_once()
    named = context.instance_filter(instance)
    if None not in (ref, named) and instance is None and context.store.record_of(ref or ""):
        named = None  # an exact key says itself where it belongs, whatever the environment names
    homes = context.services.homes if ref is None and named is None else None
    record = _find_at_home(context, homes) if homes else context.store.record(ref, instance=named)
    named_by = "--user or user=" if user is not None else ref and context.environment.account_env
    why = f"named by {named_by}" if named_by else "the default one, or the only one"
    console.log("account: %s (%s)", "none" if record is None else record.key, why)
    return record


def _find_at_home(context: Context, homes: tuple[str | None, ...]) -> Record | None:
    """Return the record of the default account, else of the only one of the default service."""
    store, default = context.store, context.store.default()
    if default is not None and (record := store.record_of(default)) is not None:
        return record
    only = select_account((each for each in store.listing()[0] if each.instance in homes), None)
    return None if only is None else store.record_of(only.key)


def find_override(
    context: Context, user: str | None = None, instance: str | None = None
) -> tuple[str, Callable[[Context, str | None], Credential]] | None:
    """Return what applies instead of every stored account, None where nothing does.

    That is the name of a variable, or that it is this CI job; and the kind of credential.
    """
    environment = context.environment
    if user is not None or not context.takes_tokens(instance):
        return None
    if environment.token is not None:
        return environment.token_env or "", EnvironmentToken
    if environment.client_credentials is not None:
        return environment.name("CLIENT_ID"), ClientCredentials
    identity = context.find_identity(context.instance(instance))
    has_token = identity is not None and identity.token is not None
    return ("this CI job's identity", WorkloadIdentity) if has_token else None
