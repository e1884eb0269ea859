"""Figures that several parts share, where a command can read them without loading anything."""

from __future__ import annotations

DEFAULT_MIN_TTL = 60.0  # seconds that a token must still live
LOGIN_TIMEOUT = 300.0  # seconds that a login waits for the person
LONGEST_LINE = 64 * 1024  # characters that a person, or a pipe, may give as one answer
