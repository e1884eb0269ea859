"""Click and one JSON file: the least that a command which says who is logged in can cost."""

import json
import os
from pathlib import Path

import click


@click.command()
def status() -> None:
    """Say who is logged in."""
    content = json.loads(Path(os.environ["RECORDS"]).read_text(encoding="utf-8"))
    click.echo(content["accounts"][content["default"]]["account"]["label"])


if __name__ == "__main__":
    status()
