"""One login from start to end: ask, identify, compare, store, and only then say so."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import click

from click_auth.account import Account, find_matching
from click_auth.api_client import identify_account
from click_auth.console import console
from click_auth.credentials import FixedToken, find_record
from click_auth.defaults import LOGIN_TIMEOUT
from click_auth.errors import AuthError, LoginFailed, NotLoggedIn, StorageUnavailable, Unreachable
from click_auth.interrupts import ending_cleanly
from click_auth.locks.account_lock import LockBusy, account_lock, lock_at_best, lock_timeout
from click_auth.login.results import LoginContext, LoginResult
from click_auth.login.ui import TerminalUI
from click_auth.providers import DEFAULT_ID, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click_auth.context import Context
    from click_auth.providers.request import LoginRequest, LoginUI
    from click_auth.record import TokenBundle
    from click_auth.stores.account_store import AccountStore

_ON_DEMAND = "login-on-demand"
_OTHER_SECONDS = LOGIN_TIMEOUT + 60.0


def log_in(
    context: Context,
    request: LoginRequest,
    storage: str | None,
    on_login: Callable[[LoginContext], object] | None,
    ui: LoginUI | None = None,
    *,
    login_line: str = "",
) -> LoginResult:
    """Log in as `Auth.login` says; *request* still names the instance as the person did.

    Blocks for as long as the person takes, at most the request's timeout. Raises `LoginFailed` or
    `StorageUnavailable`; then nothing is stored, and what was stored before still works.
    """
    request, store = complete_request(context, request), choose_store(context, storage)
    login = Login(context, request, store, on_login)
    with store.patiently():
        store.check_writable()
        context.http.client().close()  # the environment may name what none can be made of
        console.current().say(f"Logging in to {login.provider.display_name}.")
        shown = _terminal(context, request, login_line) if ui is None else nullcontext(ui)
        with ending_cleanly(), shown as used:  # a terminal gets its echo back
            result = login.accept(login.provider.login(request, used))
            used.finish(success=True, message=f"Account: {result.account.title}")
    return result


def _terminal(context: Context, request: LoginRequest, login_line: str) -> TerminalUI:
    return TerminalUI(
        context.environment,
        context.settings.browser,
        context.settings.page,
        login_line=login_line,
        allow_browser=request.browser,
    )


def log_in_on_demand(
    context: Context,
    check: Callable[[], None],
    login: Callable[[], object],
    seconds: float = _OTHER_SECONDS,
) -> None:
    """Ask the person, and *login*, inside the command that needs it. Blocks.

    *check* raises `NotLoggedIn` while that is needed. Where another process logs in already, wait
    for what comes of that, *seconds* at most, and take it as it is. Raises `NotLoggedIn` where
    nobody logs in.
    """
    lock_of = partial(account_lock, context.folder)
    try:
        with lock_timeout(0.0), lock_of(_ON_DEMAND):
            try:
                check()  # another process may just have done it
            except NotLoggedIn as error:
                click.echo(f"{error.message} Log in now? [Y/n] ", nl=False, err=True)
                if sys.stdin.readline().lower() not in ("\n", "y\n", "yes\n"):  # its end is no yes
                    raise
                login()
    except LockBusy:
        console.current().say("Another process is logging in. Waiting for it.")
        with lock_at_best(lock_of, _ON_DEMAND, seconds, "The other login is still not done."):
            check()


def choose_store(context: Context, storage: str | None) -> AccountStore:
    """Return where a login's tokens go: *storage* is a policy, None the application's."""
    if storage is None or context.settings.store:
        return context.store
    return context.store_with(storage).account_store


def complete_request(context: Context, request: LoginRequest) -> LoginRequest:
    """Return *request* with its instance as it is remembered, and the scopes that it extends."""
    request = replace(request, instance=context.instance(request.instance))
    if request.scopes:
        with suppress(AuthError):  # no account or several, so that it extends none
            before = find_record(context, request.user, request.instance)
            if before is not None:
                return replace(request, granted_scopes=before.scopes or ())
    return request


@dataclass(frozen=True)
class Login:
    """One login: what it was asked for, where its grant goes, and who may refuse it."""

    context: Context
    request: LoginRequest
    store: AccountStore
    on_login: Callable[[LoginContext], object] | None

    @property
    def provider(self) -> Provider:
        """Where its grant comes from."""
        return self.context.provider(self.request.instance)

    def accept(self, bundle: TokenBundle) -> LoginResult:
        """Store the tokens of a new grant, once it is known whose they are. Blocks."""
        account = self._identify(bundle)
        self._refuse_others(account, bundle)
        stored_in = self._store(account, bundle)
        console.log("stored %s: %s", account.key, stored_in)
        wanted = self.request.scopes
        granted = wanted if bundle.scopes is None else bundle.scopes
        missing = tuple(scope for scope in wanted if scope not in granted)
        return LoginResult(account, stored_in, missing_scopes=missing)

    def _identify(self, bundle: TokenBundle) -> Account:
        credential = FixedToken(self.context, self.request.instance, bundle)
        try:
            return identify_account(self.context, credential)
        except Unreachable as error:
            raise LoginFailed(error.message, hints=["Try logging in again."]) from None

    def _refuse_others(self, account: Account, bundle: TokenBundle) -> None:
        """Compare who logged in with who was asked for; let the application refuse, too."""
        asked = self.request.user
        if asked is not None and account.id != DEFAULT_ID and not self._is_meant(account, asked):
            self._withdraw(account, bundle)
            message = f"You signed in as {account.name}, not {asked}. Nothing was stored."
            hint = "Log out in the browser or use a private window, then try again."
            raise LoginFailed(message, hints=[hint])
        if self.on_login is None:
            return
        try:
            self.on_login(LoginContext(account, bundle=bundle))
        except BaseException:
            self._withdraw(account, bundle)
            raise

    def _is_meant(self, account: Account, asked: str) -> bool:
        """Whether *account* is who was asked for: where that names a stored one, this very one.

        A label is what somebody calls themselves: it must not open the account of another.
        """
        stored: Sequence[Account] = ()
        with suppress(StorageUnavailable):  # a login repairs what is damaged
            stored = self.store.listing()[0]
        here = [each for each in stored if each.instance == self.request.instance]
        meant = find_matching(here, asked) or find_matching([account], asked)
        return account.key in [each.key for each in meant]

    def _withdraw(self, account: Account, bundle: TokenBundle) -> None:
        """Revoke a grant that is not wanted, but no token that the person brought along.

        Nor one of an account that is stored: some servers end all its grants along with it.
        """
        if self.request.token is None and self.store.record_of(account.key) is None:
            self.provider.revoke(bundle)

    def _store(self, account: Account, bundle: TokenBundle) -> str:
        seconds = self.context.lock_timeout(self.request.instance)
        otherwise = "Another process is refreshing the token; this login replaces it."
        with lock_at_best(self.store.lock, account.key, seconds, otherwise):
            return self.store.log_in(account, bundle, self.provider.discover_binding()).storage
