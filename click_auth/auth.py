"""`Auth`: one CLI's authentication, the object that commands and applications call."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

from click_auth import lazy
from click_auth.commands.application import load, user_option
from click_auth.commands.attach import standard_group
from click_auth.context import Context, Settings
from click_auth.defaults import DEFAULT_MIN_TTL, POLICIES
from click_auth.operations import Operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import click
    from typing_extensions import Self

    from click_auth.arguments import LegacyCredential, PageContext, PageStyle
    from click_auth.context import ProviderSource
    from click_auth.locks.account_lock import LockOf
    from click_auth.migrate import MigrationResult
    from click_auth.record import TokenBundle
    from click_auth.stores.cipher import KeyGiven
    from click_auth.stores.token_store import TokenStore

    F = TypeVar("F", bound=Callable[..., Any])


class Auth(Operations):
    """The authentication of one CLI. Cheap to construct: no I/O until a method is called.

    *app_name* names the config folder, the keyring service and the environment variables.
    *storage* is "system" (the keyring or an error), "fallback" (the keyring, else a file, sealed
    where there is a *key*, else with a warning), "encrypted" or "plaintext". *key* is 32 bytes,
    several of them (the first seals) or a function that returns either. *hints* are appended to
    every error, *page* is a `PageStyle` for the callback page, or a function that makes a page of
    its own from a `PageContext`, *http_options* go to every HTTP client that the library makes.
    Thread-safe; refuses to be pickled.
    """

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
        page: Callable[[PageContext], str] | PageStyle | None = None,
        http: str = "httpx",
        http_options: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        key: KeyGiven | None = None,
        token_env: str | None = "<APP>_TOKEN",  # noqa: S107 - the name of a variable
        account_env: str | None = "<APP>_ACCOUNT",
    ) -> None:
        if not app_name.strip(". ") or not app_name.isprintable() or set(app_name) & set("/\\:"):
            raise ValueError(f"{app_name!r} is not an application name: use a word, not a path")
        if storage not in POLICIES:
            raise ValueError(f"storage must be one of {', '.join(POLICIES)}, not {storage!r}")
        settings = Settings(app_name, provider)
        settings.store, settings.storage, settings.folder = store, storage, folder
        settings.legacy, settings.hints, settings.page = legacy, tuple(hints), page
        settings.http, settings.http_options, settings.key = http, http_options, key
        settings.token_env, settings.account_env = token_env, account_env
        super().__init__(settings)

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Auth can't be pickled")

    @contextmanager
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
        before = self.context
        settings = before.settings.replaced(
            store=store, folder=folder, environ=environ, browser=browser, http_options=http_options
        )
        self.context: Context = Context(settings, before.take_over)
        try:
            yield self
        finally:
            self.context = before

    def group(self, name: str = "auth", **attrs: Any) -> click.Group:
        """Return a group with every standard command, for `cli.add_command`."""
        return standard_group(self, name, **attrs)

    @property
    def user_option(self) -> Callable[[F], F]:
        """A decorator: `--user` (and `--instance`) for any command, with completion.

        What it is given holds wherever a method's `user` is None while the command runs.
        """
        return user_option(self)

    @overload
    def pass_client(self, command: F, /) -> F: ...

    @overload
    def pass_client(self, command: None = None, /, **options: Any) -> Callable[[F], F]: ...

    def pass_client(self, command: Any = None, /, **options: Any) -> Any:
        """Give a command `client(**options)` as its first argument, closed with its context.

        Decorates a function or a `click.Command`, bare or with the arguments of `client`.
        Raises TypeError above anything else.
        """
        return load("decorators").pass_client(self, command, options)

    @overload
    def required(self, scopes: F, /) -> F: ...

    @overload
    def required(self, scopes: Iterable[str] = (), *, login: bool = False) -> Callable[[F], F]: ...

    def required(self, scopes: Any = (), *, login: bool = False) -> Any:
        """Require a login, and *scopes*, without asking the network.

        Decorates a function or a `click.Command`, bare or with scopes, and checks when it runs;
        called while a command runs it checks at once. Scopes that nobody knows, of a token from
        the environment say, are not missed. Raises `NotLoggedIn` with the exact login line, and
        TypeError for what is no list of scopes, or above what is no command.

        With *login* a person at a terminal is asked to log in, and the command goes on when they
        have; of several processes one logs in and the others wait for it.
        """
        return load("decorators").required(self, scopes, login=login)

    def reporting(self, json: bool = False) -> AbstractContextManager[None]:  # noqa: FBT001, FBT002
        """Return a context manager that does with errors what the commands do with them.

        An `AuthError` that leaves the block is printed on stderr, with *json* as an object, and
        the program ends with its exit code; Ctrl-C ends it with 130, SIGTERM with 143. For
        programs that are no Click, and for a command of your own that has a `--json`.
        """
        report: AbstractContextManager[None] = load("command").reporting(self, as_json=json)
        return report


def refresh_access_token(
    auth: Auth,
    user: str | None = None,
    *,
    instance: str | None = None,
    min_ttl: float = DEFAULT_MIN_TTL,
    rejected: str | None = None,
    lock: LockOf | None = None,
) -> TokenBundle:
    """Return tokens with more than *min_ttl* seconds left, refreshed first where they must be.

    *rejected* names an access token that a server has rejected (401): it is not returned.
    *lock* replaces the store's own lock, by account key. Blocks, for two calls to the token
    endpoint or as long as another process takes for them; does not prompt. Raises `NotLoggedIn`
    when only a login helps, `Unreachable` when trying later does.
    """
    spent = None if rejected is None else lazy.record.Rejected(rejected)
    del rejected
    with auth.hinting():
        credential = auth.stored_credential(user, instance)
        credential.lock_of = lock
        return credential.bundle(min_ttl, spent)


def migrate_legacy_auth(auth: Auth, legacy: LegacyCredential) -> MigrationResult:
    """Take over *legacy*, and return how it went. Blocks: it asks the service whose token it is.

    Never overwrites a record and never raises for what the old place, the service or the
    keyring do: then the result is "skipped" with a reason, and the next call tries again.
    """
    return lazy.migrate.migrate(auth.context, legacy)
