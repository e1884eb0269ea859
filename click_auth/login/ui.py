"""The person in front of a login: what they are told, what they are asked, what is opened."""

from __future__ import annotations

import getpass
import math
import re
import socket
import sys
import time
from contextlib import closing, suppress
from dataclasses import KW_ONLY, InitVar, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TextIO

from click_auth.console import console
from click_auth.console.console import is_terminal, is_unseen
from click_auth.console.text import printable
from click_auth.defaults import LOGIN_TIMEOUT
from click_auth.errors import CALLBACK_TIMEOUT, AuthError, LoginFailed
from click_auth.http.urls import checked_url, host_of
from click_auth.login import keyboard, pages
from click_auth.login.browser import CI_JOB, choose_browser
from click_auth.login.loopback import Listener, listen
from click_auth.login.redirect import AnswerWait, HeldBrowser
from click_auth.providers.request import LoginUI

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

    from click_auth.environment import Environment
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse

_PASTE = (
    "If the browser can't reach this machine, its last page won't load. Paste the URL of that "
    "page{or_the_code} here and press Enter. Your input stays hidden."
)
_COULD_NOT = "Couldn't open a browser"
_SSH_PORT = "22"
_REACHED = re.compile(r"\S+ \d+ ([0-9A-Fa-f.:]+) ([0-9]{1,5})", re.ASCII)  # sshd(8)
_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(eq=False)
class TerminalUI(LoginUI):
    """One login on one terminal, or in one pipe. A context manager.

    *browser* opens pages instead of the one that would be found; *page* is the application's own
    look of the last page, *login_line* what to type to try again. After *whole_url_seconds* a
    person whose browser was opened is shown the whole URL as well. Leaving the block closes
    whatever is still open, and tells a browser that still waits how it ended: with an error, that
    it failed.
    """

    environment: Environment
    browser: InitVar[Callable[[str], bool] | None] = None
    page: pages.Page = None
    _: KW_ONLY
    login_line: str = ""
    allow_browser: InitVar[bool] = True
    whole_url_seconds: float = 10.0
    stdin: TextIO | None = field(default_factory=lambda: sys.stdin)

    def __post_init__(self, browser: Callable[[str], bool] | None, allow_browser: bool) -> None:
        self._browser = choose_browser(self.environment, browser, allowed=allow_browser)
        self._held: HeldBrowser | None = None
        self._abridged: str | None = None  # a URL of which the person has seen the host only
        self._known_failure: str | None = None
        self._checks: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self._held is not None:
            reply = pages.undecided(self.page)
            if error is not None:
                message = error.message if isinstance(error, AuthError) else None
                reply = self._outcome(success=False, message=message)
            # An interrupt is no `Exception`: the program is to end.
            self._held.tell(reply, is_urgent=not isinstance(error, Exception | None))

    @property
    def has_browser(self) -> bool:
        """Whether a page can be opened on this machine, for this person."""
        return self._browser.reason is None

    @property
    def has_terminal(self) -> bool:
        """Whether somebody is there who can be asked."""
        return is_terminal(self.stdin)

    def say(self, text: str) -> None:
        """Print one line on stderr."""
        console.current().say(text)

    def event(self, name: str, text: str, **fields: object) -> None:
        """Print *text* to a person, or the event and its fields as JSON to a program."""
        console.current().event(name, text, **fields)

    def ask(self, prompt: str, *, hidden: bool = False) -> str:
        """Return what the person typed, or one line of stdin where there is no terminal."""
        return keyboard.ask(prompt, self.stdin, hidden=hidden)

    def open_page(self, url: str) -> bool:
        """Print *url* and open it in the browser; return whether a browser was started."""
        return self._open(url, abridged=False)

    def _open(self, url: str, *, abridged: bool) -> bool:
        try:
            checked_url(url, "The URL to open")
        except ValueError as error:  # it does not quote it: it may come from a server that lies
            raise LoginFailed(str(error), hints=["Nothing was opened."]) from None
        text = f"Open this URL in your browser:\n\n{url}\n"
        if abridged:
            self._abridged = url
            text = f"Opening {host_of(url)} in your browser..."
        self.event("open_url", text, url=url)
        opened, reason = self._browser.open(url), self._browser.reason
        text = "" if abridged else "Your browser should open. If it doesn't, open the URL above."
        if reason is not None:
            text = f"Not opening a browser ({reason})."
        elif not opened:
            text = f"{_COULD_NOT}. {self._please_open()}"
        self.event("browser", text, opened=opened, reason=reason)
        return opened

    def _please_open(self) -> str:
        """Return the request to open the URL, with the URL where it was not shown whole."""
        url, self._abridged = self._abridged, None
        return "Please open " + (f"this URL yourself:\n\n{url}\n" if url else "the URL yourself.")

    def watch(self, check: Callable[[], None]) -> bool:
        """Call *check* several times a second while a redirect is waited for."""
        self._checks.append(check)
        return True

    def wait_for_redirect(
        self,
        start: Callable[[str], AuthorizationRequest],
        redirect_uris: Sequence[str],
        *,
        callback_port: int | None = None,
        timeout: float = 300.0,
    ) -> AuthorizationResponse:
        """Send the person to the server and return its response."""
        self._refuse_to_wait_for_nobody(timeout)
        with closing(listen(redirect_uris, callback_port)) as listener:
            request = start(listener.redirect_uri)
            is_seen = is_terminal(sys.stderr) and not console.current().is_json
            opened = self._open(request.url, abridged=is_seen and self.has_browser)
            return self._first_answer(listener, request, timeout, opened=opened)

    def _refuse_to_wait_for_nobody(self, timeout: float) -> None:
        """Raise in a CI job, unless a time to wait was chosen or a program reads the URL."""
        is_read = self.has_terminal or console.current().is_json
        if self._browser.reason != CI_JOB or is_read or timeout != LOGIN_TIMEOUT:
            return
        env = self.environment
        token = f"{env.token_env}, or " if env.token_env else ""
        instead = f"Set {token}{env.name('CLIENT_ID')} and {env.name('CLIENT_SECRET')} instead."
        message = "Can't log in interactively: this is a CI job without a terminal."
        raise LoginFailed(message, hints=[instead, "With --timeout, the login waits anyway."])

    def _first_answer(
        self, listener: Listener, request: AuthorizationRequest, timeout: float, *, opened: bool
    ) -> AuthorizationResponse:
        # Where nobody would see that the terminal is asked, it is left alone.
        typed_on = None if is_unseen(sys.stderr) else keyboard.open_keyboard(self.stdin)
        with (
            closing(AnswerWait(listener, request, typed_on, self.page)) as wait,
            console.counting_down(timeout, "the browser") as countdown,
        ):
            if not opened:
                self._explain_forwarding(listener)
            if typed_on is not None:
                typed_on.hide()
                code = "" if request.iss_required else " (or the code)"
                self.event("paste", _PASTE.format(or_the_code=code))
            if not countdown.shown:
                text = f"Waiting for the browser, up to {_in_words(timeout)} (Ctrl-C to cancel)."
                uri = listener.redirect_uri
                self.event("waiting", text, redirect_uri=uri, timeout=timeout)
            watch = partial(self._watch_browser, listener, time.monotonic())
            try:
                answer = wait.first_answer(timeout, watch, countdown.tick, *self._checks)
            finally:
                self._held = wait.held
        if answer is None:
            raise _timeout_error(timeout, wait.strays)
        console.log("response: %s", "pasted" if wait.held is None else listener.redirect_uri)
        if is_terminal(sys.stderr):
            self.event("finishing", "Response received. Finishing the login...")
        return answer

    def _explain_forwarding(self, listener: Listener) -> None:
        """Say how a browser at the other end of SSH reaches the listener."""
        connection = self.environment.environ.get("SSH_CONNECTION")
        if connection:
            command = _ssh_command(listener, connection)
            text = "If your browser is on the machine you're connecting from, run this there first:"
            self.event("ssh_forward", f"{text}\n\n    {command}\n", command=command)

    def _watch_browser(self, listener: Listener, since: float) -> None:
        """Say, once each, that the opener has failed after all, and the URL if nothing comes."""
        failure = self._browser.failure
        if failure is not None and failure != self._known_failure:
            text = f"{_COULD_NOT} ({printable(failure)}). {self._please_open()}"
            self.event("message", text, message=text)
            if self._known_failure is None:
                self._explain_forwarding(listener)
            self._known_failure = failure
        if self._abridged is not None and time.monotonic() > since + self.whole_url_seconds:
            self.event("open_url", f"No browser window? {self._please_open()}")

    def finish(self, success: bool, message: str | None = None) -> None:  # noqa: FBT001
        """Tell the browser that still waits how the login ended. Does nothing where none waits.

        Call it once the tokens are stored: nothing that the page says may turn out wrong.
        """
        held, self._held = self._held, None
        if held is not None:
            held.tell(self._outcome(success, message))

    def _outcome(self, success: bool, message: str | None = None) -> bytes:  # noqa: FBT001
        again = "" if success else self.login_line
        what_next = again and f"To try again, run this in your terminal:\n{again}"
        return pages.outcome(self.environment.app_name, success, message, what_next, self.page)


