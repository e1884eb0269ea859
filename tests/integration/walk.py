"""A browser without a window, for a server's own pages: it fills in form after form."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

# More pages than any login here has.
MOST_PAGES = 6
# The last page comes when the login is over: tokens exchanged, keyring written.
PAGE_SECONDS = 60.0


@dataclass
class Form(HTMLParser):
    """The first form of a page: where it goes, what its fields hold, which buttons have names."""

    action: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    buttons: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the form and its fields."""
        found = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = found.get("action") or ""
        if tag == "input" and found.get("name"):
            self.fields[str(found["name"])] = found.get("value") or ""
        if tag == "button" and found.get("name"):
            self.buttons.add(str(found["name"]))


def walk(url: str, **answers: str) -> httpx.Response:
    """Visit *url*, answer every form with *answers* by name, and return the page that has none.

    A button with a name is pressed where *answers* says with which value.
    """
    answers = {"login": "ada", "password": "any", **answers}
    with httpx.Client(follow_redirects=True, timeout=PAGE_SECONDS) as browser:
        page = browser.get(url)
        for _ in range(MOST_PAGES):
            form = Form()
            form.feed(page.text)
            if form.action is None:
                return page
            asked = {*form.fields, *form.buttons}
            fields = form.fields | {name: answers[name] for name in asked & answers.keys()}
            page = browser.post(page.url.join(form.action), data=fields)
    raise RuntimeError(f"still a form after {MOST_PAGES} pages, at {page.url}")
