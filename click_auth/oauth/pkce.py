"""Proof Key for Code Exchange (RFC 7636), S256 only, and the other random values of a login."""

from __future__ import annotations

import base64
import hashlib
import secrets


def code_verifier() -> str:
    """Return a new code verifier: 43 unreserved characters, 256 random bits (section 4.1)."""
    return secrets.token_urlsafe(32)


def code_challenge(verifier: str) -> str:
    """Return the S256 code challenge of *verifier* (section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def random_state() -> str:
    """Return a new value for `state` or `nonce`: 256 random bits."""
    return secrets.token_urlsafe(32)
