"""The pictures of the documentation: what each shows, run for real, and drawn as SVG.

What differs from one run to the next (a port, a time, a random value, a folder, a version) is
replaced by one like it, so that a picture is the same text each time.
"""

from __future__ import annotations

import os
import platform
import re
import struct
import sys
import tempfile
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET
from zlib import crc32

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

import click_auth
from click_auth import Auth, OAuthProvider
from click_auth.testing import AuthorizationServer, isolated
from login.terminal import Terminal
from stores.keyrings import Cellar

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = Path(__file__).parents[1]
PICTURES = TESTS.parent / "docs" / "pictures"
COLUMNS, ROWS = 88, 60


class Scene(NamedTuple):
    """What is typed, in a world that *setting* names (see `program.py`)."""

    title: str
    setting: str
    commands: tuple[str, ...]


SCENES = {
    "login": Scene("todo auth login", "new", ("auth login", "tasks")),
    "status": Scene("todo auth status", "logged-in", ("auth status",)),
    "doctor": Scene("todo auth doctor", "logged-in", ("auth doctor",)),
    "device": Scene("a login on another device", "device", ("auth login --device --no-browser",)),
    "error": Scene("a session that was revoked", "expired", ("tasks",)),
}

_STABLE = (
    (r"((?:state|nonce|code_challenge)=)[\w-]+", r"\1Zm9yIHRoaXMgbG9naW4gb25seQ"),
    (r"(127\.0\.0\.1(?::|%3A))\d+", r"\g<1>49152"),
    (r"\d{4}-\d\d-\d\d([ T])\d\d:\d\d(?::\d\d)?", r"2026-12-01\g<1>09:30"),
    (r"\b\d+\.\d\d s\b", "0.02 s"),
    (r"\b\d+ ms\b", "1 ms"),
    (r"\b[0-2] s\b", "1 s"),
)
_LIBRARIES = {
    "click": "8.3.1",
    "httpx": "0.28.1",
    "keyring": "25.7.0",
    "portalocker": "3.2.0",
    "pydantic": "2.12.5",
}
_MACHINE = {
    f"{Cellar.__module__}.{Cellar.__qualname__}": "keyring.backends.SecretService.Keyring",
    str(Path(click_auth.__file__).parent): "/home/ada/todo/lib/click_auth",
    sys.executable: "/home/ada/todo/bin/python",
    platform.platform(): "Linux-6.12-x86_64-with-glibc2.41",
    platform.python_version(): "3.13.9",
    **{version(name): shown for name, shown in _LIBRARIES.items()},
}

# As rich draws it, without a font from elsewhere, and with the last line whole.
_FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
font: {char_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
line-height: {line_height}px;
}}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif; }}
{styles}
</style>
<defs>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def play(scene: Scene) -> str:
    """Return what a terminal shows of *scene*, with its colors, and stable."""
    paths = (str(TESTS), str(TESTS.parent / "examples"), str(Path(click_auth.__file__).parents[1]))
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(paths),
        "TERM": "xterm-256color",
        "TZ": "UTC",
        "COLUMNS": str(COLUMNS),
        "LINES": str(ROWS),
    }
    with tempfile.TemporaryDirectory(prefix="todo-") as folder:
        home = f"{Path(folder).resolve()}"
        program = [sys.executable, str(Path(__file__).with_name("program.py"))]
        words = [*program, home, scene.setting, *scene.commands]
        with Terminal(words, {**environ, "HOME": home}, columns=COLUMNS) as terminal:
            terminal.end()
    return stable(terminal.shown.replace(home, "/home/ada/.config/todo"))


def stable(shown: str) -> str:
    """Return *shown* as it is in each run and on each machine, without what was erased."""
    for found in sorted(_MACHINE, key=len, reverse=True):
        shown = shown.replace(found, _MACHINE[found])
    for pattern, replacement in _STABLE:
        shown = re.sub(pattern, replacement, shown)
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in shown.split("\n"))
    return "\n".join(line.rpartition("\x1b[K")[2] for line in lines).strip("\n")


def draw(name: str, shown: str) -> str:
    """Return the picture *name* of what was shown."""
    console = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w"))  # noqa: SIM115
    with console.file:
        console.print(Text.from_ansi(shown), soft_wrap=False)
    return console.export_svg(
        title=SCENES[name].title, theme=MONOKAI, code_format=_FORMAT, unique_id=name
    )


def text_of(picture: str) -> list[str]:
    """Return the words that a picture shows, in their order, and nothing of how they look."""
    lines: dict[float, str] = {}
    for element in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text"):
        row = float(element.get("y", "0"))
        lines[row] = f"{lines.get(row, '')} {''.join(element.itertext())}"
    return " ".join(lines[row] for row in sorted(lines)).split()


def log_in(folder: Path, browser: Callable[[str], bool]) -> None:
    """Log in with a *browser* that is to be shown the callback page."""
    with AuthorizationServer() as server:
        provider = OAuthProvider(
            client_id="todo-cli",
            issuer=server.issuer,
            api_url=server.api_url,
            identify=lambda api: api.get("/me").raise_for_status().json(),
        )
        with isolated(Auth("todo", provider), folder, browser=browser) as auth:
            auth.login()


class _Words(HTMLParser):
    """Collects what a page shows."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._is_shown = True

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._is_shown = tag not in ("style", "script", "title")

    def handle_endtag(self, tag: str) -> None:
        self._is_shown = True

    def handle_data(self, data: str) -> None:
        self.words += data.split() if self._is_shown else []


def words_of(page: str) -> str:
    """Return the words that an HTML page shows."""
    parser = _Words()
    parser.feed(page)
    return " ".join(parser.words)


_WORDS = b"tEXtDescription\0"


def with_words(png: bytes, words: str) -> bytes:
    """Return a PNG that also says, in text, what it shows."""
    content = _WORDS + words.encode("latin-1", "replace")
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", crc32(content))
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]


def words_in(png: bytes) -> str:
    """Return what a PNG says that it shows."""
    start = png.index(_WORDS)
    (length,) = struct.unpack(">I", png[start - 4 : start])
    return png[start + len(_WORDS) : start + 4 + length].decode("latin-1")
