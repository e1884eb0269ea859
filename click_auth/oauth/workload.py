"""The identity of the CI job that runs us: the ID token that its system gives it.

It is found by the package `id` (the extra `ci`), or read from the file that
`<APP>_ID_TOKEN_FILE` names; a token endpoint exchanges it for an access token (RFC 8693).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from click_auth.environment import NO_JOB, Environment, Identity
from click_auth.errors import BAD_SETTING, AuthError
from click_auth.interrupts import TimedOut, call_with_timeout
from click_auth.record import usable

if TYPE_CHECKING:
    from collections.abc import Mapping


SECONDS = 30.0
MOST_BYTES = 64 * 1024
_MARKS = ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "GOOGLE_CLOUD_PROJECT")
_GOOGLE = "/sys/class/dmi/id/product_name"


def find_identity(environment: Environment, audience: str) -> Identity:
    """Return the job's ID token for *audience*; a file is read anew. Blocks, 30 s at most.

    Raises `AuthError` where the file holds none.
    """
    path = environment.value("ID_TOKEN_FILE")
    if path is not None:
        return Identity(_read(path, environment.name("ID_TOKEN_FILE")))
    if not _is_a_job(environment.environ):
        return NO_JOB
    try:
        ambient = importlib.import_module("id")
    except ImportError:
        return Identity(lacks="Install click-auth[ci] to let this CI job log in by itself.")
    try:
        token = call_with_timeout(lambda: ambient.detect_credential(audience), SECONDS)
    except TimedOut:
        return Identity(lacks=f"This CI job got no ID token within {SECONDS:.0f} s.")
    except (ambient.IdentityError, ValueError) as error:  # a body in no UTF-8 is a ValueError
        reason = str(error).partition(", body=")[0]  # nobody knows what is in there
        return Identity(lacks=f"This CI job got no ID token: {reason}.")
    return Identity(usable(token))


def _is_a_job(environ: Mapping[str, str]) -> bool:
    """Whether it is worth loading `id`, which brings an HTTP client along."""
    if any(environ.get(mark) for mark in _MARKS):
        return True
    try:
        with open(_GOOGLE, encoding="utf-8") as name:  # noqa: PTH123 - pathlib costs more
            return name.read(100).startswith("Google")
    except (OSError, ValueError):
        return False


def _read(path: str, variable: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            token = usable(file.read(MOST_BYTES).decode("ascii", "replace").strip())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"{variable} names {path}, which can't be read: {reason}."
        raise AuthError(message, code=BAD_SETTING) from None
    if token is None:
        raise AuthError(f"{variable} names {path}, which contains no ID token.", code=BAD_SETTING)
    return token
