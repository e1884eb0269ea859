"""The access token in the words of other programs: a header, a shell's, kubectl's."""

from __future__ import annotations

import json
import shlex
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from click_auth.tokens import rfc3339, to_posix

if TYPE_CHECKING:
    from click_auth.providers.base import Provider
    from click_auth.tokens import TokenBundle


def formatted(name: str, provider: Provider, bundle: TokenBundle, variable: str) -> str:
    """Return the token in the format *name*; a shell's line sets *variable*."""
    if name == "header":
        return _header(provider, bundle)
    if name == "env":
        return f"export {variable}={shlex.quote(bundle.access_token)}"
    return json.dumps(_exec_credential(bundle))


def _header(provider: Provider, bundle: TokenBundle) -> str:
    """Return the lines of HTTP that carry the token to the API, for `curl -H`."""
    request: Any = SimpleNamespace(headers={}, method="GET", url=provider.api_url or "")
    provider.apply(request, bundle)
    return "\n".join(f"{name}: {value}" for name, value in request.headers.items())


def _exec_credential(bundle: TokenBundle) -> dict[str, Any]:
    """Return what kubectl expects of an exec plugin: client.authentication.k8s.io/v1."""
    expires_at = rfc3339(to_posix(bundle.expires_at))
    expiry = {} if expires_at is None else {"expirationTimestamp": expires_at}
    return {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {**expiry, "token": bundle.access_token},
    }
