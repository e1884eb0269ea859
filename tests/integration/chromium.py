"""Debian's Chromium, driven through oidc-provider's own pages by Playwright."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from integration.machine import command
from integration.processes import READY_SECONDS

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Our page takes the answer out of the address bar as soon as it is shown.
CALLBACK = re.compile(r"^http://127\.0\.0\.1:\d+/callback(\?|$)")


@contextlib.contextmanager
def fresh_page() -> Iterator[Page]:
    """Give a page of a browser that has no history, cookies or logins."""
    chromium = command("chromium", "chromium")
    with sync_playwright() as playwright:
        patience = READY_SECONDS * 1000
        browser = playwright.chromium.launch(
            executable_path=chromium, args=list(FLAGS), timeout=patience
        )
        try:
            page = browser.new_page()
            page.set_default_timeout(patience)
            yield page
        finally:
            browser.close()


def approve(page: Page, url: str, login: str) -> None:
    """Log in at the provider and allow what the application asks for."""
    page.goto(url, wait_until="domcontentloaded")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", "any")
    page.click("button[type=submit]")
    # The consent page has one button and no field.
    page.wait_for_selector("input[name=prompt][value=consent]", state="attached")
    page.click("button[type=submit]")
    page.wait_for_url(CALLBACK)


def refuse(page: Page, url: str) -> None:
    """Cancel at the provider's login page."""
    page.goto(url, wait_until="domcontentloaded")
    page.click("a[href$='/abort']")
    page.wait_for_url(CALLBACK)


def photograph(page: Page, folder: Path, name: str) -> None:
    """Save what the page looks like, in a light and in a dark system."""
    folder.mkdir(parents=True, exist_ok=True)
    page.set_viewport_size({"width": 900, "height": 560})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=folder / f"{name}-{scheme}.png")
