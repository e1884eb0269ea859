"""What operations return, and what hooks receive. Frozen; `to_json()` is what `--json` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["ok", "warn", "fail"]


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
