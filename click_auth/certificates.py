"""Which servers' certificates are trusted: the user's variables, or the system's own store."""

from __future__ import annotations

import importlib
import os
import ssl
from typing import TYPE_CHECKING, Any

from click_auth.errors import AuthError
from click_auth.text import inert

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
SYSTEM = "truststore"


def trust_source(environ: Mapping[str, str]) -> str | None:
    """Return the variable that names the certificates, "truststore", or None for neither."""
    named = next((name for name in VARIABLES if environ.get(name)), None)
    return named or (SYSTEM if _extra(SYSTEM) is not None else None)


def verification(verify: Any, certificate: Any, environ: Mapping[str, str]) -> Any:
    """Return what to give httpx as `verify`.

    *verify* and the client *certificate* are httpx's own options, in all the forms that it ever
    took; *environ* decides where *verify* is True. Raises `AuthError` where nothing can be read.
    """
    source = trust_source(environ) if verify is True else None
    if isinstance(verify, (str, os.PathLike)):
        verify = _trusting(os.fspath(verify), "verify=")
    elif source == SYSTEM:
        verify = _extra(SYSTEM).SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    elif source is not None:
        verify = _trusting(environ[source], source)
    if certificate is None or verify is False:
        return verify
    context = _default() if verify is True else verify
    chain = (certificate,) if isinstance(certificate, (str, os.PathLike)) else certificate
    try:
        context.load_cert_chain(*chain)
    except OSError:
        message = f"cert= names {inert(chain[0])}, where no certificate with its key can be read."
        raise AuthError(message, code="AUTH_BAD_SETTING") from None
    return context


def _trusting(path: str, source: str) -> ssl.SSLContext:
    try:
        if os.path.isdir(path):  # noqa: PTH112 - as it was given
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError:  # of which ssl.SSLError is one
        message = f"{source} names {inert(path)}, where no certificates can be read."
    raise AuthError(message, code="AUTH_BAD_SETTING")


def _default() -> ssl.SSLContext:
    """Return what httpx itself would use."""
    certifi = _extra("certifi")
    return ssl.create_default_context(cafile=None if certifi is None else certifi.where())


def _extra(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
