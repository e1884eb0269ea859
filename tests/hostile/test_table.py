"""The table in README.md speaks of tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
TABLE = Path(__file__).with_name("README.md")
ROWS = re.compile(r"^\| ([A-Z]{2}-\d\d) \| (.*) \| (.*) \|$", re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def test_every_row_names_tests_that_exist() -> None:
    """A test that is renamed takes its row along; a row without one says why."""
    rows = ROWS.findall(TABLE.read_text("utf-8"))
    assert len(rows) > 120
    for row, shown, remark in rows:
        named = NAMED.findall(shown)
        assert named or "not covered: " in remark, row
        for path, name in named:
            assert f"def {name}(" in (TESTS / path).read_text("utf-8"), (row, path, name)
