"""Foreign text made inert before a terminal sees it."""

from __future__ import annotations

_BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def inert(text: object, limit: int = 200) -> str:
    """Return *text* as one line of at most *limit* characters that no terminal obeys.

    Control characters (C0, C1, DEL), line separators, bidirectional overrides and lone
    surrogates become a space; runs of spaces fold into one.
    """
    head = str(text)[: 4 * limit]
    cleaned = "".join(character if _is_shown(character) else " " for character in head)
    folded = " ".join(cleaned.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def _is_shown(character: str) -> bool:
    code = ord(character)
    if code < 0x20 or 0x7F <= code < 0xA0:
        return False
    return not (0xD800 <= code < 0xE000 or character in _BIDI or character in "\u2028\u2029")
