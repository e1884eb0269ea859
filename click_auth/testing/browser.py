"""A browser without a window: it follows a login to its end and presses the buttons.

As a program (`python -m click_auth.testing.browser URL`) it may stand in `$BROWSER`.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPException
from urllib import request
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

_NO = ("deny", "cancel", "abort", "reject", "no")
_STEP_LIMIT = 24
_MOST_SECONDS = 300.0
_REDIRECTS = range(300, 400)


@dataclass(kw_only=True, eq=False, repr=False)
class FakeBrowser:
    """Opens a URL as `Auth.override(browser=...)` wants it: in a daemon thread, without waiting.

    It keeps cookies, follows redirects, and presses the button of each form it meets:
    the first one, or with `deny` the one that says no. `fields` fills inputs by name.
    `before` are paths asked of the callback server first (`/favicon.ico`,
    `/callback?code=x&state=wrong`). `delay` and `timeout` are seconds. With `never` it
    opens and does nothing; with `opens=False` it says that it could not open. `route`
    may send each URL elsewhere. What it asked for is in `visited`, what it got in
    `pages`, what went wrong in `errors`.
    """

    deny: bool = False
    delay: float = 0.0
    never: bool = False
    opens: bool = True
    before: Sequence[str] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    route: Callable[[str], str] | None = None
    visited: list[str] = field(default_factory=list, init=False)
    pages: list[str] = field(default_factory=list, init=False)
    errors: list[Exception] = field(default_factory=list, init=False)
    _threads: list[threading.Thread] = field(default_factory=list, init=False)

    def __call__(self, url: str) -> bool:
        """Start to visit `url`; return whether it was opened."""
        if not self.opens:
            return False
        if self.never:
            self.visited.append(url)
            return True
        thread = threading.Thread(target=self._visit, args=(url,), name="fake-browser", daemon=True)
        self._threads.append(thread)
        thread.start()
        return True

    @staticmethod
    def command(*options: str) -> str:
        """Return what to put into `$BROWSER`, so that child processes use such a browser too."""
        words = [sys.executable, "-m", "click_auth.testing.browser", *options, "%s"]
        return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until all visits have ended; False after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def visit(self, url: str) -> None:
        """Visit `url` in this thread, to the page where no button is left."""
        # Neither proxies nor redirects of urllib's own: each address is seen here.
        opener = request.OpenerDirector()
        opener.add_handler(request.HTTPHandler())
        opener.add_handler(request.HTTPSHandler())
        opener.add_handler(request.HTTPCookieProcessor())
        opener.add_handler(request.UnknownHandler())
        callback = parse_qs(urlsplit(url).query).get("redirect_uri", [""])[0]
        for path in self.before:
            self._load(opener, urljoin(callback, path))
        here, sent = url, None
        for _ in range(_STEP_LIMIT):
            page, target = self._load(opener, here, sent)
            form = Form(page)
            if form.action is not None and not (callback and here.startswith(callback)):
                here, sent = self._press(here, form)
            elif target:
                here, sent = target, None
            else:
                return

    def _visit(self, url: str) -> None:
        try:
            time.sleep(self.delay)
            self.visit(url)
        except (OSError, HTTPException, ValueError) as error:
            self.errors.append(error)

    def _load(
        self, opener: request.OpenerDirector, url: str, sent: bytes | None = None
    ) -> tuple[str, str]:
        """Return a page and where it redirects to, nowhere being empty."""
        self.visited.append(url)
        asked = request.Request(url if self.route is None else self.route(url), sent)  # noqa: S310
        with opener.open(asked, timeout=self.timeout) as response:
            page, headers = response.read().decode(errors="replace"), response.headers
        if response.status in _REDIRECTS:
            return "", urljoin(url, headers.get("Location", ""))
        self.pages.append(page)
        delay, _, target = headers.get("Refresh", "").partition("; url=")
        if not target:
            return page, ""
        time.sleep(float(delay))
        return page, urljoin(url, target)

    def _press(self, here: str, form: Form) -> tuple[str, bytes | None]:
        """Return the address that a button leads to, and what is posted there."""
        known = {name: value for name, value in self.fields.items() if name in form.fields}
        sent = urlencode({**form.fields, **known, **form.press(deny=self.deny)})
        target = urljoin(here, form.action)
        if form.method == "get":
            return f"{target.partition('?')[0]}?{sent}", None
        return target, sent.encode()


class Form(HTMLParser):
    """The first form of a page: what it sends as it stands, and its buttons as (name, value)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        #: Where it goes; None if the page has no form.
        self.action: str | None = None
        self.method: str = "get"
        self.fields: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []
        self._select = ""
        self._is_over = False
        self.feed(page)
        self.close()

    def press(self, *, deny: bool) -> dict[str, str]:
        """Return what a button adds: the one that says no, or the first that does not."""
        for name, value in self.buttons:
            if (value.lower() in _NO or name.lower() in _NO) == deny:
                return {name: value} if name else {}
        if deny:
            raise ValueError("the page has no button that says no")
        return {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in what belongs to the form."""
        found = {name: value or "" for name, value in attrs}
        name, value = found.get("name", ""), found.get("value", "")
        kind = found.get("type", "submit" if tag == "button" else "text")
        if self._is_over or (self.action is None and tag != "form"):
            return
        if tag == "form":
            self.action = found.get("action", "")
            self.method = found.get("method", "get").lower()
        elif tag in ("button", "input") and kind == "submit":
            self.buttons.append((name, value))
        elif tag == "input" and name and kind not in ("button", "reset", "image"):
            self.fields[name] = value
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in found or self._select not in self.fields):
            self.fields[self._select] = value

    def handle_endtag(self, tag: str) -> None:
        """Leave the form."""
        self._is_over = self._is_over or (tag == "form" and self.action is not None)


def main() -> None:
    """Visit a URL; exit with 0 if every page could be asked for."""
    parser = argparse.ArgumentParser("python -m click_auth.testing.browser", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--deny", action="store_true", help="press the button that says no")
    given = parser.parse_args()
    browser = FakeBrowser(deny=given.deny)
    browser(given.url)
    browser.wait(_MOST_SECONDS)
    if browser.errors:
        parser.exit(1, f"{browser.errors[0]}\n")


if __name__ == "__main__":
    main()
