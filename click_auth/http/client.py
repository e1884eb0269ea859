"""HTTP clients as this application makes them. The one module that loads httpx, or httpx2.

And what the user's environment says of the way to a server: trusted certificates, and proxies.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import ssl
from contextvars import ContextVar
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

from click_auth.console.text import printable, without_password
from click_auth.errors import BAD_SETTING, AuthError
from click_auth.http.urls import is_loopback, origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import httpx
    from typing_extensions import TypeVar

    C = TypeVar("C", default=httpx.Client)

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
SYSTEM = "truststore"
_PROXY_SCHEMES = ("http", "https", "all")  # those that httpx looks at
_LOOPBACK_PATTERNS = ("all://127.0.0.1", "all://localhost", "all://[::1]")
_HTTPCORE_PARTS = ("connection", "http11", "http2", "proxy", "socks")
_OF_HTTP2 = ("hpack.hpack", "hpack.table")

_calling: ContextVar[bool] = ContextVar("click_auth_calling", default=False)


class Http:
    """Makes clients, with the application's options in all of them.

    *module* is the name of the module that speaks, *options* go to every client; both are
    looked at when first needed. *environ* says which certificates are trusted.
    """

    def __init__(
        self,
        module: str = "httpx",
        options: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._module_name = module
        self._given = options
        self._environ = os.environ if environ is None else environ
        self.clocks: dict[str, float] = {}
        """By origin, a server's clock minus this machine's, in seconds, as of its last response."""

    def clock_difference(self, *urls: str) -> float | None:
        """Return a server's clock minus this machine's, in seconds, as of its last response.

        It is that of the first of *urls* whose origin has responded: a server tells the time for
        nobody else.
        """
        measured = (self.clocks.get(origin(url)) for url in urls)
        return next((seconds for seconds in measured if seconds is not None), None)

    @property
    def module(self) -> Any:
        """The module that speaks, imported now if it was not."""
        return importlib.import_module(self._module_name)

    @property
    def trust(self) -> str:
        """Which certificates are trusted: a variable's name, "truststore", or the module's."""
        return trust_source(self._environ) or self._module_name

    @property
    def trusted(self) -> str | None:
        """What tells one set of trusted certificates from another; None where any is trusted."""
        verify = self._application_options.get("verify", True)
        if verify is True:
            source = trust_source(self._environ)
            return f"{source} {self._environ.get(source or '', '')}"
        if isinstance(verify, ssl.SSLContext):
            return str(verify.cert_store_stats()) if verify.verify_mode else None
        return str(verify) if verify else None

    @cached_property
    def _application_options(self) -> Mapping[str, Any]:
        return dict((self._given() if callable(self._given) else self._given) or {})

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """The options of every client. Raises `AuthError` for certificates that are not there."""
        options = dict(self._application_options)
        if "transport" in options:
            return options
        if options.get("verify", True) is True:  # once for all clients: it takes 15 ms
            options["verify"] = trust_context(self._environ, self.module)
        if isinstance(options["verify"], ssl.SSLContext) and options.get("cert"):
            load_certificate(options["verify"], options.pop("cert"))
        return options

    def client(self, cls: type[C] | None = None, *, hosts: Iterable[str] = (), **options: Any) -> C:
        """Return a client of class *cls* (default: the module's `Client`).

        It has the application's options, and *options* over them. `localhost`, `127.0.0.1`,
        `[::1]` and whatever else of *hosts* is a loopback address is never proxied. Raises
        `AuthError` for certificates and proxies in the environment that cannot be used.
        """
        common = dict(self.options)
        for name in ("headers", "mounts"):
            if name in common and options.get(name) is not None:
                options[name] = {**dict(common[name]), **dict(options[name])}
        merged = {**common, **options}
        direct = [f"all://{host}" for host in hosts if is_loopback(host) and ":" not in host]
        mounts = dict.fromkeys((*_LOOPBACK_PATTERNS, *direct))
        merged["mounts"] = {**mounts, **(merged.get("mounts") or {})}
        for name in _OF_HTTP2:  # of a header's name and value hpack hides `authorization` alone
            logging.getLogger(name).addFilter(_drop)
        try:
            client: C = (self.module.Client if cls is None else cls)(**merged)
        except Exception:
            failure = proxy_error(self.module) if merged.get("trust_env", True) else None
            if failure is None:
                raise
        else:
            return client
        raise failure

    def proxy_of(self, scheme: str, host: str) -> str | None:
        """Return in words which proxy a request to *host* goes through, None for no proxy."""
        options = self.options
        if is_loopback(host) or "transport" in options:
            return None
        if options.get("proxy"):
            return "the application's proxy"
        return proxy_of(scheme, host) if options.get("trust_env", True) else None


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
        message = f"{source} names {printable(path)}, but no certificates can be read there."
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
        message = f"cert= names {named}, but no certificate and key can be read there."
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
            what = "names a SOCKS proxy, but the package socksio is not installed."
            hint = f"Install {module.__name__}[socks], or name an http:// proxy."
            return _bad(scheme, what, hint)
        except (ValueError, module.InvalidURL):
            hint = "Use http://HOST:PORT or socks5://HOST:PORT, or unset it."
            return _bad(scheme, "is not a valid proxy.", hint)
    return _bad("no", "contains an invalid host.", "List host names and single IP addresses only.")


def _bad(scheme: str, what: str, hint: str) -> AuthError:
    return AuthError(f"{_variable(scheme)} {what}", code=BAD_SETTING, hints=[hint])


def _variable(scheme: str) -> str:
    """Return the variable that says it: in lower case where both are set, as for urllib."""
    names = sorted((name for name in os.environ if os.environ[name]), reverse=True)
    variables = (name for name in names if name.lower() == f"{scheme}_proxy")
    return next(variables, "the system's settings")


def _drop(_record: logging.LogRecord) -> bool:
    return False


def _drop_while_calling(_record: logging.LogRecord) -> bool:
    """Drop what is logged about our own calls: URLs, and headers with secrets."""
    return not _calling.get()


@contextlib.contextmanager
def mute_http_loggers(name: str) -> Iterator[None]:
    """Keep the loggers of httpx or httpx2, *name*, and of its transport silent in this thread."""
    httpcore = name.replace("httpx", "httpcore")
    for each in (name, *(f"{httpcore}.{part}" for part in _HTTPCORE_PARTS)):
        logging.getLogger(each).addFilter(_drop_while_calling)
    token = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(token)
