"""What `<APP>_AUTH_DEBUG=1` shows: the library's own log on stderr, never a value."""

from __future__ import annotations

import logging

from click_auth.console import console
from click_auth.console.text import printable


class ConsoleHandler(logging.Handler):
    """Says what is logged on the console in effect, so that under `--json` it is an object."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say one line."""
        text = printable(f"{record.name}: {record.getMessage()}", 2000)
        console.current().event("log", text, message=text)


def log_to_stderr() -> None:
    """Let the logger `click_auth` speak, once for each process."""
    logger = logging.getLogger("click_auth")
    if not any(isinstance(handler, ConsoleHandler) for handler in logger.handlers):
        logger.addHandler(ConsoleHandler())
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
