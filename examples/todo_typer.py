"""`todo` once more, made with Typer: the same commands, the same `auth` group."""

# --8<-- [start:readme]
import os
from typing import Annotated

import typer

from click_auth import Auth, OAuthProvider
from click_auth.typer import UserOption, mount

auth = Auth(
    "todo",  # config folder, keyring service, TODO_TOKEN, TODO_ACCOUNT
    OAuthProvider(
        client_id="todo-cli",
        issuer=os.environ.get("TODO_ISSUER", "https://id.todo.example"),
        scopes=("tasks:read", "tasks:write", "offline_access"),
        api_url=os.environ.get("TODO_API_URL", "https://api.todo.example"),
        identify=lambda api: api.get("/me").raise_for_status().json(),
    ),
)

app = typer.Typer(help="Keep track of things to do.")
mount(app, auth)


@app.command()
def tasks(user: Annotated[str | None, UserOption(auth)] = None) -> None:
    """List open tasks."""
    with auth.client() as api:  # the client of `user`
        for task in api.get("/tasks", params={"done": "false"}).raise_for_status().json():
            typer.echo(f"{task['id']:>3}  {task['title']}")


# --8<-- [end:readme]

from http import HTTPStatus  # noqa: E402 - the block above is shown whole

import httpx  # noqa: E402


@app.command()
@auth.pass_client
def add(
    api: httpx.Client, title: str, user: Annotated[str | None, UserOption(auth)] = None
) -> None:
    """Add a task."""
    task = api.post("/tasks", json={"title": title}).raise_for_status().json()
    typer.echo(f"Added {task['id']}: {task['title']}")


@app.command()
@auth.pass_client
def done(
    api: httpx.Client, number: int, user: Annotated[str | None, UserOption(auth)] = None
) -> None:
    """Mark a task as done."""
    response = api.post(f"/tasks/{number}/done")
    if response.status_code == HTTPStatus.NOT_FOUND:
        typer.echo(f"There is no task {number}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Done: {response.raise_for_status().json()['title']}")


if __name__ == "__main__":
    app(prog_name="todo")
