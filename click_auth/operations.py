"""`Operations`: what one `Auth` does. Each method is a few lines into one story."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

from click_auth.console.text import check_texts
from click_auth.context import Context, Settings
from click_auth.defaults import DEFAULT_MIN_TTL, LOGIN_TIMEOUT
from click_auth.errors import AuthError, NotLoggedIn, Unwritable, UsageError
from click_auth.invocation import INSTANCE, USER, Invocation, wants_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import httpx
    from typing_extensions import TypeVar

    from click_auth.account import Account, StoredAccount
    from click_auth.credentials import Credential, StoredCredential
    from click_auth.doctor.report import Report
    from click_auth.login.results import LoginContext, LoginResult, PendingLogin
    from click_auth.logout import LogoutResult
    from click_auth.providers.request import LoginUI
    from click_auth.status import Status, StatusContext
    from click_auth.stores.token_store import TokenStore
    from click_auth.tokens import TokenBundle

    C = TypeVar("C", default=httpx.Client)


class Operations:
    """What can be done with the credentials of one CLI."""

    def __init__(self, settings: Settings) -> None:
        self.app_name: str = settings.app_name
        self.invocation: Invocation = Invocation(settings.app_name)
        self.context: Context = Context(settings, migrate_once)
        """The parts that this object is made of; for the library's own modules."""

    @property
    def store(self) -> TokenStore:
        """Where the credentials live."""
        return self.context.token_store

    @contextlib.contextmanager
    def hinting(self) -> Iterator[None]:
        """Append the way out, and the application's own hints, to errors that leave a block."""
        try:
            yield
        except AuthError as error:
            settings = self.context.settings
            if isinstance(error, NotLoggedIn):
                error.name_login(f"Run `{self.invocation.login_line(*error.login_options)}`.")
            if isinstance(error, Unwritable) and settings.folder is None:
                variable = self.context.environment.name("CONFIG_DIR")
                error.with_hints([f"{variable} can name another folder for credentials."])
            error.with_hints(settings.hints)
            if error.console is None:
                from click_auth.console.console import Console, JsonConsole  # noqa: PLC0415 - then

                error.console = JsonConsole() if wants_json() else Console()
            raise

    # Tokens and clients

    def client(
        self,
        cls: type[C] | None = None,
        /,
        *,
        user: str | None = None,
        instance: str | None = None,
        hosts: Iterable[str] = (),
        auth_errors: bool = True,
        step_up: bool = True,
        **options: Any,
    ) -> C:
        """Return a client of *cls* (default `httpx.Client`) that carries the account's token.

        The token goes to `api_url`, to `base_url=` of *options* and to *hosts*, origins all, and
        along no redirect to another. It is refreshed ahead of its expiry and after a 401. Reads the
        record file. Raises `NotLoggedIn`, `UsageError`, and ValueError where no origin is named.

        With *auth_errors* a 401 that stands is raised as `NotLoggedIn`, and of httpx's errors that
        leave the client's `with` block one without a response is `Unreachable`, a status
        `AuthError`. With *step_up* a 403 that asks for more scope (RFC 6750) or a stronger login
        (RFC 9470) is raised as `NotLoggedIn` with the line to type. Otherwise the application sees
        them as httpx has them.
        """
        from click_auth.api_client import client_for  # noqa: PLC0415 - httpx, when needed

        with self.hinting():
            client: C = client_for(
                self.context,
                self.credential(user, instance),
                cls,
                hosts,
                options,
                self.hinting,
                raising=auth_errors,
                stepping_up=auth_errors and step_up,
            )
            return client

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
            credential = self.credential(user, instance)
            return cast("httpx.Auth", flow_for(self.context, credential, hosts, self.hinting))

    def access_token(
        self,
        user: str | None = None,
        *,
        instance: str | None = None,
        min_ttl: float = DEFAULT_MIN_TTL,
        rejected: str | None = None,
    ) -> str:
        """Return an access token with more than *min_ttl* seconds left, refreshed if it must be.

        *rejected* names a token that a server rejected (401): it is not returned again.
        Blocks when it has to ask the server. Raises `NotLoggedIn`, `Unreachable`,
        `StorageUnavailable`, `UsageError`.
        """
        from click_auth.tokens import Rejected  # noqa: PLC0415 - datetime

        spent = None if rejected is None else Rejected(rejected)
        del rejected
        with self.hinting():
            return self.credential(user, instance).bundle(min_ttl, spent).access_token

    def credential(self, user: str | None = None, instance: str | None = None) -> Credential:
        """Return the credential that applies."""
        from click_auth.credentials import find_credential  # noqa: PLC0415 - the edge

        with self.hinting():
            return find_credential(self.context, *self.resolve(user, instance)).checked()

    def stored_credential(
        self, user: str | None = None, instance: str | None = None
    ) -> StoredCredential:
        """Return the stored credential that applies, whatever the environment holds."""
        from click_auth.credentials import find_stored  # noqa: PLC0415 - the edge

        with self.hinting():
            return find_stored(self.context, *self.resolve(user, instance)).checked()

    def refresh(self, user: str | None = None, *, instance: str | None = None) -> TokenBundle:
        """Rotate the credential of an account now, and return its new tokens. Blocks."""
        with self.hinting():
            return self.stored_credential(user, instance).renew(forced=True).bundle

    # Logging in and out

    def login(
        self,
        *,
        user: str | None = None,
        scopes: Iterable[str] = (),
        read_only: bool = False,
        browser: bool = True,
        device: bool | None = None,
        token: str | None = None,
        instance: str | None = None,
        storage: str | None = None,
        timeout: float = LOGIN_TIMEOUT,
        callback_port: int | None = None,
        acr_values: str | None = None,
        max_age: int | None = None,
        on_login: Callable[[LoginContext], object] | None = None,
        ui: LoginUI | None = None,
    ) -> LoginResult:
        """Log in and store the credential; the account becomes the default one.

        Speaks to the person on stderr and blocks until they are done, at most *timeout* seconds.
        *token* is one that the person brought along. *device* None: by a device code too where no
        browser can be opened. *ui* speaks to the person in another way, in a window say.
        *on_login* may raise to refuse. Raises `LoginFailed` or `StorageUnavailable`; then nothing
        is stored and an earlier session still works.
        """
        from click_auth.login.flow import log_in  # noqa: PLC0415 - the edge
        from click_auth.providers.request import LoginRequest  # noqa: PLC0415 - dataclasses

        request = LoginRequest(
            user=user,
            scopes=check_texts(scopes, "scopes"),
            read_only=read_only,
            browser=browser,
            device=device,
            token=token,
            instance=instance,
            callback_port=callback_port,
            acr_values=acr_values,
            max_age=max_age,
            timeout=timeout,
        )
        del token
        with self.hinting():
            line = self.invocation.login_line()
            return log_in(self.context, request, storage, on_login, ui, login_line=line)

    def log_in_on_demand(self, check: Callable[[], None], scopes: Iterable[str] = ()) -> None:
        """Ask the person to log in, *scopes* included, until *check* raises nothing. Blocks.

        One process at a time: the others wait for it. Raises `NotLoggedIn` where they decline.
        """
        from click_auth.login.flow import log_in_on_demand  # noqa: PLC0415 - the edge

        user, instance = self.resolve()
        with self.hinting():
            log_in_on_demand(
                self.context, check, lambda: self.login(user=user, instance=instance, scopes=scopes)
            )

    def begin_login(
        self,
        *,
        user: str | None = None,
        scopes: Iterable[str] = (),
        read_only: bool = False,
        device: bool | None = None,
        instance: str | None = None,
        storage: str | None = None,
        acr_values: str | None = None,
        max_age: int | None = None,
    ) -> PendingLogin:
        """Begin a login that `finish_login` finishes, in this process or another. Does not wait.

        By a code for another device where the server, and what is asked for, have a use for it,
        else through a browser anywhere. Its secrets are stored as tokens are. Raises as `login`.
        """
        from click_auth.login.pending import begin  # noqa: PLC0415 - the edge
        from click_auth.providers.request import LoginRequest  # noqa: PLC0415 - dataclasses

        request = LoginRequest(
            user=user,
            scopes=check_texts(scopes, "scopes"),
            read_only=read_only,
            device=device,
            instance=instance,
            acr_values=acr_values,
            max_age=max_age,
        )
        with self.hinting():
            pending = begin(self.context, request, storage)
        return pending.shown(self.invocation.login_line("--resume", pending.id))

    def finish_login(
        self,
        pending: PendingLogin | str | None = None,
        *,
        answer: str | None = None,
        timeout: float = LOGIN_TIMEOUT,
        on_login: Callable[[LoginContext], object] | None = None,
    ) -> LoginResult:
        """Finish a pending login: this one, or that of this id, or the only one. Blocks.

        A device login asks the server until the person has agreed, at most *timeout* seconds (0:
        once). A login in the browser needs *answer*, the URL that it ended on. Raises
        `Unreachable` with AUTH_LOGIN_PENDING while it has to wait; it then stays. Raises
        `LoginFailed` where it has expired, was finished or never begun, and as `login` does.
        """
        from click_auth.login.pending import finish  # noqa: PLC0415 - the edge

        pending_id = pending if pending is None or isinstance(pending, str) else pending.id
        with self.hinting():
            return finish(self.context, pending_id, answer, timeout, on_login)

    def pending_kind(self, pending_id: str | None) -> str:
        """Return "device" or "redirect" for a pending login. Raises `LoginFailed` for none."""
        from click_auth.login.pending import PendingLogins  # noqa: PLC0415 - the edge

        with self.hinting():
            return PendingLogins(self.context).load(pending_id).begun.kind

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
                from click_auth.login.pending import PendingLogins  # noqa: PLC0415 - the edge

                PendingLogins(self.context).forget_all()
                return log_out_everybody(self.context, revoke=revoke)
            return log_out(self.context, *self.resolve(user, instance), revoke=revoke)

    def status(
        self, user: str | None = None, *, instance: str | None = None, offline: bool = False
    ) -> Status:
        """Return who is logged in and how well; asks the service unless *offline*."""
        return self.look(user, instance, offline=offline).status

    def look(
        self, user: str | None = None, instance: str | None = None, *, offline: bool = False
    ) -> StatusContext:
        """Do what `status` does, and return the token as well, where it was asked for."""
        from click_auth.status import look  # noqa: PLC0415 - the edge

        with self.hinting():
            return look(self.context, *self.resolve(user, instance), offline=offline)

    def look_at_all(self, *, offline: bool = False) -> Sequence[StatusContext]:
        """Return the status of every stored account."""
        from click_auth.status import look_at_all  # noqa: PLC0415 - the edge

        with self.hinting():
            return look_at_all(self.context, offline=offline)

    # Accounts

    def current_account(
        self, user: str | None = None, *, instance: str | None = None
    ) -> Account | None:
        """Return the account that applies, None where nobody is logged in here. Reads no secret.

        None as well while the environment's token or client applies: nobody knows whose it is.
        """
        with contextlib.suppress(NotLoggedIn):
            return self.credential(user, instance).account
        return None

    def next_account(self) -> Account | None:
        """Return the account that applies where nobody names one, None where nobody is stored."""
        from click_auth.credentials import find_record  # noqa: PLC0415 - the edge

        record = find_record(self.context)
        return None if record is None else record.account

    def overriding_variable(
        self, user: str | None = None, instance: str | None = None
    ) -> str | None:
        """Return the name of the variable that applies instead of every stored account."""
        from click_auth.credentials import find_override  # noqa: PLC0415 - the edge

        override = find_override(self.context, user, instance)
        return None if override is None else override[0]

    def accounts(self) -> Sequence[StoredAccount]:
        """Return the accounts that are stored. Reads no secret."""
        with self.hinting():
            return self.store.accounts()

    def use(self, ref: str) -> Account:
        """Make the account *ref* the default one, and return it."""
        with self.hinting():
            account = self.store.active_account(ref)
            if account is None:
                raise UsageError(f"No account {ref!r}.")
            self.store.set_default(account.key)
            return account

    def remove(self, ref: str) -> LogoutResult:
        """Log the account *ref* out."""
        return self.logout(ref)

    def doctor(self) -> Report:
        """Check everything that matters, change nothing, and return what was found. Blocks."""
        from click_auth.doctor.examination import examine  # noqa: PLC0415 - the edge

        return examine(self.context)

    def resolve(
        self, user: str | None = None, instance: str | None = None
    ) -> tuple[str | None, str | None]:
        """Return *user* and *instance*, or what the running command was given for them."""
        return self.invocation.in_effect(USER, user), self.invocation.in_effect(INSTANCE, instance)


def migrate_once(context: Context) -> None:
    """Take over the application's older credential, where nothing is stored yet."""
    from click_auth.migrate import migrate_once  # noqa: PLC0415 - the edge

    migrate_once(context)
