"""What one `Auth` is told at its construction, and how tests put other parts in its place."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakKeyDictionary

from click_auth import invocation as asked
from click_auth.context import Context, Settings
from click_auth.environment import POLICIES
from click_auth.errors import AuthError, NotLoggedIn, Unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import click
    from typing_extensions import Self

    from click_auth.credentials import Credential
    from click_auth.login.pages import PageContext
    from click_auth.migrate import LegacyCredential
    from click_auth.services import ProviderSource
    from click_auth.stores.base import TokenStore


def _check(app_name: str, storage: str) -> None:
    """Raise ValueError for what the author of an application would find out much later."""
    if not app_name.strip(". ") or not app_name.isprintable() or set(app_name) & set("/\\:"):
        raise ValueError(f"{app_name!r} is no name of an application: a word, not a path")
    if storage not in POLICIES:
        raise ValueError(f"storage is one of {', '.join(POLICIES)}, not {storage!r}")


class Configured:
    """The settings of one CLI's authentication, and the parts that are made of them."""

    def __init__(
        self,
        app_name: str,
        provider: ProviderSource,
        *,
        store: TokenStore | None = None,
        storage: str = "fallback",
        folder: str | Path | None = None,
        legacy: LegacyCredential | None = None,
        hints: Iterable[str] = (),
        page: Callable[[PageContext], str] | None = None,
        http: str = "httpx",
        http_options: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        token_env: str | None = "<APP>_TOKEN",  # noqa: S107 - the name of a variable
        account_env: str | None = "<APP>_ACCOUNT",
    ) -> None:
        self.login_path: asked.LoginPath = asked.LoginPath()
        self.said: WeakKeyDictionary[click.Context, dict[str, str | None]] = WeakKeyDictionary()
        _check(app_name, storage)
        settings = Settings(
            app_name=app_name,
            provider=provider,
            store=store,
            storage=storage,
            folder=folder,
            legacy=legacy,
            hints=tuple(hints),
            page=page,
            http=http,
            http_options=http_options,
            token_env=token_env,
            account_env=account_env,
        )
        self.core: Context = Context(settings)
        """The parts that this object is made of; for the library's own modules."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Auth is not pickled")

    @property
    def app_name(self) -> str:
        """The application's name."""
        return self.core.settings.app_name

    @property
    def store(self) -> TokenStore:
        """Where the credentials live."""
        return self.core.store

    @contextlib.contextmanager
    def override(
        self,
        *,
        store: TokenStore | None = None,
        folder: str | Path | None = None,
        environ: Mapping[str, str] | None = None,
        browser: Callable[[str], bool] | None = None,
        http_options: Mapping[str, Any] | None = None,
    ) -> Iterator[Self]:
        """Put other parts in place for a block, for tests; what is None stays as it is."""
        before = self.core
        settings = before.settings.replaced(
            store=store, folder=folder, environ=environ, browser=browser, http_options=http_options
        )
        self.core = Context(settings)
        try:
            yield self
        finally:
            self.core = before

    @contextlib.contextmanager
    def hinting(self) -> Iterator[None]:
        """Append the way out, and the application's own hints, to errors that leave a block."""
        try:
            yield
        except AuthError as error:
            if isinstance(error, NotLoggedIn):
                error.name_login(f"Run `{self.login_path.line(self.app_name)}`.")
            if isinstance(error, Unwritable) and self.core.settings.folder is None:
                variable = self.core.environment.name("CONFIG_DIR")
                error.with_hints([f"{variable} names another folder to keep credentials in."])
            error.with_hints(self.core.settings.hints)
            if error.show_with is None and asked.wants_json():
                from click_auth.console.console import JsonConsole  # noqa: PLC0415 - under `--json` only

                error.show_with = JsonConsole().error
            raise

    def _asked(self, user: str | None, instance: str | None) -> tuple[str | None, str | None]:
        return asked.in_effect(self, user, instance)

    def _credential(self, user: str | None, instance: str | None) -> Credential:
        from click_auth.credentials import select_credential  # noqa: PLC0415 - the edge

        return select_credential(self.core, *self._asked(user, instance))
