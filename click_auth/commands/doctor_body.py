"""How `doctor` looks on a terminal."""

from __future__ import annotations

import shutil
import unicodedata
from itertools import chain
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from click_auth.results import Check, Report

_MARKS = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}
_FIRST_OF_A_GROUP = ("folder", "storage", "TLS")
_MARK_WIDTH = 6
_GAP = "  "
_ARROW = "-> "
_ROOMY_WIDTH = 80
_WIDEST_NAME, _WIDEST_NAME_WHERE_NARROW = 20, 13
_NARROWEST_TEXT = 24


def rendered(report: Report, width: int | None = None) -> str:
    """Return the table for a terminal of *width* columns, by default this one's."""
    width = shutil.get_terminal_size().columns if width is None else width
    widest = _WIDEST_NAME if width >= _ROOMY_WIDTH else _WIDEST_NAME_WHERE_NARROW
    lengths = [len(check.name) for check in report.checks]
    column = max((length for length in lengths if length <= widest), default=0)
    rows = (_row(check, column, width) for check in report.checks)
    return "\n".join((*chain.from_iterable(rows), "", _summary(report.checks)))


def _row(check: Check, column: int, width: int) -> Iterator[str]:
    """Yield the lines of one check. A name that is wider than its column has a line of its own."""
    if check.name in _FIRST_OF_A_GROUP:
        yield ""
    mark, color = _MARKS[check.verdict]
    head = click.style(mark, fg=color, bold=check.verdict == "fail") + " " * (
        _MARK_WIDTH - len(mark)
    )
    indent = " " * (_MARK_WIDTH + column + len(_GAP))
    lines = iter(_text(check, max(width - len(indent), _NARROWEST_TEXT)))
    if len(check.name) > column:
        yield head + check.name
    else:
        yield f"{head}{check.name:<{column}}{_GAP}{next(lines)}"
    for line in lines:
        yield indent + line


def _text(check: Check, room: int) -> list[str]:
    """Return the value, then where it comes from, then the way out, wrapped."""
    lines = _wrapped(check.value, room)
    source = _wrapped(f"[{check.source}]", room) if check.source else []
    dim = [click.style(line, dim=True) for line in source]
    if len(source) == 1 and _cells(lines[-1] + _GAP + source[0]) <= room:
        lines[-1] += _GAP + dim[0]
    else:
        lines += dim
    hint = _wrapped(check.hint, room - len(_ARROW)) if check.hint else []
    margins = chain([_ARROW], iter(lambda: " " * len(_ARROW), None))
    return lines + [margin + line for margin, line in zip(margins, hint, strict=False)]


def _wrapped(text: str, room: int) -> list[str]:
    """Return *text* in lines of *room* cells. A longer word, a path perhaps, stays whole."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and _cells(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _cells(text: str) -> int:
    """Return how wide *text* is on a terminal."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def _summary(checks: Sequence[Check]) -> str:
    names = {
        verdict: list(dict.fromkeys(each.name for each in checks if each.verdict == verdict))
        for verdict in _MARKS
    }
    parts = [
        click.style(f"{word}: {', '.join(names[verdict])}.", fg=_MARKS[verdict][1])
        for verdict, word in (("fail", "Failed"), ("warn", "To look at"))
        if names[verdict]
    ]
    return " ".join(parts) or click.style("Everything is in order.", fg="green")
