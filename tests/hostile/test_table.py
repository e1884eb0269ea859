"""The table in docs/hostile.md speaks of tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
TABLE = TESTS.parent / "docs" / "hostile.md"
ROWS = re.compile(r"^\| ([A-Z]{2}-\d\d) \| (.*) \| (.*) \|$", re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


@pytest.mark.skipif(not TABLE.exists(), reason="only in a checkout")
def test_every_row_names_tests_that_exist() -> None:
    """A test that is renamed takes its row along; a row without one says why."""
    rows = ROWS.findall(TABLE.read_text("utf-8"))
    assert len(rows) > 120
    for row, shown, remark in rows:
        named = NAMED.findall(shown)
        assert named or "not covered: " in remark, row
        for path, name in named:
            assert f"def {name}(" in (TESTS / path).read_text("utf-8"), (row, path, name)
