"""The application's own group: where Click's errors end, and the mounted commands are found."""

from __future__ import annotations

from typing import Any

import click
import typer

from click_auth.errors import AuthError
from click_auth.typer.contexts import VENDORED, mirror_contexts
from click_auth.typer.native import LazyGroup


class Root(LazyGroup):
    """Ends errors of Click's, which Typer with a Click of its own does not know, as Click does."""

    _standalone = True

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        if VENDORED:
            mirror_contexts(self.commands.values())

    def main(self, *args: Any, **settings: Any) -> Any:
        """Remember whether errors are to be shown or raised."""
        self._standalone = settings.get("standalone_mode", True)
        return super().main(*args, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Run the application, and end it in Typer's language."""
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit as ended:
            raise typer.Exit(ended.exit_code) from None
        except click.Abort:
            raise typer.Abort from None
        except click.ClickException as error:
            if not self._standalone or not (VENDORED or isinstance(error, AuthError)):
                raise
            error.show()
            raise typer.Exit(error.exit_code) from None
