"""The doctor's report: its checks, each bounded in time, and how they look on a terminal."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from click_auth.console.text import printable, wrap
from click_auth.errors import place_of
from click_auth.interrupts import TimedOut, call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Verdict = Literal["ok", "warn", "fail"]

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}
_NARROWEST_NAME, _NARROWEST_TEXT = 16, 30
_SHORT_INDENT = " " * len("warn  ")


@dataclass(frozen=True)
class Check:
    """One line of `doctor`: a value, where it comes from, and what to think of it."""

    name: str
    value: str
    source: str
    verdict: Verdict = "ok"
    hint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return `{"name", "value", "source", "verdict", "hint"}`."""
        return dict(vars(self))


@dataclass(frozen=True)
class Report:
    """What `doctor` found."""

    checks: tuple[Check, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(check.verdict != "fail" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return `{"ok", "checks"}`."""
        return {"ok": self.ok, "checks": [check.to_json() for check in self.checks]}

    def render(self, width: int | None = None) -> str:
        """Return the table for a terminal of *width* columns, by default this one's."""
        width = width or shutil.get_terminal_size().columns or 80
        widest = max((_NARROWEST_NAME, *(len(check.name) for check in self.checks)))
        lines = [line for check in self.checks for line in _lines(check, width, widest)]
        return "\n".join((*lines, "", *_summary(self, width)))


def run_check(
    name: str, look: Callable[[], Iterable[Check]], seconds: float, source: str = ""
) -> list[Check]:
    """Return the checks that *look* yields, and a failing one if it raises or takes too long.

    That one has *source*: an exception does not know it.
    """
    found: list[Check] = []
    try:
        call_with_timeout(lambda: found.extend(look()), seconds)
    except TimedOut:
        found.append(Check(name, "check timed out", source, "fail"))
    except click.ClickException as error:
        found.append(report_error(name, error, source))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        found.append(Check(name, f"check failed ({_cause(error)})", source, "fail"))
    return found


def report_error(
    name: str, error: click.ClickException, source: str = "", verdict: Verdict = "fail"
) -> Check:
    """Return the check of an error that says itself what is wrong, and the way out."""
    hint = " ".join(getattr(error, "hints", ())) or None
    return Check(name, error.message, source, verdict, hint)


def advise(name: str, value: str, source: str, hint: str | None) -> Check:
    """Return a warning where there is a *hint*, else a check that is fine."""
    return Check(name, value, source, "warn" if hint else "ok", hint)


def _cause(error: Exception) -> str:
    """Return where an exception came from and not what it says, which may be a secret."""
    if isinstance(error, OSError) and error.filename:
        return printable(f"{error.filename}: {error.strerror}")
    return f"{type(error).__name__} at {place_of(error)}"


def _lines(check: Check, width: int, widest: int) -> Iterator[str]:
    """Yield the value of a check and where it comes from, then the way out, wrapped.

    Where the terminal is narrow the name has a line of its own.
    """
    column = _SHORT_INDENT + " " * (widest + 2)
    indent = column if width >= len(column) + _NARROWEST_TEXT else _SHORT_INDENT
    mark = click.style(f"{check.verdict:<4}", fg=_COLORS[check.verdict])
    head = f"{mark}  {check.name:<{widest}}  "
    source = f" [{check.source}]" if check.source else ""
    texts = [check.value + source, *([f"-> {check.hint}"] if check.hint else [])]
    room = max(width - len(indent), _NARROWEST_TEXT // 2)
    rows = [line for text in texts for line in wrap(text, room).split("\n")]
    yield head + rows.pop(0) if indent == column else head.rstrip()
    yield from (indent + row for row in rows)


def _summary(report: Report, width: int) -> Iterator[str]:
    for verdict, word in (("fail", "Failed"), ("warn", "Warnings")):
        names = dict.fromkeys(each.name for each in report.checks if each.verdict == verdict)
        if names:
            yield click.style(wrap(f"{word}: {', '.join(names)}.", width), fg=_COLORS[verdict])
    if all(check.verdict == "ok" for check in report.checks):
        yield click.style("No problems found.", fg="green")
