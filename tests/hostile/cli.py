"""`todo` under the worst of circumstances: it logs whatever anybody logs, at DEBUG."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import click

from click_auth import Auth, OAuthProvider
from stores.children import without_privileges

if "HOSTILE_UNPRIVILEGED" in os.environ:
    exec(without_privileges)

issuer, api_url = os.environ["HOSTILE_ISSUER"], os.environ["HOSTILE_API"]
if "HOSTILE_LOG" in os.environ:
    handlers = [logging.FileHandler(os.environ["HOSTILE_LOG"]), logging.StreamHandler(sys.stderr)]
    logging.basicConfig(level=logging.DEBUG, handlers=handlers)


def identify(api: Any) -> Any:
    """Ask who it is, or meet a bug of the application's own."""
    if "HOSTILE_BUG" in os.environ:
        raise KeyError("an application's bug")
    return api.get("/me").raise_for_status().json()


auth = Auth(
    "todo",
    OAuthProvider(
        client_id=os.environ.get("HOSTILE_CLIENT", "todo-cli") or None,
        client_secret=os.environ.get("HOSTILE_SECRET"),
        issuer=issuer,
        scopes=tuple(os.environ.get("HOSTILE_SCOPES", "tasks:read openid").split()),
        api_url=api_url,
        identify=identify,
        http_timeout=float(os.environ.get("HOSTILE_TIMEOUT", "10")),
    ),
    storage=os.environ.get("HOSTILE_STORAGE", "system"),
)


@click.group()
def cli() -> None:
    """Keep track."""


cli.add_command(auth.group())


@cli.command()
def me() -> None:
    """Ask the service who it is."""
    with auth.client() as api:
        click.echo(api.get("/me").status_code)


if __name__ == "__main__":
    cli(prog_name="todo")
