"""`todo`: a complete command line program, with everything that click-auth gives it."""

# --8<-- [start:readme]
import os

import click

from click_auth import Auth, OAuthProvider, attach_login, attach_logout, attach_status, attach_token

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


@click.group()
def cli() -> None:
    """Keep track of things to do."""


@attach_login(auth)
@attach_logout(auth)
@attach_status(auth)
@attach_token(auth)
@cli.group("auth")
def auth_group() -> None:
    """Log in and out."""


@cli.command()
@auth.user_option
def tasks() -> None:
    """List open tasks."""
    with auth.client() as api:
        for task in api.get("/tasks", params={"done": "false"}).raise_for_status().json():
            click.echo(f"{task['id']:>3}  {task['title']}")


# --8<-- [end:readme]

from http import HTTPStatus  # noqa: E402 - the block above is the README's, whole
from typing import TYPE_CHECKING  # noqa: E402

from click_auth import attach_all  # noqa: E402

if TYPE_CHECKING:
    import httpx

# The commands whose names are still free: account, refresh and doctor.
attach_all(auth)(auth_group)


@cli.command()
@click.argument("title")
@auth.user_option
@auth.pass_client
def add(api: "httpx.Client", title: str) -> None:
    """Add a task."""
    task = api.post("/tasks", json={"title": title}).raise_for_status().json()
    click.echo(f"Added {task['id']}: {task['title']}")


@cli.command()
@click.argument("number", metavar="ID", type=int)
@auth.user_option
@auth.pass_client
def done(api: "httpx.Client", number: int) -> None:
    """Mark a task as done."""
    response = api.post(f"/tasks/{number}/done")
    if response.status_code == HTTPStatus.NOT_FOUND:
        raise click.ClickException(f"There is no task {number}.")
    click.echo(f"Done: {response.raise_for_status().json()['title']}")


if __name__ == "__main__":
    cli(prog_name="todo")
