"""`python -m click_auth.testing`: the test server on its own, until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from contextlib import suppress

from click_auth.testing.server import AuthorizationServer


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser("python -m click_auth.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    consent = parser.add_argument("--consent", action="store_false", dest="auto_approve")
    consent.help = "ask on a page before approving"
    lifetime = parser.add_argument("--access-token-lifetime", type=float, default=3600.0)
    lifetime.metavar, lifetime.help = "SECONDS", "default: 3600"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), AuthorizationServer(**vars(parser.parse_args())) as server:
        sys.stdout.write(f"issuer {server.issuer}\napi_url {server.api_url}\n")
        sys.stdout.flush()
        while True:
            time.sleep(1)


if __name__ == "__main__":
    main()
