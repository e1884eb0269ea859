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
import urllib.error
from http.client import HTTPException, HTTPMessage
from http.cookiejar import CookieJar
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from click_auth.testing.forms import Form, find_forms
from click_auth.testing.typed import override

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PAGE_LIMIT = 12


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

    def __init__(
        self,
        *,
        deny: bool = False,
        delay: float = 0.0,
        never: bool = False,
        opens: bool = True,
        before: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        route: Callable[[str], str] | None = None,
    ) -> None:
        self.visited: list[str] = []
        self.pages: list[str] = []
        self.errors: list[Exception] = []
        self._deny, self._delay, self._never, self._opens = deny, delay, never, opens
        self._before, self._fields, self._timeout = tuple(before), dict(fields or {}), timeout
        self.route = route
        self._threads: list[threading.Thread] = []

    def __call__(self, url: str) -> bool:
        """Start to visit `url`; return whether it was opened."""
        if not self._opens:
            return False
        if self._never:
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
        opener = build_opener(
            ProxyHandler({}), HTTPCookieProcessor(CookieJar()), _Redirects(self._seen)
        )
        callback = parse_qs(urlsplit(url).query).get("redirect_uri", [""])[0]
        for path in self._before:
            self._load(opener, urljoin(callback, path))
        self._seen(url)
        here, page = self._load(opener, url)
        for _ in range(_PAGE_LIMIT):
            forms = find_forms(page)
            if not forms or (callback and here.startswith(callback)):
                return
            here, page = self._submit(opener, here, forms[0])

    def _visit(self, url: str) -> None:
        try:
            time.sleep(self._delay)
            self.visit(url)
        except (OSError, HTTPException, ValueError) as error:
            self.errors.append(error)

    def _seen(self, url: str) -> str:
        self.visited.append(url)
        return url if self.route is None else self.route(url)

    def _submit(self, opener: OpenerDirector, here: str, form: Form) -> tuple[str, str]:
        sent = {**form.fields, **self._known(form), **form.press(deny=self._deny)}
        target = urljoin(here, form.action)
        if form.method == "get":
            return self._load(opener, f"{target.partition('?')[0]}?{urlencode(sent)}")
        return self._load(opener, target, urlencode(sent).encode())

    def _known(self, form: Form) -> dict[str, str]:
        return {name: value for name, value in self._fields.items() if name in form.fields}

    def _load(self, opener: OpenerDirector, url: str, form: bytes | None = None) -> tuple[str, str]:
        target = url if self.route is None else self.route(url)
        if urlsplit(target).scheme not in ("http", "https"):
            raise ValueError(f"not a web page: {target}")
        try:
            with opener.open(Request(target, form), timeout=self._timeout) as response:  # noqa: S310
                here, page = response.geturl(), response.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            with error:
                here, page = error.geturl() or url, error.read().decode(errors="replace")
        self.pages.append(page)
        return here, page


class _Redirects(HTTPRedirectHandler):
    """Follows redirects, and tells each address before it is asked."""

    def __init__(self, seen: Callable[[str], str]) -> None:
        self._seen = seen

    @override
    def redirect_request(  # noqa: PLR0917 - urllib's signature
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        """Return the request that follows a redirect."""
        return super().redirect_request(req, fp, code, msg, headers, self._seen(newurl))


def main(arguments: Sequence[str] | None = None) -> int:
    """Visit a URL; 0 if every page could be asked for."""
    parser = argparse.ArgumentParser("python -m click_auth.testing.browser", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--deny", action="store_true", help="press the button that says no")
    parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS")
    given = parser.parse_args(arguments)
    browser = FakeBrowser(deny=given.deny)
    time.sleep(given.delay)
    try:
        browser.visit(given.url)
    except (OSError, HTTPException, ValueError) as error:
        parser.exit(1, f"{error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
