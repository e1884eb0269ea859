"""Examinations side by side: one that hangs or raises is a failing line, and holds up no other."""

from __future__ import annotations

import threading
import time
import traceback
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from click_auth.errors import AuthError
from click_auth.results import Check
from click_auth.voice import Voice, current, speaking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Examination = Callable[[], Iterable[Check]]

_POLL_SECONDS = 0.2  # Windows delivers Ctrl-C only between waits


def together(examinations: Sequence[tuple[str, Examination]], seconds: float) -> list[Check]:
    """Return the checks of all *examinations*, in their order, within *seconds*."""
    deadline = time.monotonic() + seconds
    running = [_Running(name, examination) for name, examination in examinations]
    for each in running:
        threading.Thread(target=each.run, name=f"doctor {each.name}", daemon=True).start()
    return [check for each in running for check in each.checks(deadline)]


def trouble(name: str, error: AuthError, source: str = "", **changes: Any) -> Check:
    """Return the failing check of an error that says itself what is wrong, and the way out."""
    hint = " ".join(error.hints) or None
    return Check(name, error.message, source, **{"verdict": "fail", "hint": hint, **changes})


class _Running:
    def __init__(self, name: str, examination: Examination) -> None:
        self.name = name
        self._examination = examination
        self._found: list[Check] = []
        self._done = threading.Event()
        self._voice = _Muffled(current())

    def run(self) -> None:
        try:
            with speaking(self._voice):
                for check in self._examination():
                    self._found.append(check)
        except AuthError as error:
            self._found.append(trouble(self.name, error))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._found.append(_accident(self.name, error))
        finally:
            self._done.set()

    def checks(self, deadline: float) -> list[Check]:
        while not self._done.wait(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0.0))):
            if time.monotonic() >= deadline:
                late = Check(self.name, "could not be checked in time", "", "fail")
                return [*self._found, late]
        return self._found


def _accident(name: str, error: BaseException) -> Check:
    """Return where an exception came from and not what it says, which may be a secret."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{PurePath(last.filename).name}:{last.lineno}"
    value = f"could not be checked ({type(error).__name__} at {place})"
    return Check(name, value, "", "fail", "Report this, with the lines around it.")


class _Muffled:
    """Says nothing of what people are told while they use what is looked at: the report does."""

    def __init__(self, outer: Voice) -> None:
        self.event = outer.event
        self.error = outer.error

    def say(self, text: str) -> None:
        del text

    def warn(self, text: str) -> None:
        del text
