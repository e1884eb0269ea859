"""Figures that the contract fixes, where a command can read them without loading anything."""

from __future__ import annotations

DEFAULT_MIN_TTL = 60.0  # seconds that a token must still live
LOGIN_TIMEOUT = 300.0  # seconds that a login waits for the person
