"""Everything that logging in depends on, looked at and left as it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from click_auth.doctor import environment, storage
from click_auth.doctor.report import Report, run_check

if TYPE_CHECKING:
    from click_auth.context import Context
    from click_auth.doctor.report import Check

SECONDS = 8.0  # two bounded calls of the keyring, and a little

_EXAMINATIONS = {
    "versions": environment.versions,
    "folder": storage.folder,
    "record file": storage.records,
    "locks": storage.locks,
    "migration": storage.migration,
    "storage": storage.policy,
    "keyring backend": storage.keyring,
    "pending logins": storage.pending,
    "environment": environment.overrides,
    "browser": environment.browser,
    "TLS": environment.tls,
    "proxy": environment.proxy,
    "server": environment.servers,
}


def examine(context: Context) -> Report:
    """Return what can be said of an application and its surroundings, each check bounded.

    Writes nothing. No secret is in the report, and none of an account is read.
    """
    found: list[Check] = []
    for name, look in _EXAMINATIONS.items():
        seconds = SECONDS + (environment.SERVERS_SECONDS if name == "server" else 0.0)
        found += run_check(name, partial(look, context), seconds)
    return Report(tuple(found))
