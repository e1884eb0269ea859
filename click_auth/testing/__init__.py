"""For tests of command line programs: a real authorization server, a browser, a stored login.

Nothing here is loaded before it is used, since the pytest plugin is loaded by every test run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from click_auth.testing.browser import FakeBrowser
    from click_auth.testing.faults import Faults
    from click_auth.testing.journal import Journal, JournalEntry
    from click_auth.testing.logins import logged_in
    from click_auth.testing.messages import Answer, Endpoint, Request
    from click_auth.testing.parties import Client, User
    from click_auth.testing.server import AuthorizationServer

__all__ = [
    "Answer",
    "AuthorizationServer",
    "Client",
    "Endpoint",
    "FakeBrowser",
    "Faults",
    "Journal",
    "JournalEntry",
    "Request",
    "User",
    "logged_in",
]

_HOMES = {
    "browser": ("FakeBrowser",),
    "faults": ("Faults",),
    "journal": ("Journal", "JournalEntry"),
    "logins": ("logged_in",),
    "messages": ("Answer", "Endpoint", "Request"),
    "parties": ("Client", "User"),
    "server": ("AuthorizationServer",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
