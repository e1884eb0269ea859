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
    "Answer": "messages",
    "AuthorizationServer": "server",
    "Client": "parties",
    "Endpoint": "messages",
    "FakeBrowser": "browser",
    "Faults": "faults",
    "Journal": "journal",
    "JournalEntry": "journal",
    "Request": "messages",
    "User": "parties",
    "logged_in": "logins",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
