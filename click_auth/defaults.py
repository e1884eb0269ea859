"""Names and figures that several parts share, to be read without loading anything else."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_MIN_TTL = 60.0  # seconds that a token must still live
LOGIN_TIMEOUT = 300.0  # seconds that a login waits for the person
REVOCATION_SECONDS = 10.0  # that a logout waits for servers, whatever has to be asked
POLICIES = ("system", "fallback", "encrypted", "plaintext")  # where credentials may be stored
PLACES = {  # where they are then, for the middle of a sentence
    "system": "the system keyring",
    "encrypted": "an encrypted file",
    "plaintext": "an unencrypted file",
}


class Binding(NamedTuple):
    """The server and the client that a credential belongs to; None where nothing is known.

    `resource` is the API's URL where the server is known from it only.
    """

    issuer: str | None = None
    client_id: str | None = None
    resource: str | None = None


UNBOUND = Binding()
