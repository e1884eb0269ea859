"""A Typer application with our commands mounted, to be compared with baselines/plain_typer.py."""

from typing import Annotated, Optional

import typer

from click_auth import Auth, OAuthProvider
from click_auth.typer import UserOption, mount

auth = Auth(
    "todo",
    OAuthProvider(
        client_id="todo-cli", issuer="https://id.todo.example", api_url="https://x.todo.example"
    ),
)
app = typer.Typer(help="Keep track of things to do.")
mount(app, auth)


@app.command()
def tasks(user: Annotated[Optional[str], UserOption(auth)] = None) -> None:  # noqa: UP045
    """List open tasks."""


@app.command()
def add(title: str) -> None:
    """Add a task."""


if __name__ == "__main__":
    app(prog_name="todo")
