"""`python -m click_auth.testing`: the test server on its own, until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import TYPE_CHECKING

from click_auth.testing.server import AuthorizationServer

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    given = _parse(arguments)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server = AuthorizationServer(
        auto_approve=not given.consent,
        access_token_lifetime=given.access_token_lifetime,
        port=given.port,
    )
    with server:
        sys.stdout.write(f"issuer {server.issuer}\napi_url {server.api_url}\n")
        sys.stdout.flush()
        # With a timeout, so that Windows too delivers the signal.
        while not ended.wait(0.2):
            pass
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m click_auth.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--consent", action="store_true", help="ask on a page before approving")
    parser.add_argument(
        "--access-token-lifetime",
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="default: 3600",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
