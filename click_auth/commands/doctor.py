"""The `doctor` command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click_auth.commands.command import Parts
    from click_auth.console.console import Console
    from click_auth.operations import Operations


def build(auth: Operations) -> Parts:
    """Return what `doctor` does, and its options."""

    def doctor(console: Console) -> None:
        """Diagnose login problems (read-only)."""
        report = auth.doctor()
        rows = [check.to_json() for check in report.checks]
        console.result(report.to_json, report.render(), rows)
        click.get_current_context().exit(0 if report.ok else 1)

    return doctor, []
