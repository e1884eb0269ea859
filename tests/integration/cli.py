"""The CLI of a made-up to-do service whose authorization server is oidc-provider."""

from __future__ import annotations

import os

import click

from click_auth import Auth, OAuthProvider

ISSUER = os.environ["ISSUER"]

auth = Auth(
    "todo",
    OAuthProvider(
        client_id=os.environ.get("CLIENT_ID", "todo-cli"),
        client_secret=os.environ.get("CLIENT_SECRET"),
        issuer=ISSUER,
        scopes=("openid", "offline_access"),
        # Without it oidc-provider leaves offline_access out, and says nothing.
        authorize_params={"prompt": "consent"},
        api_url=ISSUER,
    ),
)


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
