"""Paired measurements of whole processes: A B A B, so that a busy moment falls on both."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Around = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Sample:
    """What one process cost: CPU and wall time in milliseconds, peak memory in MiB."""

    cpu: float
    wall: float
    memory: float


@dataclass(frozen=True)
class Program:
    """A command to measure. `reports`: it prints {"cpu", "wall"} in ms for what counts.

    What happens in the world while it runs, and what must have, is `around` it.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    reports: bool = False
    around: Around = nullcontext

    def sample(self) -> Sample:
        """Run it once and return what it cost."""
        cost = self.run()
        own = json.loads(cost["stdout"]) if self.reports else cost
        return Sample(own["cpu"], own["wall"], cost["memory"])

    def run(self) -> dict[str, Any]:
        """Run it once; raise RuntimeError when it fails: a failure is fast and proves nothing."""
        order = {
            "command": list(self.command),
            "environment": dict(self.environment),
            "folder": str(self.folder),
        }
        with self.around():
            cost = ask_launcher(order)
            if cost["code"]:
                raise RuntimeError(f"{' '.join(self.command)} failed: {cost['stderr']}")
        return cost


@cache
def launcher() -> subprocess.Popen[str]:
    """Return the small process that starts and measures all others; it ends with this one."""
    command = [sys.executable, "-IS", str(Path(__file__).with_name("launcher.py"))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask_launcher(order: dict[str, Any]) -> dict[str, Any]:
    """Have one process measured and return its cost."""
    process = launcher()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    cost: dict[str, Any] = json.loads(process.stdout.readline())
    return cost


@dataclass(frozen=True)
class Row:
    """One line of the table: a program, what it is compared with, and the ratio to reach."""

    what: str
    against: str
    subject: Program
    baseline: Program
    goal: float
    quantity: Callable[[Sample], float]

    def measure(self, rounds: int) -> Result:
        """Run both, in turn, after one run of each that does not count."""
        self.subject.sample()
        self.baseline.sample()
        pairs = [(self.subject.sample(), self.baseline.sample()) for _ in range(rounds)]
        return Result(self, [pair[0] for pair in pairs], [pair[1] for pair in pairs])


@dataclass(frozen=True)
class Result:
    """What the rounds of a row gave."""

    row: Row
    subjects: Sequence[Sample]
    baselines: Sequence[Sample]

    @property
    def ratio(self) -> float:
        """The medians' ratio in the quantity that the row is about."""
        return self.median(self.subjects) / self.median(self.baselines)

    def median(self, samples: Sequence[Sample]) -> float:
        """Return the median of the quantity that the row is about."""
        return statistics.median(self.row.quantity(sample) for sample in samples)

    def line(self) -> str:
        """Return the row as Markdown."""
        met = "met" if self.ratio <= self.row.goal else "**missed**"
        cells = [
            self.row.what,
            self.row.against,
            f"{self.ratio:.2f} x",
            f"<= {self.row.goal:.2f} x",
            met,
            spread([sample.cpu for sample in self.subjects]),
            spread([sample.cpu for sample in self.baselines]),
            spread([sample.wall for sample in self.subjects]),
            spread([sample.wall for sample in self.baselines]),
            f"{statistics.median(sample.memory for sample in self.subjects):.0f}",
            f"{statistics.median(sample.memory for sample in self.baselines):.0f}",
        ]
        return f"| {' | '.join(cells)} |"


HEADER = """\
| what | against | ratio | goal | | CPU ms | other's | wall ms | other's | MiB | other's |
|---|---|---|---|---|---|---|---|---|---|---|"""


def spread(values: Sequence[float]) -> str:
    """Return the median and, in brackets, the least and the greatest."""
    return f"{statistics.median(values):.0f} [{min(values):.0f}-{max(values):.0f}]"
