"""What the user's environment says of the way to a server: trusted certificates, and proxies."""

from __future__ import annotations

import contextlib
import importlib
import os
import ssl
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

from click_auth.console.text import printable, without_password
from click_auth.errors import BAD_SETTING, AuthError

if TYPE_CHECKING:
    from collections.abc import Mapping

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
SYSTEM = "truststore"
_PROXY_SCHEMES = ("http", "https", "all")  # those that httpx looks at


def trust_source(environ: Mapping[str, str]) -> str | None:
    """Return the variable that names the certificates, "truststore", or None for neither."""
    named = next((name for name in CERTIFICATE_VARIABLES if environ.get(name)), None)
    return named or (SYSTEM if _truststore() is not None else None)


def trust_context(environ: Mapping[str, str], module: Any) -> ssl.SSLContext:
    """Return what trusts the certificates of `trust_source`, else what *module* itself trusts.

    Raises `AuthError` where a variable names what cannot be read.
    """
    source = trust_source(environ)
    if source is None:
        return module.create_ssl_context(trust_env=False)  # type: ignore[no-any-return]
    if source == SYSTEM:
        return _truststore().SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # type: ignore[no-any-return]
    path = environ[source]
    folder = path if Path(path).is_dir() else None
    try:
        return ssl.create_default_context(cafile=None if folder else path, capath=folder)
    except OSError:  # of which ssl.SSLError is one
        message = f"{source} names {printable(path)}, where no certificates can be read."
    raise AuthError(message, code=BAD_SETTING)


def load_certificate(context: ssl.SSLContext, certificate: Any) -> None:
    """Load what httpx takes as `cert`: a path, or a tuple of paths and a password.

    Raises `AuthError` where it cannot be read.
    """
    chain = (certificate,) if isinstance(certificate, (str, PathLike)) else certificate
    try:
        context.load_cert_chain(*chain)
    except OSError:
        named = printable(chain[0])
        message = f"cert= names {named}, where no certificate with its key can be read."
        raise AuthError(message, code=BAD_SETTING) from None


def _truststore() -> Any:
    with contextlib.suppress(ImportError):
        return importlib.import_module(SYSTEM)
    return None


def proxy_of(scheme: str, host: str) -> str | None:
    """Return which proxy a request goes through, and who says so, without its password."""
    found = getproxies()
    used = next((each for each in (scheme, "all") if found.get(each)), None)
    if used is None or proxy_bypass(host):
        return None
    return f"the proxy {without_password(found[used])} of {_variable(used)}"


def proxy_error(module: Any) -> AuthError | None:
    """Return the error of the setting with which *module* can make no client, None if it can."""
    with contextlib.suppress(ImportError, ValueError, module.InvalidURL):
        module.Client(verify=False).close()
        return None
    found = getproxies()
    for scheme in filter(found.get, _PROXY_SCHEMES):
        url = found[scheme]
        try:
            module.HTTPTransport(proxy=module.Proxy(url if "://" in url else f"http://{url}"))
        except ImportError:
            what = "names a SOCKS proxy, and the package socksio is not installed."
            hint = f"Install {module.__name__}[socks], or name an http:// proxy."
            return _bad(scheme, what, hint)
        except (ValueError, module.InvalidURL):
            hint = "Give it as http://HOST:PORT or socks5://HOST:PORT, or unset it."
            return _bad(scheme, "names no proxy that can be used.", hint)
    return _bad("no", "holds a host that cannot be read.", "Name hosts and single addresses only.")


def _bad(scheme: str, what: str, hint: str) -> AuthError:
    return AuthError(f"{_variable(scheme)} {what}", code=BAD_SETTING, hints=[hint])


def _variable(scheme: str) -> str:
    """Return the variable that says it: in lower case where both are set, as for urllib."""
    names = sorted((name for name in os.environ if os.environ[name]), reverse=True)
    variables = (name for name in names if name.lower() == f"{scheme}_proxy")
    return next(variables, "the system's settings")
