"""What every story is handed: settings, environment, providers, store, HTTP and clock.

Each part is built once, when a command first needs it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from click_auth.console.text import printable
from click_auth.errors import BAD_SETTING, AuthError, UsageError
from click_auth.providers import LOGIN_OPTIONS, Provider, ProviderContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from click_auth.arguments import LegacyCredential, PageContext, PageStyle
    from click_auth.environment import Environment, Identity
    from click_auth.http.client import Http
    from click_auth.stores.account_store import AccountStore
    from click_auth.stores.cipher import KeyGiven
    from click_auth.stores.token_store import KeyringTokenStore, TokenStore

    ProviderSource: TypeAlias = Provider | Mapping[str, Provider] | Callable[[str | None], Provider]

LONGEST_CALLS = 2  # an exchange and its one replay
LOCK_MARGIN_SECONDS = 15.0
_DEFAULT_PORTS = {"https": "443", "http": "80"}


class Settings:  # no dataclass or named tuple: each start would compile it
    """The arguments of `Auth`, and what `Auth.override` put in their place."""

    store: TokenStore | None = None
    storage: str = "fallback"
    folder: str | Path | None = None
    legacy: LegacyCredential | None = None
    hints: tuple[str, ...] = ()
    page: Callable[[PageContext], str] | PageStyle | None = None
    http: str = "httpx"
    key: KeyGiven | None = None
    http_options: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None
    token_env: str | None = "<APP>_TOKEN"  # noqa: S105 - the name of a variable
    account_env: str | None = "<APP>_ACCOUNT"
    environ: Mapping[str, str] | None = None
    browser: Callable[[str], bool] | None = None

    def __init__(self, app_name: str, provider: ProviderSource) -> None:
        self.app_name = app_name
        self.provider = provider

    def replaced(self, **changes: object) -> Settings:
        """Return these settings with others in place of some; what is None stays as it is."""
        other = Settings(self.app_name, self.provider)
        given = {name: value for name, value in changes.items() if value is not None}
        vars(other).update({**vars(self), **given})
        return other


class Services:
    """The providers behind `Auth(provider=)`: one, several by name, or any by its URL."""

    def __init__(self, source: ProviderSource) -> None:
        given: object = source
        if not isinstance(given, (Provider, Mapping)) and not callable(given):
            raise TypeError(f"provider must be a Provider, a mapping or a function, not {source!r}")
        if isinstance(source, Mapping) and not source:
            raise ValueError("a mapping of providers must name at least one")
        self._source = source
        self.has_instances: bool = not isinstance(source, Provider)
        """Whether there is more than one service, so that `--instance` makes sense."""
        self.choices: tuple[str, ...] | None = (
            tuple(source) if isinstance(source, Mapping) else None
        )
        """The names of the services where they are known beforehand."""

    @property
    def homes(self) -> tuple[str | None, ...] | None:
        """The names of the default service in records; None where there is one service only."""
        if not self.has_instances:
            return None
        return (None,) if self.choices is None else (self.choices[0], None)

    @property
    def login_options(self) -> frozenset[str]:
        """The options that `login` offers: those of any of the providers. No I/O."""
        if isinstance(self._source, Provider):
            return self._source.options
        if isinstance(self._source, Mapping):
            return frozenset().union(*(each.options for each in self._source.values()))
        return LOGIN_OPTIONS

    def instance(self, name: str | None) -> str | None:
        """Return *name* normalised; without one, the default. Raises `UsageError`."""
        choices = self.choices
        if choices is None:
            return normalise(name) if name is not None and self.has_instances else None
        if name is None:
            return choices[0]
        if name not in choices:
            message = f"{printable(name, 60)!r} is not one of {', '.join(choices)}."
            raise UsageError(message, code=BAD_SETTING)
        return name

    def provider(self, instance: str | None) -> Provider:
        """Return the provider of an instance that `instance` returned, or a record remembers."""
        source = self._source
        if isinstance(source, Provider):
            return source
        if isinstance(source, Mapping):
            found = next(iter(source.values())) if instance is None else source.get(instance)
            if found is not None:
                return found
            hints = []
            problem = f"This account's service, {printable(instance, 60)!r}, is unknown here."
        else:
            try:
                return source(instance)
            except ValueError as error:
                if instance is None:
                    raise  # the application's own mistake
                problem = f"Can't use this instance: {error}"
                hints = ["Check the value of --instance."]
        # Not while the other is handled: what a person mistyped may hold a password.
        raise AuthError(problem, code=BAD_SETTING, hints=hints)


def normalise(instance: str) -> str:
    """Return an instance as it is remembered: without a default port and a trailing slash.

    Of a URL, scheme and host are in lower case.
    """
    text = instance.strip().rstrip("/")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    scheme = scheme.lower()
    authority, slash, path = rest.partition("/")
    host, colon, port = authority.lower().rpartition(":")
    if colon and port == _DEFAULT_PORTS.get(scheme):
        authority = host
    return f"{scheme}://{authority.lower()}{slash}{path}"


class Context:
    """The parts of one `Auth`. *take_over* takes over an older credential of the application's."""

    def __init__(self, settings: Settings, take_over: Callable[[Context], None]) -> None:
        folder = settings.folder
        if folder is not None and not str(folder).startswith("~") and not os.path.isabs(folder):  # noqa: PTH117
            raise ValueError(f"folder must be an absolute path or begin with ~, not {folder}")
        self.settings = settings
        self.clock: Callable[[], float] = time.time
        self.services: Services = Services(settings.provider)
        self._providers: dict[str | None, Provider] = {}
        self.is_migrated: bool = False
        self.take_over: Callable[[Context], None] = take_over

    @cached_property
    def environment(self) -> Environment:
        """What the end user's environment says."""
        from click_auth.environment import Environment  # noqa: PLC0415 - not for `--help`

        told = self.settings
        found = Environment(told.app_name, told.environ, told.token_env, told.account_env)
        if found.debug:
            from click_auth.console.debug import log_to_stderr  # noqa: PLC0415 - on request only

            log_to_stderr()
        return found

    @cached_property
    def folder(self) -> Path:
        """The folder of the records."""
        from pathlib import Path  # noqa: PLC0415 - as dear as a read of the keyring

        return Path(self._folder)

    @property
    def _folder(self) -> str:
        given = self.settings.folder
        return self.environment.folder if given is None else self.environment.expanded(given)

    @cached_property
    def token_store(self) -> TokenStore:
        """Where the credentials live, as applications see it."""
        given = self.settings.store
        if given is None:
            return self.store_with(self.environment.storage or self.settings.storage)
        if given.folder is None:
            given.folder = self.folder
        return given

    @cached_property
    def store(self) -> AccountStore:
        """Where the credentials live, as the stories see it."""
        if self.settings.store is None:
            return cast("KeyringTokenStore", self.token_store).account_store
        from click_auth.stores.adapter import adapt  # noqa: PLC0415 - for another store only

        return adapt(self.token_store)

    def store_with(self, storage: str) -> KeyringTokenStore:
        """Return the keyring store of this application under another storage policy."""
        from click_auth.stores.token_store import KeyringTokenStore  # noqa: PLC0415 - an edge

        return KeyringTokenStore(
            self.settings.app_name,
            folder=self._folder,
            storage=storage,
            clock=self.clock,
            environ=self.environment.environ,
            key=self.settings.key,
        )

    @cached_property
    def http(self) -> Http:
        """HTTP as this application speaks it."""
        from click_auth.http.client import Http  # noqa: PLC0415 - an edge

        return Http(self.settings.http, self.settings.http_options, self.environment.environ)

    def provider(self, instance: str | None) -> Provider:
        """Return the provider of *instance*, with this application's HTTP, cache and clients.

        Where there is no home folder it remembers nothing between processes, in silence: whoever
        needs it to asks the store, which complains.
        """
        if instance not in self._providers:
            from click_auth.stores.provider_memory import FolderCache  # noqa: PLC0415 - an edge

            parts = ProviderContext(self.http)
            with suppress(AuthError):
                cache = FolderCache(self.folder / "cache", trusted=lambda: self.http.trusted)
                parts = ProviderContext(self.http, cache, self.store.registrations())
            self._providers[instance] = self.services.provider(instance).with_context(parts)
        return self._providers[instance]

    def instance(self, explicit: str | None) -> str | None:
        """Return the instance in effect: the one named, the environment's, the default."""
        return self.services.instance(explicit or self.environment.instance)

    def instance_filter(self, explicit: str | None) -> str | None:
        """Return the instance that accounts are narrowed to, None where nobody named one."""
        named = explicit or self.environment.instance
        return self.services.instance(named) if named and self.services.has_instances else None

    def takes_tokens(self, explicit: str | None) -> bool:
        """Return whether the environment's token and client belong to the instance in effect.

        Where any URL is a service they belong to the default one, or to the one that
        `<APP>_TOKEN_INSTANCE` names: one harmless-looking variable must not send them anywhere.
        """
        if self.services.choices is not None or not self.services.has_instances:
            return True
        named = self.services.instance(self.environment.value("TOKEN_INSTANCE"))
        return named == self.instance(explicit)

    def find_identity(self, instance: str | None) -> Identity | None:
        """Return the identity of the CI job that runs us, None where none counts. Blocks."""
        audience = None
        with suppress(TypeError, ValueError):  # a function of URLs may know no default one
            audience = self.services.provider(instance).workload_audience
        if audience is None:
            return None
        from click_auth.oauth.workload import find_identity  # noqa: PLC0415 - an option

        return find_identity(self.environment, audience)

    def passed_over(self, instance: str | None) -> Iterator[str]:
        """Yield a sentence for each credential that is there and does not count."""
        environment, name = self.environment, self.environment.name
        variable = environment.token_env if environment.token is not None else name("CLIENT_ID")
        is_whole = environment.token is not None or environment.client_credentials is not None
        if is_whole and not self.takes_tokens(instance):
            named = name("TOKEN_INSTANCE")
            yield f"{variable} applies to another service unless {named} names this one."
        elif environment.value("CLIENT_ID") and environment.client_credentials is None:
            yield f"{name('CLIENT_ID')} only works together with {name('CLIENT_SECRET')}."
        identity = self.find_identity(self.instance(instance))
        if identity is not None and identity.lacks is not None:
            yield identity.lacks
        others = self.store.listing()[0] if self.services.has_instances else ()
        if others:
            yield f"Choose one with --user: {', '.join(each.key for each in others[:5])}."

    def migrate_once(self) -> None:
        """Take over the application's older credential, where it has one and nothing is stored."""
        if self.settings.legacy is not None:
            self.take_over(self)

    def lock_timeout(self, instance: str | None) -> float:
        """Return how long to wait for the lock of an account of *instance*, in seconds.

        As long as a hold can take: whoever gives up earlier leaves a refresh that succeeds.
        """
        return LONGEST_CALLS * self.services.provider(instance).http_timeout + LOCK_MARGIN_SECONDS
