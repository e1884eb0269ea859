"""Device codes (RFC 8628), in memory; no I/O, and no locks: the server has one."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from click_auth.testing.messages import OAuthError

if TYPE_CHECKING:
    from click_auth.testing.grants import Grant

_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
_TOLERANCE = 0.05
_SLOW_DOWN = 5.0


@dataclass(slots=True, eq=False)
class Device:
    """A device code; `approved` is None until a user decides, times are monotonic seconds."""

    grant: Grant
    user_code: str
    interval: float
    expires_at: float
    approved: bool | None = None
    redeemed: bool = False
    polled_at: float = -math.inf


class Devices:
    """All device codes of a server."""

    def __init__(self) -> None:
        self._devices: dict[str, Device] = {}

    def open(self, grant: Grant, interval: float, lifetime: float) -> tuple[str, str]:
        """Return a new device code and its user code."""
        letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
        user_code = f"{letters[:4]}-{letters[4:]}"
        value = secrets.token_urlsafe(24)
        self._devices[value] = Device(grant, user_code, interval, monotonic() + lifetime)
        return value, user_code

    def decide(self, user_code: str | None, user: str | None) -> bool:
        """Approve as `user`, or deny (None); without a code, what waits. False: nothing does."""
        waiting = [
            device
            for device in self._devices.values()
            if device.approved is None
            and device.expires_at > monotonic()
            and (user_code is None or _plain(user_code) == _plain(device.user_code))
        ]
        for device in waiting:
            device.approved = user is not None
            device.grant.user = user
        return bool(waiting)

    def poll(self, value: str, client_id: str) -> Grant:
        """Return the grant of a code; raises `OAuthError` until there is one (RFC 8628 3.5)."""
        device = self._devices.get(value)
        if device is None or device.grant.client_id != client_id or device.redeemed:
            raise OAuthError("invalid_grant", "no such device code")
        now = monotonic()
        last, device.polled_at = device.polled_at, now
        if now - last < device.interval - _TOLERANCE:
            device.interval += _SLOW_DOWN
            raise OAuthError("slow_down", f"wait {device.interval:g} seconds between polls")
        if device.expires_at <= now:
            raise OAuthError("expired_token", "the device code has expired")
        if device.approved is None:
            raise OAuthError("authorization_pending", "the user has not decided yet")
        if not device.approved:
            raise OAuthError("access_denied", "the user said no")
        device.redeemed = True
        return device.grant


def _plain(user_code: str) -> str:
    return "".join(letter for letter in user_code.upper() if letter.isalnum())
