"""Device codes (RFC 8628), in memory; no I/O."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from click_auth.testing.grants import Grant
from click_auth.testing.messages import OAuthError

if TYPE_CHECKING:
    from collections.abc import Callable

_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
_TOLERANCE = 0.05
_SLOW_DOWN = 5.0


@dataclass(slots=True, eq=False)
class Device:
    """A device code; `grant` is set once a user has approved, times are monotonic seconds."""

    client_id: str
    user_code: str
    scopes: tuple[str, ...]
    resource: tuple[str, ...]
    interval: float
    expires_at: float
    grant: Grant | None = None
    denied: bool = False
    redeemed: bool = False
    polled_at: float | None = None


class Devices:
    """All device codes of a server; thread-safe."""

    def __init__(
        self, interval: float, lifetime: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.interval = interval
        self.lifetime = lifetime
        self._clock = clock
        self._lock = threading.Lock()
        self._devices: dict[str, Device] = {}

    def open(
        self, client_id: str, scopes: tuple[str, ...], resource: tuple[str, ...]
    ) -> tuple[str, Device]:
        """Return a new device code and its state."""
        letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
        device = Device(
            client_id,
            f"{letters[:4]}-{letters[4:]}",
            scopes,
            resource,
            self.interval,
            self._clock() + self.lifetime,
        )
        value = secrets.token_urlsafe(24)
        with self._lock:
            self._devices[value] = device
        return value, device

    def decide(self, user_code: str | None, user: str | None) -> bool:
        """Approve as `user`, or deny (None); without a code, what waits. False: nothing does."""
        meant = None if user_code is None else _plain(user_code)
        with self._lock:
            waiting = [
                device
                for device in self._devices.values()
                if self._is_waiting(device) and meant in (None, _plain(device.user_code))
            ]
            for device in waiting:
                device.denied = user is None
                if user is not None:
                    device.grant = Grant(device.client_id, user, device.scopes, device.resource)
            return bool(waiting)

    def poll(self, value: str, client_id: str) -> Grant:
        """Return the grant of a code; raises `OAuthError` until there is one (RFC 8628 3.5)."""
        with self._lock:
            device = self._devices.get(value)
            if device is None or device.client_id != client_id or device.redeemed:
                raise OAuthError("invalid_grant", "no such device code")
            self._check_pace(device)
            if device.expires_at <= self._clock():
                raise OAuthError("expired_token", "the device code has expired")
            if device.denied:
                raise OAuthError("access_denied", "the user said no")
            if device.grant is None:
                raise OAuthError("authorization_pending", "the user has not decided yet")
            device.redeemed = True
            return device.grant

    def _check_pace(self, device: Device) -> None:
        now = self._clock()
        last, device.polled_at = device.polled_at, now
        if last is not None and now - last < device.interval - _TOLERANCE:
            device.interval += _SLOW_DOWN
            raise OAuthError("slow_down", f"wait {device.interval:g} seconds between polls")

    def _is_waiting(self, device: Device) -> bool:
        return device.grant is None and not device.denied and device.expires_at > self._clock()


def _plain(user_code: str) -> str:
    return "".join(letter for letter in user_code.upper() if letter.isalnum())
