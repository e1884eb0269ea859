"""`Operations`: all that an `Auth` does: logging in, at once or in two calls, and `Sessions`.

Each method is a few lines into one story.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth import lazy
from click_auth.console.text import check_texts
from click_auth.defaults import LOGIN_TIMEOUT
from click_auth.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click_auth.login.results import LoginContext, LoginResult, PendingLogin
    from click_auth.providers.request import LoginUI


class Operations(Sessions):
    """What can be done with the credentials of one CLI."""

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
        browser can be opened. *ui* speaks to the person otherwise. *on_login* may raise to refuse.
        Raises `LoginFailed` or `StorageUnavailable`; nothing is stored, an earlier session works.
        """
        request = lazy.request.LoginRequest(
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
            return lazy.flow.log_in(self.context, request, storage, on_login, ui, login_line=line)

    def log_in_on_demand(self, check: Callable[[], None], scopes: Iterable[str] = ()) -> None:
        """Ask the person to log in, *scopes* included, until *check* raises nothing. Blocks.

        One process at a time: the others wait for it. Raises `NotLoggedIn` where they decline.
        """
        user, instance = self.resolve()
        with self.hinting():
            lazy.flow.log_in_on_demand(
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
        request = lazy.request.LoginRequest(
            user=user,
            scopes=check_texts(scopes, "scopes"),
            read_only=read_only,
            device=device,
            instance=instance,
            acr_values=acr_values,
            max_age=max_age,
        )
        with self.hinting():
            pending = lazy.pending.begin(self.context, request, storage)
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
        pending_id = pending if pending is None or isinstance(pending, str) else pending.id
        with self.hinting():
            return lazy.pending.finish(self.context, pending_id, answer, timeout, on_login)

    def pending_kind(self, pending_id: str | None) -> str:
        """Return "device" or "redirect" for a pending login. Raises `LoginFailed` for none."""
        with self.hinting():
            return lazy.pending.PendingLogins(self.context).load(pending_id).begun.kind
