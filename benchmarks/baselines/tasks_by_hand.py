"""One API call with a stored token: click, keyring and httpx."""

import os

import click
import httpx
import keyring


@click.command()
def tasks() -> None:
    """List open tasks."""
    token = keyring.get_password("todo/" + os.environ["SLOT"], os.environ["SLOT"])
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=os.environ["API_URL"], headers=headers) as api:
        for task in api.get("/tasks").json():
            click.echo(task["title"])


if __name__ == "__main__":
    tasks()
