"""The `doctor` command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from click_auth.commands.attaching import G, attach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click_auth.console.console import Console
    from click_auth.operations import Operations


def attach_doctor(
    auth: Operations,
    name: str = "doctor",
    *,
    cls: type[click.Command] | None = None,
    params: Sequence[click.Parameter] = (),
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `doctor` to a group. The arguments are as for `attach_login`."""

    def doctor(output: Console, **_: Any) -> None:
        """Check everything that logging in depends on; change nothing."""
        from click_auth.commands.doctor_body import rendered  # noqa: PLC0415 - the edge

        report = auth.doctor()
        rows = [check.to_json() for check in report.checks]
        output.result(report.to_json, rendered(report), rows)
        click.get_current_context().exit(0 if report.ok else 1)

    return attach(auth, name, doctor, [], cls=cls, params=params, **attrs)
