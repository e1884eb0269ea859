"""A login without a terminal: in a notebook, or in a window of your own.

`Auth.login(ui=...)` speaks through a `LoginUI`. This one has two functions: one shows a line, one
asks for a line of text and returns it (`input` in a notebook, a dialog in a window).
"""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from click_auth import AuthorizationRequest, AuthorizationResponse, LoginFailed, LoginUI


class NotebookUI(LoginUI):
    """Shows lines with *show*, and asks with *ask*."""

    has_browser = True
    has_terminal = True

    def __init__(
        self, show: Callable[[str], object] = print, ask: Callable[[str], str] = input
    ) -> None:
        self._show, self._ask = show, ask

    def say(self, text: str) -> None:
        """Show a line."""
        self._show(text)

    def event(self, name: str, text: str, **fields: Any) -> None:
        """Show a text; a window could draw its fields instead, a QR code say."""
        self._show(text)

    def ask(self, prompt: str, *, hidden: bool = False) -> str:
        """Ask for one line."""
        return self._ask(prompt)

    def open_page(self, url: str) -> bool:
        """Show the URL and open it."""
        self._show(url)
        return webbrowser.open(url)

    def wait_for_redirect(
        self,
        start: Callable[[str], AuthorizationRequest],
        redirect_uris: Sequence[str],
        *,
        callback_port: int | None = None,
        timeout: float = 300.0,
    ) -> AuthorizationResponse:
        """Let the person paste the URL that their browser ends on: nothing listens here."""
        request = start(redirect_uris[0])
        self.open_page(request.url)
        pasted = self.ask("Paste the URL your browser ended up on")
        if not pasted:
            raise LoginFailed("Nothing was pasted.")
        return request.answered_by(urlsplit(pasted).query)

    def finish(self, success: bool, message: str | None = None) -> None:
        """Show how it ended."""
        self._show(message or ("You are logged in." if success else "Login failed."))


if __name__ == "__main__":
    from todo import auth

    result = auth.login(ui=NotebookUI())
    print(f"Hello, {result.account.label}!")
