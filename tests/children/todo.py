"""`todo` with what other programs use: `run`, `token` and a credential helper for git."""

from __future__ import annotations

import os

import click

from click_auth import Auth, OAuthProvider, attach_all, attach_git_credential, attach_run

API = os.environ.get("CHILDREN_API", "https://git.todo.example")
auth = Auth(
    "todo",
    OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint="https://id.todo.example/authorize",
        token_endpoint="https://id.todo.example/token",
        api_url=API,
    ),
    storage="plaintext",
)


@attach_all(auth)
@attach_run(auth)
@attach_git_credential(auth, hosts=["code.todo.example:8443", "http://plain.todo.example"])
@click.group("auth")
def group() -> None:
    """Log in and out."""


if __name__ == "__main__":
    click.Group("todo", commands=[group])(prog_name="todo")
