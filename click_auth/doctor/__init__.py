"""Everything that logging in depends on, looked at and left as it is."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from click_auth.bounded import bounded
from click_auth.doctor.accounts import accounts
from click_auth.doctor.examination import together
from click_auth.doctor.files import folder, locks, record_file, removals
from click_auth.doctor.keyring import keyring, policy
from click_auth.doctor.network import proxies, servers, tls
from click_auth.doctor.settings import browser, overrides
from click_auth.doctor.subject import store_of
from click_auth.doctor.versions import versions
from click_auth.results import Report

if TYPE_CHECKING:
    from click_auth.core import Core

__all__ = ["examine"]

SECONDS = 10.0
BUILD_SECONDS = 2.0

_EXAMINATIONS = {
    "versions": versions,
    "folder": folder,
    "record file": record_file,
    "locks": locks,
    "removals": removals,
    "storage": policy,
    "keyring backend": keyring,
    "accounts": accounts,
    "environment": overrides,
    "browser": browser,
    "TLS": tls,
    "proxy": proxies,
    "server": servers,
}


def examine(core: Core) -> Report:
    """Return what can be said of *core* and its surroundings, in at most SECONDS and a little.

    Writes nothing. No secret is in the report, and none of an account is read.
    """
    with contextlib.suppress(Exception):  # examinations find out by themselves what is wrong
        bounded(lambda: _build(core), BUILD_SECONDS)
    examinations = [(name, partial(each, core)) for name, each in _EXAMINATIONS.items()]
    return Report(tuple(together(examinations, SECONDS)))


def _build(core: Core) -> None:
    """Make the parts that examinations share, once, before they all run."""
    store_of(core)
    _ = core.http.options
