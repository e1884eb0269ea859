"""`todo` with a command that logs in where it has to."""

from __future__ import annotations

import os

import click

from click_auth import Auth, OAuthProvider

auth = Auth(
    "todo",
    OAuthProvider(
        client_id="todo-cli",
        issuer=os.environ["ISSUER"],
        scopes=("tasks:read", "offline_access"),
        api_url=os.environ["API"],
        identify=lambda api: api.get("/me").raise_for_status().json(),
    ),
    storage="plaintext",
    folder=os.environ["FOLDER"],
)
cli = click.Group("todo", commands=[auth.group()])


@cli.command()
@auth.required(login=True)
def tasks() -> None:
    """List tasks."""
    with auth.client() as api:
        click.echo(f"tasks of {api.get('/me').json()['id']}")


if __name__ == "__main__":
    cli(prog_name="todo")
