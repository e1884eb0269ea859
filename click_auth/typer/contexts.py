"""A real context of Click's beside each of Typer's own."""

from __future__ import annotations

from typing import Any

import click
import typer
from typer.core import TyperCommand

VENDORED: bool = not issubclass(TyperCommand, click.Command)
"""Whether this Typer (0.26 and later) has a Click of its own."""


class MirroredContext(typer.Context):
    """A context of Typer's with a real one beside it, entered and left with it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        above = getattr(self.parent, "mirror", None)
        command: Any = self.command  # no Command of Click's, and only looked at
        self.mirror: click.Context = click.Context(
            command,
            parent=above,
            info_name=self.command_path if above is None else self.info_name,
            obj=self.obj,
            help_option_names=self.help_option_names,
        )
        self.mirror.params = self.params

    def __enter__(self) -> Any:
        self.mirror.__enter__()
        return super().__enter__()

    def __exit__(self, *error: object) -> Any:
        swallowed = super().__exit__(*error)
        return self.mirror.__exit__(*error) or swallowed


Context: Any = MirroredContext if VENDORED else TyperCommand.context_class
"""The class of contexts for commands whose code may use this library."""


def mirror_contexts(commands: Any) -> None:
    """Give *commands*, and those below them, contexts that the library finds."""
    for command in commands:
        command.context_class = Context
        mirror_contexts(getattr(command, "commands", {}).values())
