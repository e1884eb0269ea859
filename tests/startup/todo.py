"""A CLI that says on stderr, when it ends, what its command has loaded, opened and asked for."""

import json
import os
import sys

opened: list[str] = []
read = 0


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Note each file of ours that is opened."""
    if event == "open" and str(arguments[0]).startswith(os.environ["TODO_CONFIG_DIR"]):
        opened.append(os.path.basename(str(arguments[0])))  # noqa: PTH119 - pathlib is watched for


sys.addaudithook(watch)

import click  # noqa: E402 - what it loads is not ours

with_click = set(sys.modules)

from click_auth import Auth, OAuthProvider  # noqa: E402

auth = Auth(
    "todo",
    OAuthProvider(client_id="todo-cli", issuer="https://id.todo.example", api_url="https://x.y"),
)


@click.group()
def cli() -> None:
    """Keep track of things to do."""


cli.add_command(auth.group())


@cli.command()
@auth.user_option
def tasks() -> None:
    """List open tasks."""
    auth.client().close()


asked: list[str] = []


def report() -> None:
    """Say what it took."""
    loaded = sorted(set(sys.modules) - with_click)
    print(json.dumps({"loaded": loaded, "opened": opened, "asked": asked}), file=sys.stderr)


if __name__ == "__main__":
    try:
        if os.environ.get("BACKEND") == "counted":
            module = type(sys)("click_auth.stores.secret_service")  # jeepney need not be there
            module.read_secret = lambda service, user, *_: asked.append(user) or "access-1"  # type: ignore[attr-defined,func-returns-value]
            sys.modules[module.__name__] = module
        cli(prog_name="todo")
    finally:
        report()
