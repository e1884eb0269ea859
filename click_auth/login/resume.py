"""A login in two calls: begin it, show the person what to do, and finish it later or elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from click_auth.console import console
from click_auth.credentials import find_record
from click_auth.errors import CALLBACK_TIMEOUT, LOGIN_PENDING, LoginFailed, Unreachable
from click_auth.locks.account_lock import account_lock, lock_timeout
from click_auth.login.flow import Login, choose_store, complete_request
from click_auth.login.paste import WrongPaste, parse_paste
from click_auth.login.pending import Pending, PendingLogins, new_id
from click_auth.login.results import LoginResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.context import Context
    from click_auth.login.results import LoginContext
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse
    from click_auth.providers.base import Provider
    from click_auth.providers.request import LoginRequest
    from click_auth.tokens import TokenBundle

_PASTE = "Paste the URL your browser ended up on."
_LOCK_MARGIN_SECONDS = 60.0
_SLACK_SECONDS = 2.0


def begin(context: Context, request: LoginRequest, storage: str | None) -> Pending:
    """Begin a login and keep it; nothing listens, nothing waits. Blocks for one or two calls.

    A code for another device where the server has such, unless the request forbids it; else the
    page of a login through the browser. Raises `LoginFailed` or `StorageUnavailable`.
    """
    request = complete_request(context, request)
    logins = _logins(context, storage)
    logins.sweep(context.clock())
    provider = context.provider(request.instance)
    begun = provider.begin_login(request)
    end, bound_to = context.clock() + begun.lifetime, provider.discover_binding()
    pending = Pending(new_id(), end, begun, request, bound_to, storage)
    logins.save(pending)
    return pending


def finish(
    context: Context,
    pending_id: str | None,
    answer: str | None,
    timeout: float,
    on_login: Callable[[LoginContext], object] | None,
) -> LoginResult:
    """Finish a pending login, None being the only one. Blocks, at most *timeout* seconds.

    A device login asks the server until the person has agreed; a login in the browser needs the
    *answer*, the URL that it ended on. Raises `Unreachable` (AUTH_LOGIN_PENDING) where it has to
    wait longer, and `LoginFailed` where it has ended. Of two that finish one login at once one
    does, and the other returns what that has stored.
    """
    logins, started = _logins(context, None), context.clock()
    pending = find(context, pending_id)
    seconds = timeout + _LOCK_MARGIN_SECONDS
    with lock_timeout(seconds), account_lock(context.folder, f"pending-{pending.id}"):
        if pending.id not in logins.ids():
            return _adopt(context, pending, started)
        if pending.bound_to != context.provider(pending.request.instance).discover_binding():
            raise LoginFailed("The pending login was started with another server or client.")
        try:
            result = _finish(context, pending, answer, timeout, on_login)
        except LoginFailed:
            logins.forget(pending.id)
            raise
        logins.forget(pending.id)
    return result


def find(context: Context, pending_id: str | None) -> Pending:
    """Return a pending login, None being the only one. Raises `LoginFailed`."""
    logins = _logins(context, None)
    return logins.load(pending_id or _only(logins))


def forget_all(context: Context) -> None:
    """Remove every pending login. Never raises."""
    logins = _logins(context, None)
    for pending_id in logins.ids():
        logins.forget(pending_id)


def _logins(context: Context, storage: str | None) -> PendingLogins:
    return PendingLogins(context.folder, choose_store(context, storage))


def _only(logins: PendingLogins) -> str:
    ids = logins.ids()
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise LoginFailed("No login is pending.", hints=["Start one with `login --no-wait`."])
    message = "Several logins are pending. Say which one to finish."
    raise LoginFailed(message, hints=[", ".join(ids)])


def _finish(
    context: Context,
    pending: Pending,
    answer: str | None,
    timeout: float,
    on_login: Callable[[LoginContext], object] | None,
) -> LoginResult:
    if pending.expires_at <= context.clock():
        message = "The pending login has expired."
        raise LoginFailed(message, code=CALLBACK_TIMEOUT, hints=[LoginFailed.log_in_again])
    request = replace(pending.request, timeout=timeout)
    provider = context.provider(request.instance)
    store = choose_store(context, pending.storage)
    login = Login(context, request, provider, store, on_login)
    with store.patiently():
        store.check_writable()
        return login.accept(_ask(provider, pending, request, answer))


def _ask(
    provider: Provider, pending: Pending, request: LoginRequest, answer: str | None
) -> TokenBundle:
    def respond(asked: AuthorizationRequest) -> AuthorizationResponse:
        try:
            response = parse_paste(answer or "", asked)
        except WrongPaste as wrong:
            raise _still_pending(f"{wrong} {_PASTE}") from None
        if response is None:
            raise _still_pending(_PASTE)
        return response

    bundle = provider.finish_login(pending.begun, request, respond)
    if bundle is None:
        code, url = pending.begun.user_code, pending.begun.url
        raise _still_pending(f"Open {url} and enter the code {code}, then resume the login.")
    return bundle


def _still_pending(what: str) -> Unreachable:
    return Unreachable(f"The login is still pending. {what}", code=LOGIN_PENDING)


def _adopt(context: Context, pending: Pending, started: float) -> LoginResult:
    """Return what another process has stored of this very login while we waited for it."""
    record = find_record(context, pending.request.user, pending.request.instance)
    if record is None or (record.access_token_obtained_at or 0.0) < started - _SLACK_SECONDS:
        raise LoginFailed("Another process has finished the pending login, or it failed there.")
    console.current().say("Another process has finished this login.")
    return LoginResult(record.account, record.storage)
