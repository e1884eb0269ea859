"""The `run` command: another program, with an access token in its environment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from click_auth.commands.application import account_options
from click_auth.commands.command import option
from click_auth.commands.token import min_ttl_option
from click_auth.console.text import printable
from click_auth.errors import COMMAND_NOT_RUN, AuthError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from click_auth.commands.command import Parts
    from click_auth.console.console import Console
    from click_auth.operations import Operations

_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")


class NotExecutable(AuthError):
    """What is there is no program that can be run."""

    exit_code = 126
    default_code = COMMAND_NOT_RUN


class NotFound(NotExecutable):
    """There is no such program."""

    exit_code = 127


def build(auth: Operations) -> Parts:
    """Return what `run` does, and its options."""

    def run(_: Console, *, min_ttl: float, env: str | None, command: Sequence[str]) -> None:
        """Run a command with an access token in its environment."""
        variable = env or auth.context.environment.token_env
        if variable is None or "=" in variable:  # which no name of a variable has
            raise click.UsageError("Name the variable to set with --env.")
        token = auth.access_token(min_ttl=min_ttl)
        become(command, {**os.environ, variable: token})

    return run, [
        *account_options(auth),
        min_ttl_option(),
        option("--env", "Set this variable to the token instead.", metavar="NAME"),
        click.Argument(["command"], nargs=-1, required=True, type=click.UNPROCESSED),
    ]


def become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by *command*; on Windows, run it and exit as it does.

    Raises `AuthError` with the exit code of a shell where it cannot be run.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        if os.name == "nt":
            sys.exit(subprocess.run(command, env=environ, check=False).returncode)  # noqa: S603
        with contextlib.ExitStack() as undo:  # where nothing was run, this process goes on
            for each in _IGNORED_BY_PYTHON:  # what is ignored stays ignored in the new program
                with contextlib.suppress(ValueError):  # only the main thread has a say in signals
                    number = getattr(signal, each)
                    before = signal.signal(number, signal.SIG_DFL)
                    undo.callback(signal.signal, number, before or signal.SIG_DFL)
            os.execvpe(command[0], list(command), environ)  # noqa: S606 - no shell is wanted
    except (FileNotFoundError, ValueError):  # an empty name is a ValueError
        raise NotFound(f"{printable(command[0])}: command not found") from None
    except OSError as error:
        raise NotExecutable(f"{printable(command[0])}: {error.strerror}") from None
