"""Everything that logging in depends on, looked at and left as it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from click_auth.doctor import network, settings, storage
from click_auth.doctor.examination import examined
from click_auth.results import Report

if TYPE_CHECKING:
    from click_auth.context import Context
    from click_auth.results import Check

__all__ = ["examine"]

SECONDS = 8.0  # two bounded calls of the keyring, and a little

_EXAMINATIONS = {
    "versions": settings.versions,
    "folder": storage.folder,
    "record file": storage.record_file,
    "locks": storage.locks,
    "removals": storage.removals,
    "migration": storage.migration,
    "storage": storage.policy,
    "keyring backend": storage.keyring,
    "accounts": storage.accounts,
    "environment": settings.overrides,
    "browser": settings.browser,
    "TLS": network.tls,
    "proxy": network.proxy,
}


def examine(context: Context) -> Report:
    """Return what can be said of *core* and its context. Each examination is bounded.

    Writes nothing. No secret is in the report, and none of an account is read.
    """
    found: list[Check] = []
    for name, look in _EXAMINATIONS.items():
        found += examined(name, partial(look, context), SECONDS)
    found += examined(
        "server", partial(network.servers, context), network.SERVERS_SECONDS + SECONDS
    )
    return Report(tuple(found))
