"""A person in front of a login, without a terminal: what they see is kept, the browser is fast."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from click_auth import AuthorizationRequest, AuthorizationResponse, LoginUI


class Person(LoginUI):
    """Follows the redirects of a server that approves by itself, to the callback and no further."""

    def __init__(self, *, browser: bool = True, terminal: bool = True, answer: str = "") -> None:
        self._browser = browser
        self._terminal = terminal
        self._answer = answer
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.opened: list[str] = []
        self.asked: list[tuple[str, bool]] = []

    @property
    def has_browser(self) -> bool:
        """Whether a page can be opened."""
        return self._browser

    @property
    def has_terminal(self) -> bool:
        """Whether somebody can be asked."""
        return self._terminal

    def say(self, text: str) -> None:
        """Keep the line."""
        self.events.append(("message", text, {}))

    def event(self, name: str, text: str, **fields: Any) -> None:
        """Keep the event."""
        self.events.append((name, text, fields))

    def ask(self, prompt: str, *, hidden: bool = False) -> str:
        """Return the answer that was prepared."""
        self.asked.append((prompt, hidden))
        return self._answer

    def open_page(self, url: str) -> bool:
        """Keep the URL."""
        self.opened.append(url)
        return self._browser

    def wait_for_redirect(
        self,
        start: Callable[[str], AuthorizationRequest],
        redirect_uris: Sequence[str],
        *,
        callback_port: int | None = None,
        timeout: float = 300.0,
    ) -> AuthorizationResponse:
        """Log in at once, and return what the redirect to the callback carries."""
        uri = redirect_uris[0].replace("127.0.0.1", f"127.0.0.1:{callback_port or 49152}")
        request = start(uri)
        url = request.url
        while not url.startswith(uri):
            url = _next(url)
        return request.answered_by(urlsplit(url).query)


def _next(url: str) -> str:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    location = answer.headers["Location"]
    connection.close()
    return f"{parts.scheme}://{parts.netloc}{location}" if location.startswith("/") else location
