"""For tests of command line programs: a real authorization server, a browser, a stored login.

Nothing here is loaded before it is used, since the pytest plugin is loaded by every test run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from click_auth.testing.browser import FakeBrowser as FakeBrowser
    from click_auth.testing.contract import StoreContract as StoreContract
    from click_auth.testing.isolation import isolated as isolated
    from click_auth.testing.isolation import logged_in as logged_in
    from click_auth.testing.messages import Answer as Answer
    from click_auth.testing.messages import Endpoint as Endpoint
    from click_auth.testing.messages import Faults as Faults
    from click_auth.testing.messages import Journal as Journal
    from click_auth.testing.messages import JournalEntry as JournalEntry
    from click_auth.testing.messages import Request as Request
    from click_auth.testing.parties import Client as Client
    from click_auth.testing.parties import User as User
    from click_auth.testing.server import AuthorizationServer as AuthorizationServer

_HOMES = {
    "browser": "FakeBrowser",
    "contract": "StoreContract",
    "isolation": "isolated logged_in",
    "messages": "Answer Endpoint Faults Journal JournalEntry Request",
    "server": "AuthorizationServer",
    "parties": "Client User",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - as in click_auth itself


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
