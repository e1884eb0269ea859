"""The person in front of a login: what they are told, what they are asked, what is opened."""

from __future__ import annotations

import getpass
import math
import socket
import sys
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, TextIO

from click_auth import voice
from click_auth.errors import CALLBACK_TIMEOUT, AuthError, LoginFailed
from click_auth.login import pages
from click_auth.login.browser import CallableBrowser, NoBrowser, checked_url, find_browser
from click_auth.login.listener import listen
from click_auth.login.paste import open_keyboard
from click_auth.login.redirect import Doors
from click_auth.providers.request import LoginUI
from click_auth.terminal import is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

    from click_auth.environment import Environment
    from click_auth.login.browser import Opener
    from click_auth.login.listener import Listener
    from click_auth.login.loopback import Held
    from click_auth.login.pages import PageContext
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse

_PASTE = (
    "Or paste here the address that you were sent to, or the code, and press Enter.\n"
    "It is not shown."
)
_LONGEST_ANSWER = 64 * 1024
_MOST_QUOTED = 3


class TerminalUI(LoginUI):
    """One login on one terminal, or in one pipe. A context manager.

    *browser* opens pages instead of the one that would be found; *page* is the application's own
    look of the last page. Leaving the block closes whatever is still open, and tells a browser
    that still waits how it ended: with an error, that it failed.
    """

    def __init__(
        self,
        app_name: str,
        environment: Environment,
        browser: Callable[[str], bool] | None = None,
        page: Callable[[PageContext], str] | None = None,
        *,
        allow_browser: bool = True,
        stdin: TextIO | None = None,
    ) -> None:
        self._app_name = app_name
        self._environment = environment
        self._browser = _chosen(environment, browser, allow_browser=allow_browser)
        self._page = page
        self._stdin = sys.stdin if stdin is None else stdin
        self._held: Held | None = None
        self._known_failure: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is not None:
            message = error.message if isinstance(error, AuthError) else None
            self.finish(success=False, message=message)
        elif self._held is not None:
            self._held.tell(pages.undecided())

    @property
    def has_browser(self) -> bool:
        """Whether a page can be opened on this machine, for this person."""
        return self._browser.reason is None

    @property
    def has_terminal(self) -> bool:
        """Whether somebody is there who can be asked."""
        return is_terminal(self._stdin)

    def say(self, text: str) -> None:
        """Print one line on stderr."""
        voice.current().say(text)

    def event(self, name: str, text: str, **fields: object) -> None:
        """Print *text* to a person, or the event and its fields as JSON to a program."""
        voice.current().event(name, text, **fields)

    def ask(self, prompt: str, *, hidden: bool = False) -> str:
        """Return what the person typed, or one line of stdin where there is no terminal."""
        if self.has_terminal:
            self.event("ask", f"{prompt}:", prompt=prompt, hidden=hidden)
        try:
            answer = self._line(hidden=hidden and self.has_terminal)
        except (EOFError, OSError, ValueError):
            answer = ""
        if not answer:
            raise LoginFailed(
                f"{prompt}: nothing came.",
                hints=["Type it on a terminal, or give it on standard input, as one line."],
            )
        return answer

    def _line(self, *, hidden: bool) -> str:
        if hidden:
            return getpass.getpass("").strip()
        return "" if self._stdin is None else self._stdin.readline(_LONGEST_ANSWER).strip()

    def open_page(self, url: str) -> bool:
        """Print *url* and open it in the browser; return whether a browser was started."""
        text = f"Open this address in a browser:\n\n{checked_url(url)}\n"
        self.event("open_url", text, url=url)
        opened = self._browser.open(url)
        if opened:
            text = "A browser on this machine should be showing it now."
        elif self._browser.reason is None:
            text = "The browser could not be started: please open the address yourself."
        else:
            text = f"No browser was started: {self._browser.reason}."
        self.event("browser", text, opened=opened, reason=self._browser.reason)
        return opened

    def wait_for_redirect(
        self,
        start: Callable[[str], AuthorizationRequest],
        redirect_uris: Sequence[str],
        *,
        callback_port: int | None = None,
        timeout: float = 300.0,
    ) -> AuthorizationResponse:
        """Send the person to the server and return its answer."""
        with closing(listen(redirect_uris, callback_port)) as listener:
            request = start(listener.redirect_uri)
            opened = self.open_page(request.url)
            return self._first_answer(listener, request, timeout, opened=opened)

    def _first_answer(
        self, listener: Listener, request: AuthorizationRequest, timeout: float, *, opened: bool
    ) -> AuthorizationResponse:
        with (
            Doors(listener, request, open_keyboard(self._stdin), self.say) as doors,
            voice.counting_down(timeout) as countdown,
        ):
            if not opened and self._environment.environ.get("SSH_CONNECTION"):
                self._explain_forwarding(listener)
            if doors.takes_paste:
                self.event("paste", _PASTE)
            if not countdown.shown:
                self.event(
                    "waiting",
                    f"Waiting for the answer, up to {_spoken(timeout)}. Ctrl-C stops.",
                    redirect_uri=listener.redirect_uri,
                    timeout=timeout,
                )
            try:
                answer = doors.first_answer(timeout, self._watch_browser, countdown.tick)
            finally:
                self._held = doors.held
        if answer is None:
            raise _timeout(timeout, doors.strays)
        return answer

    def _explain_forwarding(self, listener: Listener) -> None:
        """Say how a browser at the other end of SSH reaches the listener."""
        address = listener.sockets[0].getsockname()[0]
        target = f"[{address}]" if ":" in address else address
        command = f"ssh -L {listener.port}:{target}:{listener.port} {socket.gethostname()}"
        text = "If the browser is at the other end of this SSH session, run there first:"
        self.event("ssh_forward", f"{text}\n\n{command}\n", command=command)

    def _watch_browser(self) -> None:
        """Say it, once, when the opener turns out to have failed after it had started."""
        failure = self._browser.failure
        if failure is not None and failure != self._known_failure:
            self._known_failure = failure
            self.say(f"The browser did not open ({failure}): please open the address yourself.")

    def finish(self, success: bool, message: str | None = None) -> None:  # noqa: FBT001
        """Tell the browser that still waits how the login ended. Does nothing where none waits.

        Call it once the tokens are stored: nothing that the page says may turn out wrong.
        """
        held, self._held = self._held, None
        if held is not None:
            held.tell(self._last_page(success=success, message=message))

    def _last_page(self, *, success: bool, message: str | None) -> bytes:
        told = partial(pages.outcome, self._app_name, success=success, message=message)
        if self._page is not None:
            try:
                return told(page=self._page)
            except Exception as error:  # noqa: BLE001 - the application's; the login stands
                voice.current().warn(f"The application's page failed: {type(error).__name__}.")
        return told()


def _chosen(
    environment: Environment, browser: Callable[[str], bool] | None, *, allow_browser: bool
) -> Opener:
    if not allow_browser:
        return NoBrowser("it was not wanted")
    if browser is not None:
        return CallableBrowser(browser)
    if environment.browser_forbidden:
        return NoBrowser(f"{environment.name('NO_BROWSER')} is set")
    return find_browser(environment.environ)


def _timeout(seconds: float, strays: Sequence[str]) -> LoginFailed:
    quoted = "; ".join(dict.fromkeys(strays[:_MOST_QUOTED]))
    came = f" What came instead: {quoted}." if quoted else ""
    return LoginFailed(
        f"No answer came within {_spoken(seconds)}.{came}",
        code=CALLBACK_TIMEOUT,
        hints=["Start the login again; --timeout gives it more time."],
    )


def _spoken(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "any time"
    if seconds < 2 * 60:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min"
