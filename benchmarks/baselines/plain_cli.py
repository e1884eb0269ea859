"""The same commands without click-auth: what the CLI costs that has no authentication yet."""

import click


@click.group()
def cli() -> None:
    """Keep track of things to do."""


@cli.group()
def auth() -> None:
    """Log in and out."""


@auth.command()
@click.option("--user")
def login(user: str | None) -> None:
    """Log in."""


@auth.command()
@click.option("--user")
def logout(user: str | None) -> None:
    """Log out."""


@auth.command()
@click.option("--user")
def status(user: str | None) -> None:
    """Say who is logged in."""


@auth.command()
@click.option("--user")
def token(user: str | None) -> None:
    """Print the token."""


@cli.command()
@click.option("--user")
def tasks(user: str | None) -> None:
    """List open tasks."""


if __name__ == "__main__":
    cli(prog_name="todo")
