"""The CLI that is measured: the one of the README, at the server that the benchmark started."""

import os

import click

from click_auth import Auth, OAuthProvider

auth = Auth(
    "todo",
    OAuthProvider(
        client_id="todo-cli",
        issuer=os.environ["ISSUER"],
        scopes=("tasks:read", "offline_access"),
        api_url=os.environ["API_URL"],
        identify=lambda api: api.get("/me").raise_for_status().json(),
    ),
)


@click.group()
def cli() -> None:
    """Keep track of things to do."""


cli.add_command(auth.group())


@cli.command()
@auth.user_option
def tasks() -> None:
    """List open tasks."""
    with auth.client() as api:
        for task in api.get("/tasks").json():
            click.echo(task["title"])


if __name__ == "__main__":
    cli(prog_name="todo")
