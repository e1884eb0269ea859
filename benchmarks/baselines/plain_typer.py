"""A Typer application without click-auth: what Typer and its help cost by themselves."""

from typing import Annotated, Optional

import typer

app = typer.Typer(help="Keep track of things to do.")


@app.command()
def tasks(user: Annotated[Optional[str], typer.Option(metavar="REF")] = None) -> None:  # noqa: UP045
    """List open tasks."""


@app.command()
def add(title: str) -> None:
    """Add a task."""


if __name__ == "__main__":
    app(prog_name="todo")
