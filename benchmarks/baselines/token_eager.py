"""The five dependencies put together in the usual way: imported at the top, all used in order."""

import json
import os
import time
from pathlib import Path

import click
import httpx
import keyring
import portalocker
import pydantic


class Record(pydantic.BaseModel):
    """What is known of one account."""

    account: dict[str, object]
    access_token_expires_at: float | None
    generation: int


def record() -> Record:
    """Read the default account's record under a lock."""
    path = Path(os.environ["RECORDS"])
    with portalocker.Lock(path, "r", flags=portalocker.LOCK_SH) as file:
        content = json.load(file)
    return Record.model_validate(content["accounts"][content["default"]])


@click.command()
def token() -> None:
    """Print the token, refreshed first when it is old."""
    found = record()
    if found.access_token_expires_at is not None and found.access_token_expires_at < time.time():
        httpx.post(os.environ["ISSUER"] + "/token").raise_for_status()
    click.echo(keyring.get_password("todo/" + os.environ["SLOT"], os.environ["SLOT"]), nl=False)


if __name__ == "__main__":
    token()
