"""The OAuth 2 client. A module of it is loaded when a story first names it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from click_auth.oauth import code_grant as code_grant
    from click_auth.oauth import device as device
    from click_auth.oauth import device_race as device_race
    from click_auth.oauth import dpop as dpop
    from click_auth.oauth import endpoint as endpoint
    from click_auth.oauth import protected_resource as protected_resource
    from click_auth.oauth import resumable as resumable
    from click_auth.oauth import server as server
    from click_auth.oauth import token_endpoint as token_endpoint
    from click_auth.oauth import token_exchange as token_exchange
    from click_auth.oauth import userinfo as userinfo

_MODULES = (
    *("code_grant", "device", "device_race", "dpop", "endpoint"),
    *("protected_resource", "resumable", "server", "token_endpoint", "token_exchange", "userinfo"),
)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
