"""The modules that an `Auth` calls, each loaded on its first use.

Names only: `lazy.logout` is the module `click_auth.logout`, and a command needs one of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from click_auth import api_client as api_client
    from click_auth import bearer as bearer
    from click_auth import credentials as credentials
    from click_auth import logout as logout
    from click_auth import migrate as migrate
    from click_auth import record as record
    from click_auth import status as status
    from click_auth.doctor import examination as examination
    from click_auth.login import flow as flow
    from click_auth.login import pending as pending
    from click_auth.providers import request as request

_AT_THE_TOP = ("api_client", "bearer", "credentials", "logout", "migrate", "record", "status")
_IN_FOLDERS = {"examination": "doctor", "flow": "login", "pending": "login", "request": "providers"}


def __getattr__(name: str) -> ModuleType:
    if name in _AT_THE_TOP:
        place = name
    elif name in _IN_FOLDERS:
        place = f"{_IN_FOLDERS[name]}.{name}"
    else:  # whoever asks every module for something must not be disturbed
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = globals()[name] = import_module(f"click_auth.{place}")
    return module
