"""`Auth`: one CLI's authentication, the object that commands and applications call."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, overload

from click_auth.console.text import texts
from click_auth.defaults import DEFAULT_MIN_TTL, LOGIN_TIMEOUT
from click_auth.errors import NotLoggedIn, UsageError
from click_auth.operations import Configured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    import click
    import httpx

    from click_auth.account import Account, StoredAccount
    from click_auth.login.results import LoginContext, LoginResult
    from click_auth.logout import LogoutResult
    from click_auth.results import Report
    from click_auth.status import Status
    from click_auth.tokens import TokenBundle

    C = TypeVar("C")
    F = TypeVar("F", bound=Callable[..., Any])


class Auth(Configured):
    """The authentication of one CLI. Cheap to construct: no I/O until a method is called.

    *app_name* names the config folder, the keyring service and the environment variables.
    *storage* is "system" (the keyring or an error), "fallback" (the keyring, else a file, with a
    warning) or "plaintext". *hints* are appended to every error, *page* gives the callback page
    an application's own look, *http_options* go to every HTTP client that the library makes.
    Thread-safe; refuses to be pickled.
    """

    # Tokens and clients

    @overload
    def client(
        self,
        cls: None = None,
        /,
        *,
        user: str | None = None,
        instance: str | None = None,
        hosts: Iterable[str] = (),
        auth_errors: bool = True,
        **options: Any,
    ) -> httpx.Client: ...

    @overload
    def client(
        self,
        cls: type[C],
        /,
        *,
        user: str | None = None,
        instance: str | None = None,
        hosts: Iterable[str] = (),
        auth_errors: bool = True,
        **options: Any,
    ) -> C: ...

    def client(
        self,
        cls: type[Any] | None = None,
        /,
        *,
        user: str | None = None,
        instance: str | None = None,
        hosts: Iterable[str] = (),
        auth_errors: bool = True,
        **options: Any,
    ) -> Any:
        """Return a client of *cls* (default `httpx.Client`) that carries the account's token.

        The token goes to `api_url`, to `base_url=` of *options* and to *hosts*, origins all, and
        along no redirect to another. It is renewed ahead of its expiry and after a 401. Reads the
        record file. Raises `NotLoggedIn`, `UsageError`, and ValueError where no origin is named.

        With *auth_errors* a 401 that stands is raised as `NotLoggedIn`, and of httpx's errors that
        leave the client's `with` block one without an answer is `Unreachable`, a status
        `AuthError`. Otherwise the application sees them as httpx has them.
        """
        from click_auth.api_client import client_for  # noqa: PLC0415 - httpx, when needed

        with self.hinting():
            credential = self._credential(user, instance)
            return client_for(
                self.core, credential, cls, hosts, options, self.hinting, raising=auth_errors
            )

    def bearer(
        self, user: str | None = None, *, instance: str | None = None, hosts: Iterable[str] = ()
    ) -> httpx.Auth:
        """Return an `httpx.Auth` for a `Client` or an `AsyncClient` of your own.

        It holds its token, shares it among threads and tasks, and never blocks an event loop.
        Reads the record file. Raises as `client` does. httpx calls your client's response hooks
        for a 401 before it is answered by a refresh: one that raises for it prevents that.
        """
        from click_auth.bearer import flow_for  # noqa: PLC0415 - httpx, when needed

        with self.hinting():
            credential = self._credential(user, instance)
            bearer: httpx.Auth = flow_for(self.core, credential, hosts, self.hinting)
            return bearer

    def access_token(
        self,
        user: str | None = None,
        *,
        instance: str | None = None,
        min_ttl: float = DEFAULT_MIN_TTL,
        rejected: str | None = None,
    ) -> str:
        """Return an access token with more than *min_ttl* seconds left, renewed if it must be.

        *rejected* names a token that a server answered with 401: it is not returned again.
        Blocks when it has to ask the server. Raises `NotLoggedIn`, `Unreachable`,
        `StorageUnavailable`, `UsageError`.
        """
        from click_auth.tokens import Rejected  # noqa: PLC0415 - datetime

        spent = None if rejected is None else Rejected(rejected)
        del rejected
        with self.hinting():
            return self._credential(user, instance).bundle(min_ttl, spent).access_token

    def refresh(self, user: str | None = None, *, instance: str | None = None) -> TokenBundle:
        """Rotate the credential of an account now, and return its new tokens. Blocks."""
        from click_auth.refresh import rotate_now  # noqa: PLC0415 - the edge

        with self.hinting():
            return rotate_now(self.core, *self._asked(user, instance)).bundle

    # Logging in and out

    def login(
        self,
        *,
        user: str | None = None,
        scopes: Iterable[str] = (),
        read_only: bool = False,
        browser: bool = True,
        device: bool = False,
        token: str | None = None,
        instance: str | None = None,
        storage: str | None = None,
        timeout: float = LOGIN_TIMEOUT,
        callback_port: int | None = None,
        on_login: Callable[[LoginContext], object] | None = None,
    ) -> LoginResult:
        """Log in and store the credential; the account becomes the default one.

        Speaks to the person on stderr and blocks until they are done, at most *timeout* seconds.
        *token* is one that the person brought along. *on_login* may raise to refuse. Raises
        `LoginFailed` or `StorageUnavailable`; then nothing is stored and an earlier session
        still works.
        """
        from click_auth.login.flow import log_in  # noqa: PLC0415 - the edge
        from click_auth.providers.request import LoginRequest  # noqa: PLC0415 - dataclasses

        request = LoginRequest(
            user=user,
            scopes=texts(scopes, "scopes"),
            read_only=read_only,
            browser=browser,
            device=device,
            token=token,
            instance=instance,
            callback_port=callback_port,
            timeout=timeout,
        )
        del token
        with self.hinting():
            return log_in(self.core, request, storage, on_login)

    def logout(
        self,
        user: str | None = None,
        *,
        instance: str | None = None,
        all: bool = False,
        revoke: bool = True,
    ) -> LogoutResult:
        """Remove an account, or *all*, here and then at the server. Works offline. Blocks."""
        from click_auth.logout import log_out, log_out_everybody  # noqa: PLC0415 - the edge

        with self.hinting():
            if all:
                return log_out_everybody(self.core, revoke=revoke)
            return log_out(self.core, *self._asked(user, instance), revoke=revoke)

    def status(
        self, user: str | None = None, *, instance: str | None = None, offline: bool = False
    ) -> Status:
        """Return who is logged in and how well; asks the service unless *offline*."""
        from click_auth.status import look  # noqa: PLC0415 - the edge

        with self.hinting():
            return look(self.core, *self._asked(user, instance), offline=offline).status

    # Accounts

    def current_account(
        self, user: str | None = None, *, instance: str | None = None
    ) -> Account | None:
        """Return the account that applies, None where nobody is logged in here. Reads no secret.

        None as well while the environment's token or client applies: nobody knows whose it is.
        """
        with self.hinting(), suppress(NotLoggedIn):
            return self._credential(user, instance).account
        return None

    def accounts(self) -> Sequence[StoredAccount]:
        """Return the accounts that are stored. Reads no secret."""
        with self.hinting():
            return self.store.accounts()

    def use(self, ref: str) -> Account:
        """Make the account *ref* the default one, and return it."""
        with self.hinting():
            record = self.store.record(ref)
            if record is None:
                raise UsageError(f"There is no account {ref!r} here.")
            self.store.set_default(record.key)
            return record.account

    def remove(self, ref: str) -> LogoutResult:
        """Log the account *ref* out."""
        return self.logout(ref)

    def doctor(self) -> Report:
        """Check everything that matters, change nothing, and return what was found. Blocks."""
        from click_auth.doctor import examine  # noqa: PLC0415 - the edge

        return examine(self.core)

    # For the application's own commands

    def group(self, name: str = "auth", **attrs: Any) -> click.Group:
        """Return a group with every standard command, for `cli.add_command`."""
        from click_auth.commands.all import standard_group  # noqa: PLC0415 - the edge

        return standard_group(self, name, **attrs)

    @property
    def user_option(self) -> Callable[[F], F]:
        """A decorator: `--user` (and `--instance`) for any command, with completion.

        What it is given holds wherever a method's `user` is None while the command runs.
        """
        from click_auth.commands.options import user_option  # noqa: PLC0415 - the edge

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
        from click_auth.commands.passing import pass_client  # noqa: PLC0415 - the edge

        return pass_client(self, command, options)

    @overload
    def required(self, scopes: F, /) -> F: ...

    @overload
    def required(self, scopes: Iterable[str] = ()) -> Callable[[F], F]: ...

    def required(self, scopes: Any = ()) -> Any:
        """Require a login, and *scopes*, without asking the network.

        Decorates a function or a `click.Command`, bare or with scopes, and checks when it runs;
        called while a command runs it checks at once. Scopes that nobody knows, of a token from
        the environment say, are not missed. Raises `NotLoggedIn` with the exact login line, and
        TypeError for what is no list of scopes, or above what is no command.
        """
        from click_auth.commands.passing import required  # noqa: PLC0415 - the edge

        return required(self, scopes)

    def reporting(self, json: bool = False) -> AbstractContextManager[None]:  # noqa: FBT001, FBT002
        """Return a context manager that does with errors what the commands do with them.

        An `AuthError` that leaves the block is printed on stderr, with *json* as an object, and
        the program ends with its exit code; Ctrl-C ends it with 130, SIGTERM with 143. For
        programs that are no Click, and for a command of your own that has a `--json`.
        """
        from click_auth.commands.output import reporting  # noqa: PLC0415 - the edge

        return reporting(self, as_json=json)
