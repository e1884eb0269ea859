"""Everything that can go wrong, by what the reader does next.

::

    AuthError                 1
    ├── NotLoggedIn           4   log in
    ├── LoginFailed           1   try the login again, or another way of it
    ├── Unreachable           5   try again later
    ├── StorageUnavailable    6   unlock or repair the place where credentials live
    └── UsageError            2   say which account (one of Click's usage errors too)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

import click

from click_auth.console.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from click_auth.console.console import Console

NOT_AUTHENTICATED = "NOT_AUTHENTICATED"
REFRESH_EXPIRED = "AUTH_REFRESH_EXPIRED"
REFRESH_UNAVAILABLE = "AUTH_REFRESH_UNAVAILABLE"
REFRESH_TRANSIENT = "AUTH_REFRESH_TRANSIENT"
OAUTH_FAILED = "AUTH_OAUTH_FAILED"
CALLBACK_TIMEOUT = "AUTH_CALLBACK_TIMEOUT"
LOGIN_PENDING = "AUTH_LOGIN_PENDING"
PORT_BIND_FAILED = "AUTH_PORT_BIND_FAILED"
DCR_FAILED = "AUTH_DCR_FAILED"
TOKEN_EXCHANGE_FAILED = "AUTH_TOKEN_EXCHANGE_FAILED"  # noqa: S105 - the name of an error
STORE_READ_FAILED = "AUTH_STORE_READ_FAILED"
STORE_WRITE_FAILED = "AUTH_STORE_WRITE_FAILED"
ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND"
NO_ACCOUNT_SELECTED = "NO_ACCOUNT_SELECTED"
API_STATUS = "API_STATUS"
INSUFFICIENT_SCOPE = "AUTH_INSUFFICIENT_SCOPE"
BAD_SETTING = "AUTH_BAD_SETTING"
COMMAND_NOT_RUN = "AUTH_COMMAND_NOT_RUN"

_LONGEST_MESSAGE = 1000


class AuthError(click.ClickException):
    """The base of every error that click-auth raises on purpose.

    `message` is one inert line, `code` is stable and documented, each of `hints` is a sentence
    with a way out. No secret is ever in any of them.
    """

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "AUTH_ERROR"
    # Hints that many give.
    log_in_again: ClassVar[str] = "Log in again."
    try_again: ClassVar[str] = "Try again."
    try_later: ClassVar[str] = "Try again later."
    if_a_mistake: ClassVar[str] = "Nothing was stored. Log in again if that was a mistake."

    def __init__(self, message: str, *, code: str | None = None, hints: Iterable[str] = ()) -> None:
        super().__init__(printable(message, _LONGEST_MESSAGE))
        self.code: str = code or self.default_code
        self.hints: tuple[str, ...] = tuple(hints)
        self.console: Console | None = None

    def with_hints(self, hints: Sequence[str]) -> None:
        """Append further hints, once each."""
        self.hints += tuple(hint for hint in hints if hint not in self.hints)

    def format_message(self) -> str:
        """Return the message and its hints as the one line that a person reads."""
        return " ".join((self.message, *self.hints))

    def to_json(self) -> dict[str, Any]:
        """Return what `--json` prints on stderr."""
        return {"error": {"code": self.code, "message": self.message, "hints": list(self.hints)}}

    def show(self, file: Any = None) -> None:
        """Print the error on the console of the command that it ended."""
        if self.console is None:
            click.ClickException.show(self, file)
        else:
            self.console.error(self, self.to_json)


class NotLoggedIn(AuthError):
    """There is no usable credential: log in."""

    exit_code: ClassVar[int] = 4
    default_code: ClassVar[str] = NOT_AUTHENTICATED
    login_options: tuple[str, ...] = ()
    """What to log in with, as words of the command line."""

    def name_login(self, hint: str) -> None:
        """Put *hint*, which has the line to type, where there is none or a vaguer one."""
        named = tuple(hint if each == self.log_in_again else each for each in self.hints)
        self.hints: tuple[str, ...] = named or (hint,)


class LoginFailed(AuthError):
    """A login did not come about. Nothing was stored, an earlier session still works."""

    default_code: ClassVar[str] = OAUTH_FAILED


class Refused(LoginFailed):
    """The service does not take the credential when it is asked whose it is."""


class Unreachable(AuthError):
    """The server could not be asked, or gave no usable response. The tokens stay stored."""

    exit_code: ClassVar[int] = 5
    default_code: ClassVar[str] = REFRESH_TRANSIENT
    retry_after: float | None = None
    """For how many seconds the server wants to be left alone; None where it did not say."""


class AnswerLost(Unreachable):
    """The request may have been carried out, and no HTTP status came back."""


class StorageUnavailable(AuthError):
    """The keyring or the record file could not be read or written."""

    exit_code: ClassVar[int] = 6
    default_code: ClassVar[str] = STORE_READ_FAILED
    is_late: bool = False
    """Whether there only was no response in time: what was asked may be done yet."""


class Unwritable(StorageUnavailable):
    """A file or folder of ours cannot be written where it should lie: another folder would do."""

    default_code: ClassVar[str] = STORE_WRITE_FAILED


class StoreUnreachable(Unreachable, StorageUnavailable):
    """The place where several machines keep credentials cannot be reached now."""


class UsageError(AuthError, click.UsageError):
    """The account that was meant is not there, or none was named."""

    exit_code: ClassVar[int] = 2
    default_code: ClassVar[str] = ACCOUNT_NOT_FOUND


def place_of(error: Exception) -> str:
    """Return the file and line that raised *error*: what it says itself may be a secret."""
    last: Any = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    return f"{os.path.basename(last.tb_frame.f_code.co_filename)}:{last.tb_lineno}"  # noqa: PTH119
