"""The example runs, and draws who refreshed when."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet.py"


def test_the_example() -> None:
    """Four workers, one refresh for each expiry, nothing spent twice."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=True
    )
    assert len(re.findall(r"^machine [ab], worker [12] \|", done.stdout, re.MULTILINE)) == 4
    requests = re.search(r"(\d+) refreshes, 0 of them with a spent token", done.stdout)
    assert requests is not None
    assert int(requests[1]) >= 2
