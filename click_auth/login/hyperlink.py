"""Links that a terminal lets one click (OSC 8), on terminals known to have them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROGRAMS = frozenset({"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "rio", "Tabby"})
_TERMS = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour")
_FIRST_VTE = 5000  # 0.50; earlier ones crash on a long address


def hyperlink(url: str, environ: Mapping[str, str], stream: TextIO) -> str:
    """Return *url*, made clickable where *stream* is a terminal that knows how.

    What is shown is the address itself in either case; when in doubt it is plain.
    """
    if os.name == "nt" or not _is_known(environ) or not stream.isatty():
        return url
    return f"\x1b]8;;{url}\x1b\\{url}\x1b]8;;\x1b\\"


def _is_known(environ: Mapping[str, str]) -> bool:
    term = environ.get("TERM", "")
    if environ.get("TMUX") or term.startswith(("screen", "tmux", "dumb")):
        return False
    vte = environ.get("VTE_VERSION", "")
    return (
        environ.get("TERM_PROGRAM") in _PROGRAMS
        or term.startswith(_TERMS)
        or (vte.isdecimal() and int(vte) >= _FIRST_VTE)
    )
