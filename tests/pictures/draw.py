"""Draw the pictures of the documentation anew: `nox -s pictures`."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from queue import Queue

from integration.chromium import CALLBACK, fresh_page
from pictures.scenes import PICTURES, SCENES, draw, log_in, play, with_words, words_of

SIZE = {"width": 640, "height": 420}
WAIT_SECONDS = 60.0


def draw_terminals() -> None:
    """Run each scene on a terminal and draw what it shows."""
    for name, scene in SCENES.items():
        (PICTURES / f"{name}.svg").write_text(draw(name, play(scene)), encoding="utf-8")


def photograph_callback_page() -> None:
    """Log in with Chromium, and keep what it shows in a light and in a dark system."""
    urls: Queue[str] = Queue()

    def open_page(url: str) -> bool:
        urls.put(url)
        return True

    with tempfile.TemporaryDirectory() as folder, fresh_page() as page:
        login = threading.Thread(target=log_in, args=(Path(folder), open_page))
        login.start()
        page.set_viewport_size(SIZE)
        page.goto(urls.get(timeout=WAIT_SECONDS), wait_until="load")
        page.wait_for_url(CALLBACK)
        login.join(WAIT_SECONDS)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            png = with_words(page.screenshot(), words_of(page.content()))
            (PICTURES / f"callback-{scheme}.png").write_bytes(png)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    draw_terminals()
    photograph_callback_page()
