"""A browser without a window, for oidc-provider's pages: it fills in form after form."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

# More pages than any login here has.
MOST_PAGES = 6


@dataclass
class Form(HTMLParser):
    """The first form of a page: where it goes, and what its fields hold."""

    action: str | None = None
    fields: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the form and its fields."""
        found = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = found["action"]
        if tag == "input" and found.get("name"):
            self.fields[str(found["name"])] = found.get("value") or ""


def walk(url: str, **answers: str) -> httpx.Response:
    """Visit *url*, answer every form with *answers* by name, and return the page that has none."""
    answers = {"login": "ada", "password": "any", **answers}
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(url)
        for _ in range(MOST_PAGES):
            form = Form()
            form.feed(page.text)
            if form.action is None:
                return page
            fields = form.fields | {n: v for n, v in answers.items() if n in form.fields}
            page = browser.post(page.url.join(form.action), data=fields)
    raise RuntimeError(f"still a form after {MOST_PAGES} pages, at {page.url}")
