"""A login inside the command that needs it: asked for once, and by one process at a time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from click_auth.console import console
from click_auth.defaults import LOGIN_TIMEOUT
from click_auth.errors import NotLoggedIn
from click_auth.locks.account_lock import LockBusy, account_lock, lock_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.context import Context

_LOCK = "login-on-demand"
_MARGIN_SECONDS = 60.0


def log_in_on_demand(
    context: Context, check: Callable[[], None], log_in: Callable[[], object]
) -> None:
    """Ask the person, and *log_in*. Blocks.

    *check* raises `NotLoggedIn` while that is needed. Where another process logs in already, wait
    for what comes of that and take it as it is. Raises `NotLoggedIn` where nobody logs in.
    """
    try:
        with lock_timeout(0.0), account_lock(context.folder, _LOCK):
            _ask(check, log_in)
    except LockBusy:
        console.current().say("Another process is logging in. Waiting for it.")
        with lock_timeout(LOGIN_TIMEOUT + _MARGIN_SECONDS), account_lock(context.folder, _LOCK):
            check()


def _ask(check: Callable[[], None], log_in: Callable[[], object]) -> None:
    try:
        check()  # another process may just have done it
    except NotLoggedIn as error:
        click.echo(f"{error.message} Log in now? [Y/n] ", nl=False, err=True)
        if sys.stdin.readline().lower() not in ("\n", "y\n", "yes\n"):  # its end is no yes
            raise
        log_in()
