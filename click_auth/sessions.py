"""`Sessions`: what one `Auth` is made of, and what it does with credentials that are there.

Each method is a few lines into one story.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

from click_auth import lazy
from click_auth.context import Context, Settings
from click_auth.defaults import DEFAULT_MIN_TTL
from click_auth.errors import AuthError, NotLoggedIn, Unwritable, UsageError
from click_auth.invocation import INSTANCE, USER, Invocation, wants_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import httpx
    from typing_extensions import TypeVar

    from click_auth.account import Account, StoredAccount
    from click_auth.credentials import Credential, StoredCredential
    from click_auth.doctor.report import Report
    from click_auth.logout import LogoutResult
    from click_auth.record import TokenBundle
    from click_auth.status import Status, StatusContext
    from click_auth.stores.token_store import TokenStore

    C = TypeVar("C", default=httpx.Client)


class Sessions:
    """The sessions of one CLI's users: their tokens, their accounts, and how to end them."""

    def __init__(self, settings: Settings) -> None:
        self.app_name: str = settings.app_name
        self.invocation: Invocation = Invocation(settings.app_name)
        self.context: Context = Context(settings, _migrate_once)
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

    def resolve(
        self, user: str | None = None, instance: str | None = None
    ) -> tuple[str | None, str | None]:
        """Return *user* and *instance*, or what the running command was given for them."""
        return self.invocation.in_effect(USER, user), self.invocation.in_effect(INSTANCE, instance)

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
        with self.hinting():
            client: C = lazy.api_client.client_for(
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
        with self.hinting():
            credential = self.credential(user, instance)
            return cast(
                "httpx.Auth", lazy.bearer.flow_for(self.context, credential, hosts, self.hinting)
            )

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
        spent = None if rejected is None else lazy.record.Rejected(rejected)
        del rejected
        with self.hinting():
            return self.credential(user, instance).bundle(min_ttl, spent).access_token

    def credential(self, user: str | None = None, instance: str | None = None) -> Credential:
        """Return the credential that applies."""
        with self.hinting():
            user, instance = self.resolve(user, instance)
            return lazy.credentials.find_credential(self.context, user, instance).checked()

    def stored_credential(
        self, user: str | None = None, instance: str | None = None
    ) -> StoredCredential:
        """Return the stored credential that applies, whatever the environment holds."""
        with self.hinting():
            user, instance = self.resolve(user, instance)
            return lazy.credentials.find_stored(self.context, user, instance).checked()

    def refresh(self, user: str | None = None, *, instance: str | None = None) -> TokenBundle:
        """Rotate the credential of an account now, and return its new tokens. Blocks."""
        with self.hinting():
            return self.stored_credential(user, instance).renew(forced=True).bundle

    # Accounts

    def logout(
        self,
        user: str | None = None,
        *,
        instance: str | None = None,
        all: bool = False,
        revoke: bool = True,
    ) -> LogoutResult:
        """Remove an account, or *all*, here and then at the server. Works offline. Blocks."""
        with self.hinting():
            if all:
                lazy.pending.PendingLogins(self.context).forget_all()
                return lazy.logout.log_out_everybody(self.context, revoke=revoke)
            return lazy.logout.log_out(self.context, *self.resolve(user, instance), revoke=revoke)

    def status(
        self, user: str | None = None, *, instance: str | None = None, offline: bool = False
    ) -> Status:
        """Return who is logged in and how well; asks the service unless *offline*."""
        return self.look(user, instance, offline=offline).status

    def look(
        self, user: str | None = None, instance: str | None = None, *, offline: bool = False
    ) -> StatusContext:
        """Do what `status` does, and return the token as well, where it was asked for."""
        with self.hinting():
            return lazy.status.look(self.context, *self.resolve(user, instance), offline=offline)

    def look_at_all(self, *, offline: bool = False) -> Sequence[StatusContext]:
        """Return the status of every stored account."""
        with self.hinting():
            return lazy.status.look_at_all(self.context, offline=offline)

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
        record = lazy.credentials.find_record(self.context)
        return None if record is None else record.account

    def overriding_variable(
        self, user: str | None = None, instance: str | None = None
    ) -> str | None:
        """Return the name of the variable that applies instead of every stored account."""
        override = lazy.credentials.find_override(self.context, user, instance)
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
        return lazy.examination.examine(self.context)


def _migrate_once(context: Context) -> None:
    lazy.migrate.migrate_once(context)
