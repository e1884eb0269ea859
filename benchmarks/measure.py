"""Paired measurements of whole processes: A B A B, so that a busy moment falls on both."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """What one process cost: CPU and wall time in milliseconds, peak memory in MiB."""

    cpu: float
    wall: float
    memory: float


@dataclass(frozen=True)
class Program:
    """A command to measure. `reports`: it prints {"cpu", "wall"} in ms for what counts."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    reports: bool = False

    def sample(self) -> Sample:
        """Run it once; raise RuntimeError when it fails: a failure is fast and proves nothing."""
        started = time.perf_counter()
        process = subprocess.Popen(
            self.command,
            env=dict(self.environment),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        stdout, stderr = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = (time.perf_counter() - started) * 1000
        process.stdout.close()
        process.stderr.close()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(self.command)} failed: {stderr.decode()}")
        memory = usage.ru_maxrss / 1024
        if self.reports:
            own = json.loads(stdout)
            return Sample(own["cpu"], own["wall"], memory)
        return Sample((usage.ru_utime + usage.ru_stime) * 1000, wall, memory)


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
