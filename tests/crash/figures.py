"""What a run of kills found, in numbers: printed at the end of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from crash.place import Victim

Print = Callable[[object], None]


@dataclass
class Kills:
    """Processes that were started to die, and what came of it."""

    survived: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    in_window: Counter[str] = field(default_factory=Counter)

    def count(self, victim: Victim, found: str) -> None:
        """Count one victim, and what the next command said."""
        if not victim.killed:
            self.survived += 1
            return
        self.outcomes[found] += 1
        if found == "AUTH_REFRESH_EXPIRED":
            self.in_window[victim.where] += 1

    def __str__(self) -> str:
        lines = [f"{self.outcomes.total()} kills, then {_listed(self.outcomes) or 'nothing'}"]
        if self.survived:
            lines.append(f"{self.survived} had ended by then")
        if self.in_window:
            lines.append(f"lost in the window, last write begun: {_listed(self.in_window)}")
        return "; ".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
