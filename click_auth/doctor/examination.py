"""One examination: if it hangs or raises, that is a failing line, and the others go on."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import TYPE_CHECKING

import click

from click_auth.console.text import printable
from click_auth.results import Check, Verdict
from click_auth.timeouts import TimedOut, call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def examined(
    name: str, look: Callable[[], Iterable[Check]], seconds: float, source: str = ""
) -> list[Check]:
    """Return the checks that *look* yields, and a failing one if it raises or takes too long.

    That one has *source*: an exception does not know it.
    """
    found: list[Check] = []
    try:
        call_with_timeout(lambda: found.extend(look()), seconds)
    except TimedOut:
        return [*found, Check(name, "could not be checked in time", source, "fail")]
    except click.ClickException as error:
        found.append(refused(name, error, source=source))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        found.append(Check(name, f"could not be checked ({_cause(error)})", source, "fail"))
    return found


def refused(
    name: str, error: click.ClickException, verdict: Verdict = "fail", source: str = ""
) -> Check:
    """Return the check of an error that says itself what is wrong, and the way out."""
    hint = " ".join(getattr(error, "hints", ())) or None
    return Check(name, error.message, source, verdict, hint)


def worth_a_look(name: str, value: str, source: str, hint: str | None) -> Check:
    """Return a warning where there is a *hint*, else a check that is fine."""
    return Check(name, value, source, "warn" if hint else "ok", hint)


def _cause(error: Exception) -> str:
    """Return where an exception came from and not what it says, which may be a secret."""
    if isinstance(error, OSError) and error.filename:
        return printable(f"{error.filename}: {error.strerror}")
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {PurePath(last.filename).name}:{last.lineno}"