def _ssh_command(listener: Listener, connection: str) -> str:
    """Return the line to run at the other end, from what sshd says that it was reached as.

    It is made to be pasted into a shell: nothing that a shell or ssh could read differently.
    """
    address = listener.sockets[0].getsockname()[0]
    target = f"[{address}]" if ":" in address else address
    reached = _REACHED.fullmatch(connection)
    host, port = reached.groups() if reached else (socket.gethostname(), _SSH_PORT)
    user = ""
    with suppress(ImportError, KeyError, OSError):  # nobody that this machine knows
        user = getpass.getuser()
    who = f"{user}@" if _USER.fullmatch(user) else ""
    at = "" if port == _SSH_PORT else f"-p {port} "
    there = host if _HOST.fullmatch(host) else "HOST"
    return f"ssh {at}-L {listener.port}:{target}:{listener.port} {who}{there}"


def _timeout_error(seconds: float, strays: Sequence[str]) -> LoginFailed:
    came = f" Ignored: {'; '.join(strays)}." if strays else ""
    return LoginFailed(
        f"Timed out after {_in_words(seconds)} waiting for the browser.{came}",
        code=CALLBACK_TIMEOUT,
        hints=["Try again; --timeout allows more time."],
    )


def _in_words(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "any time"
    if seconds < 2 * 60:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min"
