"""`todo` as a process of its own, over the folder of a test."""

from __future__ import annotations

import os

import click

from click_auth import Auth, OAuthProvider

auth = Auth(
    "todo",
    OAuthProvider(
        client_id="todo-cli",
        issuer=os.environ["ISSUER"],
        scopes=("tasks:read", "offline_access"),
        api_url=os.environ["API"],
        identify=lambda api: api.get("/me").raise_for_status().json(),
    ),
    storage="plaintext",
    folder=os.environ["FOLDER"],
)

if __name__ == "__main__":
    click.Group("todo", commands=[auth.group()])(prog_name="todo")
