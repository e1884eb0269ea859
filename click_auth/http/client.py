"""HTTP clients as this application makes them. The one module that loads httpx, or httpx2."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import ssl
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from click_auth.http.network import (
    load_certificate,
    proxy_error,
    proxy_of,
    trust_context,
    trust_source,
)
from click_auth.http.urls import is_loopback, origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import httpx

C = TypeVar("C")

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
        """By origin, a server's clock minus this machine's, in seconds, as of its last answer."""

    def clock_difference(self, *urls: str) -> float | None:
        """Return a server's clock minus this machine's, in seconds, as of its last answer.

        It is that of the first of *urls* whose origin has answered: a server tells the time for
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

    @overload
    def client(
        self, cls: None = None, *, hosts: Iterable[str] = (), **options: Any
    ) -> httpx.Client: ...
    @overload
    def client(self, cls: type[C], *, hosts: Iterable[str] = (), **options: Any) -> C: ...
    def client(
        self, cls: type[Any] | None = None, *, hosts: Iterable[str] = (), **options: Any
    ) -> Any:
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
            return (self.module.Client if cls is None else cls)(**merged)
        except Exception:
            failure = proxy_error(self.module) if merged.get("trust_env", True) else None
            if failure is None:
                raise
        raise failure

    def proxy_of(self, scheme: str, host: str) -> str | None:
        """Return in words which proxy a request to *host* goes through, None for no proxy."""
        options = self.options
        if is_loopback(host) or "transport" in options:
            return None
        if options.get("proxy"):
            return "the application's proxy"
        return proxy_of(scheme, host) if options.get("trust_env", True) else None


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
