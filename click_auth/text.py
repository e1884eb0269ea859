"""Foreign text made inert before a terminal sees it."""

from __future__ import annotations


def inert(text: object, limit: int = 200) -> str:
    """Return *text* as one line of at most *limit* characters that no terminal obeys.

    What is not printable (control and format characters, line separators, bidirectional
    overrides, lone surrogates) becomes a space; runs of spaces fold into one.
    """
    head = str(text)[: 4 * limit]
    cleaned = "".join(character if character.isprintable() else " " for character in head)
    folded = " ".join(cleaned.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"
