"""The same `auth` commands on a `typer.Typer`, whether it runs on Click or on a copy of its own.

Typer 0.16 to 0.25 run on Click; from 0.26 on Typer brings a private copy of it. Help, completion
and usage errors are Typer's own; what a command does is done by the Click command behind it.
"""

from __future__ import annotations

try:
    import typer as _typer  # noqa: F401 - told apart from a fault further down
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "click_auth.typer needs Typer: install click-auth[typer]", name="typer"
    ) from None

from click_auth.typer.mounting import mount as mount
from click_auth.typer.options import InstanceOption as InstanceOption
from click_auth.typer.options import UserOption as UserOption

__all__ = ["InstanceOption", "UserOption", "mount"]
