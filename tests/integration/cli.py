"""The CLI of a made-up to-do service whose authorization server is oidc-provider."""

from __future__ import annotations

import json
import os

import click

from click_auth import Auth, OAuthProvider

ISSUER = os.environ["ISSUER"]

# PROVIDER: arguments of OAuthProvider as JSON, for a test that needs others.
arguments = {
    "client_id": "todo-cli",
    "issuer": ISSUER,
    "scopes": ("openid", "offline_access"),
    # Without it oidc-provider leaves offline_access out, and says nothing.
    "authorize_params": {"prompt": "consent"},
    "api_url": ISSUER,
    **json.loads(os.environ.get("PROVIDER", "{}")),
}
auth = Auth("todo", OAuthProvider(**arguments))


@click.group()
def cli() -> None:
    """Keep track of things to do."""


cli.add_command(auth.group())


@cli.command()
@auth.user_option
def me() -> None:
    """Say who the service thinks is asking."""
    with auth.client() as api:
        click.echo(api.get("/me").raise_for_status().json()["sub"])


if __name__ == "__main__":
    cli(prog_name="todo")
