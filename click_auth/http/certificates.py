"""Which servers' certificates are trusted: the user's variables, or the system's own store."""

from __future__ import annotations

import importlib
import ssl
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click_auth.console.text import printable
from click_auth.errors import AuthError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
SYSTEM = "truststore"


def trust_source(environ: Mapping[str, str]) -> str | None:
    """Return the variable that names the certificates, "truststore", or None for neither."""
    named = next((name for name in VARIABLES if environ.get(name)), None)
    return named or (SYSTEM if _extra(SYSTEM) is not None else None)


def trust_context(environ: Mapping[str, str], module: Any) -> ssl.SSLContext:
    """Return what trusts the certificates of `trust_source`, else what *module* itself trusts.

    Raises `AuthError` where a variable names what cannot be read.
    """
    source = trust_source(environ)
    if source is None:
        return module.create_ssl_context(trust_env=False)  # type: ignore[no-any-return]
    if source == SYSTEM:
        return _extra(SYSTEM).SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # type: ignore[no-any-return]
    path = environ[source]
    folder = path if Path(path).is_dir() else None
    try:
        return ssl.create_default_context(cafile=None if folder else path, capath=folder)
    except OSError:  # of which ssl.SSLError is one
        message = f"{source} names {printable(path)}, where no certificates can be read."
    raise AuthError(message, code="AUTH_BAD_SETTING")


def load_certificate(context: ssl.SSLContext, certificate: Any) -> None:
    """Load what httpx takes as `cert`: a path, or a tuple of paths and a password.

    Raises `AuthError` where it cannot be read.
    """
    chain = (certificate,) if isinstance(certificate, (str, PathLike)) else certificate
    try:
        context.load_cert_chain(*chain)
    except OSError:
        message = (
            f"cert= names {printable(chain[0])}, where no certificate with its key can be read."
        )
        raise AuthError(message, code="AUTH_BAD_SETTING") from None


def _extra(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
