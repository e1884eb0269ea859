"""Text that comes from elsewhere: checked, and made printable before a terminal sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def check_texts(given: Iterable[str], name: str) -> tuple[str, ...]:
    """Return the texts *given* as the argument *name*. Raises TypeError for one text alone."""
    found = tuple(given)
    if isinstance(given, str) or not all(isinstance(each, str) for each in found):
        raise TypeError(f"{name} takes several texts, [{given!r}] for example")
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
    """Return an address as one printable line, without the user name and password in it."""
    before, _, host = text.rpartition("@")
    scheme, is_url, _ = before.partition("://")
    return printable(f"{scheme}://{host}" if is_url else host)
