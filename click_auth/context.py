"""What one `Auth` is made of: its settings, and the parts built from them when first needed."""

from __future__ import annotations

import os
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from click_auth.environment import Environment
from click_auth.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from click_auth.http.client import Http
    from click_auth.login.pages import PageContext
    from click_auth.migrate import LegacyCredential
    from click_auth.providers.base import Provider
    from click_auth.services import ProviderSource
    from click_auth.stores.base import TokenStore

LONGEST_CALLS = 2  # an exchange and its one replay
LOCK_MARGIN_SECONDS = 15.0


class Settings:  # no NamedTuple: it compiles its annotations at each start
    """The arguments of `Auth`, and what `Auth.override` put in their place."""

    app_name: str
    provider: ProviderSource
    store: TokenStore | None = None
    storage: str = "fallback"
    folder: str | Path | None = None
    legacy: LegacyCredential | None = None
    hints: tuple[str, ...] = ()
    page: Callable[[PageContext], str] | None = None
    http: str = "httpx"
    http_options: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None
    token_env: str | None = "<APP>_TOKEN"  # noqa: S105 - the name of a variable
    account_env: str | None = "<APP>_ACCOUNT"
    environ: Mapping[str, str] | None = None
    browser: Callable[[str], bool] | None = None
    clock: Callable[[], float] = time.time

    def __init__(self, **given: Any) -> None:
        vars(self).update(given)

    def replaced(self, **changes: Any) -> Settings:
        """Return these settings with others in place of some; what is None stays as it is."""
        given = {name: value for name, value in changes.items() if value is not None}
        return Settings(**{**vars(self), **given})


class Context:
    """The parts of one `Auth`. Each is built once, when a command first needs it."""

    def __init__(self, settings: Settings) -> None:
        folder = settings.folder
        if folder is not None and not str(folder).startswith("~") and not os.path.isabs(folder):  # noqa: PTH117
            raise ValueError(f"folder is an absolute path or begins with ~; {folder} is neither")
        self.settings = settings
        self.clock: Callable[[], float] = settings.clock
        self.services: Services = Services(settings.provider)
        self.environment: Environment = Environment(
            settings.app_name, settings.environ, settings.token_env, settings.account_env
        )
        if self.environment.debug:
            from click_auth.console.debug import log_to_stderr  # noqa: PLC0415 - on request only

            log_to_stderr()
        self._providers: dict[str | None, Provider] = {}
        self._is_migrated = settings.legacy is None

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
    def store(self) -> TokenStore:
        """Where the credentials live."""
        store = self.settings.store
        if store is None:
            return self.store_with(self.environment.storage or self.settings.storage)
        if store.folder is None:
            store.folder = self.folder
        return store

    def store_with(self, storage: str) -> TokenStore:
        """Return the keyring store of this application under another storage policy."""
        from click_auth.stores.keyring_store import KeyringTokenStore  # noqa: PLC0415 - an edge

        return KeyringTokenStore(
            self.settings.app_name,
            folder=self._folder,
            storage=storage,
            clock=self.clock,
            environ=self.environment.environ,
        )

    @cached_property
    def http(self) -> Http:
        """HTTP as this application speaks it."""
        from click_auth.http.client import Http  # noqa: PLC0415 - an edge

        return Http(self.settings.http, self.settings.http_options, self.environment.environ)

    def instance(self, explicit: str | None) -> str | None:
        """Return the instance in effect: the one named, the environment's, the default."""
        return self.services.instance(explicit or self.environment.instance)

    def instance_filter(self, explicit: str | None) -> str | None:
        """Return the instance that accounts are narrowed to, None where nobody named one."""
        named = explicit or self.environment.instance
        return self.services.instance(named) if named and self.services.has_instances else None

    def takes_tokens(self, explicit: str | None) -> bool:
        """Return whether the environment's token and client belong to the instance in effect.

        Where any address is a service they belong to the default one, or to the one that
        `<APP>_TOKEN_INSTANCE` names: one harmless-looking variable must not send them anywhere.
        """
        if self.services.choices is not None or not self.services.has_instances:
            return True
        named = self.services.instance(self.environment.value("TOKEN_INSTANCE"))
        return named == self.instance(explicit)

    def provider(self, instance: str | None) -> Provider:
        """Return the provider of *instance*, speaking through this application's context."""
        if instance not in self._providers:
            from click_auth.provider_context import provider_context_of  # noqa: PLC0415 - an edge

            provider = self.services.provider(instance)
            self._providers[instance] = provider.bound(provider_context_of(self))
        return self._providers[instance]

    def migrate_once(self) -> None:
        """Take over the application's older credential, where nothing is stored yet.

        One that was begun, and ended by a crash, goes on.
        """
        legacy = self.settings.legacy
        if legacy is None or self._is_migrated:
            return
        from click_auth.stores.base import MIGRATED  # noqa: PLC0415 - an edge

        if self.store.listing()[0] and self.store.migration(legacy.name) in (None, MIGRATED):
            return
        from click_auth.migrate import migrate  # noqa: PLC0415 - an edge

        self._is_migrated = True
        migrate(self, legacy)

    def lock_patience(self, instance: str | None) -> float:
        """Return how long to wait for the lock of an account of *instance*, in seconds.

        As long as a hold can take: whoever gives up earlier leaves a refresh that succeeds.
        """
        return LONGEST_CALLS * self.services.provider(instance).http_timeout + LOCK_MARGIN_SECONDS
