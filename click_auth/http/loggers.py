"""The loggers of others, silent while the library speaks for itself."""

from __future__ import annotations

import contextlib
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARTS = ("connection", "http11", "http2", "proxy", "socks")
_OF_HTTP2 = ("hpack.hpack", "hpack.table")

_calling: ContextVar[bool] = ContextVar("click_auth_calling", default=False)


def _mute(_record: logging.LogRecord) -> bool:
    """Drop what is logged about our own calls: URLs, and headers with secrets."""
    return not _calling.get()


def _drop(_record: logging.LogRecord) -> bool:
    """Drop everything: of a header's name and value hpack hides `authorization` alone."""
    return False


def mute_http2() -> None:
    """Keep the loggers that would show a credential in a header of HTTP/2 silent for good."""
    for each in _OF_HTTP2:
        logging.getLogger(each).addFilter(_drop)


@contextlib.contextmanager
def mute_http_loggers(name: str) -> Iterator[None]:
    """Keep the loggers of httpx or httpx2, *name*, and of its transport silent in this thread."""
    transport = name.replace("httpx", "httpcore")
    for each in (name, *(f"{transport}.{part}" for part in _PARTS)):
        logging.getLogger(each).addFilter(_mute)
    token = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(token)
