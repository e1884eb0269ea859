"""The `git-credential` command: git's credential helper protocol (gitcredentials(7))."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from click_auth.commands.application import account_options
from click_auth.console.console import Console, echo
from click_auth.errors import AuthError
from click_auth.http.urls import origin

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from click_auth.commands.command import Parts
    from click_auth.operations import Operations
    from click_auth.providers import Provider

_MOST_LINES = 100


def build(auth: Operations, *, hosts: Iterable[str], username: str) -> Parts:
    """Return what `git-credential` does, and its options."""
    allowed = {_origin(host) for host in hosts}

    def git_credential(_: Console, *, operation: str) -> None:
        """Act as a Git credential helper (run by Git)."""
        asked = read_attributes(sys.stdin.buffer)
        ours = {*allowed, _origin(_provider(auth).api_url or "")} - {None}
        if asked.get("protocol") != "https" or _origin(asked.get("host", "")) not in ours:
            return
        if operation == "erase":
            with contextlib.suppress(AuthError):  # git has nobody to tell
                auth.access_token(rejected=asked.get("password"))
        elif operation == "get":
            bundle = auth.credential().bundle()
            answer = {"username": asked.get("username", username), "password": bundle.access_token}
            if bundle.expires_at is not None:
                answer["password_expiry_utc"] = str(int(bundle.expires_at.timestamp()))
            for key, value in answer.items():
                echo(f"{key}={value}", err=False)

    operation = click.Argument(["operation"], metavar="get|store|erase")
    return git_credential, [*account_options(auth), operation]


def _provider(auth: Operations) -> Provider:
    """Return the provider of the credential that applies; of the service, where none does."""
    with contextlib.suppress(AuthError):
        return auth.credential().provider
    return auth.context.provider(auth.context.instance(auth.resolve()[1]))


def read_attributes(stream: BinaryIO) -> dict[str, str]:
    """Return what git says, up to an empty line or its end: `key=value`, the last one wins.

    A path may be in any encoding, whatever the locale says.
    """
    said: dict[str, str] = {}
    for _ in range(_MOST_LINES):
        line = stream.readline().decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            break
        key, _, value = line.partition("=")
        said[key] = value
    return said


def _origin(host: str) -> str | None:
    """Return the origin of a URL, or of a host name as https; None where it is neither."""
    with contextlib.suppress(ValueError):
        return origin(host if "://" in host else f"https://{host}")
    return None
