"""A login in two calls: begin it, show the person what to do, and finish it later or elsewhere.

While it waits its facts lie in `pending/<id>.json`, 0600, and its secrets (a device code; or
state, verifier and nonce) where a token would: in the keyring, slot `pending-<id>`, or in there.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

from click_auth import errors
from click_auth.console import console
from click_auth.credentials import find_record
from click_auth.errors import LoginFailed, StorageUnavailable, Unreachable
from click_auth.files import make_private_folder, read_private, replace_private
from click_auth.locks.account_lock import LockBusy, account_lock, lock_timeout
from click_auth.login.flow import Login, choose_store, complete_request
from click_auth.login.keyboard import WrongPaste, parse_paste
from click_auth.login.results import LoginContext, LoginResult, PendingLogin
from click_auth.providers import Binding
from click_auth.providers.request import BegunLogin, LoginRequest
from click_auth.record import ENCRYPTED, SYSTEM, Unpickled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click_auth.context import Context
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse

VERSION = 1
_IN_VAULT = (SYSTEM, "fallback")
_FOLDER = "pending"
_ID = re.compile(r"[a-z0-9]{12}")
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_PASTE = "Paste the URL your browser ended up on."
_OTHERS_SECONDS = 3.0  # for another process's last question, when the time is over
_SLACK_SECONDS = 2.0


@dataclass(frozen=True)
class Pending(Unpickled):
    """All that is needed to finish a login. `expires_at` is in POSIX seconds.

    `bound_to` is what the provider's credentials are bound to.
    """

    id: str
    expires_at: float
    begun: BegunLogin
    request: LoginRequest
    bound_to: Binding
    storage: str | None

    def shown(self, resume: str) -> PendingLogin:
        """Return what is shown of it; *resume* is the command line that finishes it."""
        moment, begun = datetime.fromtimestamp(self.expires_at, timezone.utc), self.begun
        return PendingLogin(self.id, begun.kind, begun.url, begun.user_code, moment, resume)


class PendingLogins:
    """The pending logins of one application; their secrets are kept as tokens are."""

    def __init__(self, context: Context, storage: str | None = None) -> None:
        self._folder = context.folder
        self._store = choose_store(context, storage)

    def save(self, pending: Pending) -> None:
        """Keep *pending*. Raises `StorageUnavailable`."""
        facts = {**asdict(pending), "version": VERSION}
        text = json.dumps(dict(pending.begun.secrets))
        facts["begun"]["secrets"] = self._keep(_slot(pending.id), text)
        make_private_folder(self._path(pending.id).parent)
        replace_private(self._path(pending.id), json.dumps(facts).encode())

    def load(self, pending_id: str | None) -> Pending:
        """Return a pending login, expired or not; None is the only one.

        Raises `LoginFailed` where there is none of that name, or none that this program wrote.
        """
        pending_id = pending_id or self._only()
        content = read_private(self._path(pending_id)) if _ID.fullmatch(pending_id) else None
        found = None if content is None else self._parse(content)
        if found is not None and found.id == pending_id:
            return found
        message = "No such pending login. It was finished or has expired."
        if content is not None:
            message = f"{self._path(pending_id)} is not a pending login that this version can read."
        raise LoginFailed(message, hints=[LoginFailed.log_in_again])

    def forget(self, pending_id: str) -> None:
        """Remove a pending login and its secrets, wherever it keeps them. Never raises."""
        is_hidden = self._store.policy in _IN_VAULT
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, StorageUnavailable):
            facts = json.loads(read_private(self._path(pending_id)) or b"")
            is_hidden = facts["begun"]["secrets"] is None  # it began with a policy of its own
        with contextlib.suppress(OSError, StorageUnavailable):
            self._path(pending_id).unlink()
        if is_hidden:
            with contextlib.suppress(StorageUnavailable):
                self._store.vault.delete(_slot(pending_id))

    def forget_all(self) -> None:
        """Remove every pending login. Never raises."""
        for pending_id in pending_ids(self._folder):
            self.forget(pending_id)

    def sweep(self, now: float) -> None:
        """Remove those that have expired *now*. Never raises."""
        for pending_id in pending_ids(self._folder):
            with contextlib.suppress(LoginFailed, StorageUnavailable):
                if self.load(pending_id).expires_at <= now:
                    self.forget(pending_id)

    def _only(self) -> str:
        ids = pending_ids(self._folder)
        if len(ids) == 1:
            return ids[0]
        if not ids:
            raise LoginFailed("No login is pending.", hints=["Start one with `login --no-wait`."])
        message = "Several logins are pending. Say which one to finish."
        raise LoginFailed(message, hints=[", ".join(ids)])

    def _path(self, pending_id: str) -> Path:
        return self._folder / _FOLDER / f"{pending_id}.json"

    def _keep(self, slot: str, text: str) -> str | None:
        """Return what the file holds of the secrets in *text*, None where the keyring has them."""
        policy, has_key = self._store.policy, self._store.cipher is not None
        if policy in _IN_VAULT:
            try:
                self._store.vault.set(slot, text)
            except StorageUnavailable:
                if policy == SYSTEM:
                    raise
            else:
                return None
        is_sealed = policy == ENCRYPTED or (policy == "fallback" and has_key)
        return self._store.sealer.seal(text, slot) if is_sealed else text

    def _parse(self, content: bytes) -> Pending | None:
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            facts = json.loads(content)
            if facts.pop("version") != VERSION:
                return None
            begun, request, bound_to = map(facts.pop, ("begun", "request", "bound_to"))
            slot = _slot(str(facts["id"]))
            text = begun.pop("secrets") or self._store.vault.get(slot)
            if text and text.startswith("sealed:"):
                text = self._store.sealer.open(text, slot)
            request |= {name: tuple(request[name]) for name in ("scopes", "granted_scopes")}
            found = Pending(
                **facts,
                begun=BegunLogin(**begun, secrets=json.loads(text or "")),
                request=LoginRequest(**request),
                bound_to=Binding(*bound_to),
            )
            found.shown("")  # which fails for what is no time
            return found
        return None


def _slot(pending_id: str) -> str:
    return f"pending-{pending_id}"


def pending_ids(folder: Path) -> list[str]:
    """Return the names of the pending logins of the application whose records are in *folder*."""
    with contextlib.suppress(OSError):
        paths = (folder / _FOLDER).iterdir()
        return sorted(path.stem for path in paths if _ID.fullmatch(path.stem))
    return []


def begin(context: Context, request: LoginRequest, storage: str | None) -> Pending:
    """Begin a login and keep it; nothing listens, nothing waits. Blocks for one or two calls.

    A code for another device where the server has such, unless the request forbids it; else the
    page of a login through the browser. Raises `LoginFailed` or `StorageUnavailable`.
    """
    request, logins = complete_request(context, request), PendingLogins(context, storage)
    logins.sweep(context.clock())
    provider = context.provider(request.instance)
    begun = provider.begin_login(request)
    end, bound_to = context.clock() + begun.lifetime, provider.discover_binding()
    name = "".join(secrets.choice(_LETTERS) for _ in range(12))
    pending = Pending(name, end, begun, request, bound_to, storage)
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
    logins, started = PendingLogins(context), context.clock()
    pending = logins.load(pending_id)
    request = replace(pending.request, timeout=timeout)
    login = Login(context, request, choose_store(context, pending.storage), on_login)
    seconds = timeout + _OTHERS_SECONDS
    try:
        with lock_timeout(seconds), account_lock(context.folder, _slot(pending.id)):
            if pending.id not in pending_ids(context.folder):
                return _adopt(context, request, started)
            return _finish_alone(logins, login, pending, answer)
    except LockBusy:
        raise _still_pending("Another process is finishing it.") from None


def _finish_alone(
    logins: PendingLogins, login: Login, pending: Pending, answer: str | None
) -> LoginResult:
    if pending.bound_to != login.provider.discover_binding():
        raise LoginFailed("The pending login was started with another server or client.")
    try:
        result = _finish(login, pending, answer)
    except LoginFailed:
        logins.forget(pending.id)
        raise
    logins.forget(pending.id)
    return result


def _finish(login: Login, pending: Pending, answer: str | None) -> LoginResult:
    begun, timeout = pending.begun, login.request.timeout
    seconds = pending.expires_at - login.context.clock()
    if seconds <= 0:
        raise _expired()
    with login.store.patiently():
        login.store.check_writable()
        request = replace(login.request, timeout=min(timeout, seconds))
        bundle = login.provider.finish_login(begun, request, partial(_respond, answer or ""))
        if bundle is not None:
            return login.accept(bundle)
        if seconds <= timeout:
            raise _expired()
        what = f"Open {begun.url} and enter the code {begun.user_code}, then resume the login."
        wait = f"Wait at least {begun.interval:g} seconds between two attempts."
        raise _still_pending(f"{what} {wait}")


def _respond(answer: str, request: AuthorizationRequest) -> AuthorizationResponse:
    try:
        response = parse_paste(answer, request)
    except WrongPaste as wrong:
        raise _still_pending(f"{wrong} {_PASTE}") from None
    if response is None:
        raise _still_pending(_PASTE)
    return response


def _expired() -> LoginFailed:
    message = "The pending login has expired."
    return LoginFailed(message, code=errors.CALLBACK_TIMEOUT, hints=[LoginFailed.log_in_again])


def _still_pending(what: str) -> Unreachable:
    return Unreachable(f"The login is still pending. {what}", code=errors.LOGIN_PENDING)


def _adopt(context: Context, request: LoginRequest, started: float) -> LoginResult:
    """Return what another process has stored of this very login while we waited for it."""
    record = find_record(context, request.user, request.instance)
    if record is None or (record.access_token_obtained_at or 0.0) < started - _SLACK_SECONDS:
        raise LoginFailed("Another process has finished the pending login, or it failed there.")
    console.current().say("Another process has finished this login.")
    return LoginResult(record.account, record.storage)
