"""The pictures of the documentation show what the program prints."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from click_auth.testing import FakeBrowser

if sys.platform == "win32":
    pytest.skip("there is no such terminal", allow_module_level=True)

from pictures.scenes import PICTURES, SCENES, draw, log_in, play, text_of, words_in, words_of

STALE = "this picture is out of date: run `nox -s pictures`"
LARGEST_BYTES = 40_000


@pytest.mark.parametrize("name", SCENES)
def test_a_picture_shows_what_is_printed(name: str) -> None:
    """Drawn anew it has the same words in the same order."""
    kept = (PICTURES / f"{name}.svg").read_text("utf-8")
    assert text_of(kept) == text_of(draw(name, play(SCENES[name]))), STALE


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_photograph_shows_what_the_page_says(scheme: str, tmp_path: Path) -> None:
    """What a browser is shown now is what the photograph says that it shows."""
    browser = FakeBrowser()
    log_in(tmp_path, browser)
    assert browser.wait()
    photograph = (PICTURES / f"callback-{scheme}.png").read_bytes()
    assert words_in(photograph) == words_of(browser.pages[-1]), STALE


def test_pictures_are_small_and_need_nothing_from_elsewhere() -> None:
    """No font, script or image is loaded, and each picture is on a page."""
    pages = "".join(
        path.read_text("utf-8")
        for path in (*PICTURES.parent.rglob("*.md"), PICTURES.parents[1] / "README.md")
    )
    for picture in PICTURES.iterdir():
        content = picture.read_bytes()
        assert len(content) < LARGEST_BYTES, picture.name
        assert f"pictures/{picture.name}" in pages, picture.name
        assert b"url(http" not in content
        assert b"<script" not in content
