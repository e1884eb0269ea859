"""How `doctor` looks on a terminal."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.results import Check, Report

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}
_INDENT = "      "
_WIDEST_NAME, _NARROWEST_TEXT = 16, 24


def rendered(report: Report, width: int | None = None) -> str:
    """Return the table for a terminal of *width* columns, by default this one's."""
    width = width or shutil.get_terminal_size().columns
    lines = [line for check in report.checks for line in _lines(check, width)]
    return "\n".join((*lines, "", *_summary(report)))


def _lines(check: Check, width: int) -> Iterator[str]:
    """Yield the value of a check and where it comes from, then the way out, wrapped."""
    head = f"{check.verdict:<6}{check.name:<{_WIDEST_NAME}}  "
    indent = " " * (len(_INDENT) + _WIDEST_NAME + 2)
    source = f"  [{check.source}]" if check.source else ""
    texts = [(head, check.value + source), (indent, f"-> {check.hint}" if check.hint else "")]
    for start, text in texts:
        for line in textwrap.wrap(
            text,
            max(width, len(indent) + _NARROWEST_TEXT),
            initial_indent=start,
            subsequent_indent=indent,
            break_long_words=False,  # a path stays whole
            break_on_hyphens=False,
        ):
            mark = click.style(check.verdict, fg=_COLORS[check.verdict])
            yield line if line.startswith(" ") else mark + line[len(check.verdict) :]


def _summary(report: Report) -> Iterator[str]:
    for verdict, word in (("fail", "Failed"), ("warn", "To look at")):
        names = dict.fromkeys(each.name for each in report.checks if each.verdict == verdict)
        if names:
            yield click.style(f"{word}: {', '.join(names)}.", fg=_COLORS[verdict])
    if all(check.verdict == "ok" for check in report.checks):
        yield click.style("Everything is in order.", fg="green")
