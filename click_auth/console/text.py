"""Text that comes from elsewhere: checked, and made printable before a terminal sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# One word is a command in backticks, and a path: `Application Support` is a folder's name.
_PATH = r"(?<!\S)['\"(]?(?:~|[A-Za-z]:)?[/\\]\S*(?: [^\s/\\:]+[/\\]\S*)*"
# Compiled when a line is first wrapped: most commands wrap none.
_WORDS = rf"(?:{_PATH}|`[^`]*`|\S)+"
_STYLES = r"\x1b\[[0-9;]*m"


def check_texts(given: Iterable[str], name: str) -> tuple[str, ...]:
    """Return the texts *given* as the argument *name*. Raises TypeError for one text alone."""
    found = tuple(given)
    if isinstance(given, str) or not all(isinstance(each, str) for each in found):
        raise TypeError(f"{name} must be a list of strings, [{given!r}] for example")
    return found


def printable(text: object, limit: int = 200) -> str:
    """Return *text* as one line of at most *limit* characters that no terminal obeys.

    What is not printable (control and format characters, line separators, bidirectional
    overrides, lone surrogates) becomes a space; runs of spaces fold into one.
    """
    head = str(text)[: 4 * limit]
    cleaned = "".join(character if character.isprintable() else " " for character in head)
    folded = " ".join(cleaned.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def without_password(text: str) -> str:
    """Return a URL as one printable line, without the user name and password in it."""
    before, _, host = text.rpartition("@")
    scheme, is_url, _ = before.partition("://")
    return printable(f"{scheme}://{host}" if is_url else host)


def wrap(text: str, width: int | None, indent: str = "") -> str:
    """Return *text* in lines of at most *width* columns, those that go on behind *indent*.

    A URL, a path and a command in backticks stay whole, and so does a line that begins with a
    space. None is a terminal whose width nobody knows, or none.
    """
    lines = text.split("\n")
    if width is not None:
        lines = [line if line[:1] == " " else _wrapped(line, width, indent) for line in lines]
    return "\n".join(lines)


def _wrapped(line: str, width: int, indent: str) -> str:
    lines, free = [""], width
    for word in re.findall(_WORDS, line):
        length = len(re.sub(_STYLES, "", word))
        if lines[-1] and length >= free:
            lines.append(indent)
            free = width - len(indent)
        elif lines[-1]:
            lines[-1] += " "
            free -= 1
        lines[-1] += word
        free -= length
    return "\n".join(lines)
