"""How a client proves to the token endpoint who it is (RFC 6749 section 2.3)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlencode

from click_auth.http.call import Call
from click_auth.oauth.endpoint import EndpointFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NONE = "none"
BASIC = "client_secret_basic"
POST = "client_secret_post"
_SECRETS = ("client_secret", "code", "code_verifier", "device_code", "refresh_token", "token")
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Client:
    """A client as the server knows it, and the method by which it authenticates."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    method: str = NONE

    def authenticated(self, form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return *form* and the headers of a request, with this client's authentication."""
        if self.secret is None or self.method == NONE:
            return {**form, "client_id": self.client_id}, {}
        if self.method == POST:
            return {**form, "client_id": self.client_id, "client_secret": self.secret}, {}
        pair = [self.client_id, self.secret]
        if self.method == BASIC:  # form-encoded first: section 2.3.1, appendix B
            pair = [quote_plus(each) for each in pair]
        credentials = base64.b64encode(":".join(pair).encode()).decode("ascii")
        return dict(form), {"Authorization": f"Basic {credentials}"}

    def call(self, url: str, form: Mapping[str, str], more: Mapping[str, str] = _NOTHING) -> Call:
        """Return the POST of *form* to *url* as this client, with *more* headers.

        What it returns shows nothing; a traceback of who sends it does not pass through here.
        """
        fields, headers = self.authenticated(form)
        secrets = [value for name, value in fields.items() if name in _SECRETS]
        secrets += [self.secret or "", headers.get("Authorization", "").partition(" ")[2]]
        headers |= {**more, "Content-Type": "application/x-www-form-urlencoded"}
        return Call(url, urlencode(fields).encode("ascii"), headers, tuple(secrets))


def method_for(secret: str | None, configured: str | None, supported: Sequence[str] | None) -> str:
    """Return the method for a client with this *secret* (None: a public client).

    *configured* wins; else what the server says it supports, RFC 8414's default where it does
    not say. Raises `EndpointFailed` when none of that can be done.
    """
    if secret is None:
        return NONE
    if configured not in (None, NONE):
        return configured
    for method in (BASIC, POST):
        if method in (supported or (BASIC,)):
            return method
    raise EndpointFailed("the server takes none of the ways in which this client can authenticate")
