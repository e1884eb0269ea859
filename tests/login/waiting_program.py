"""A login as a program of its own, for tests that sit at its terminal.

Prints `code=...` or `failed: ...`; its argument is JSON: changes to the request, `timeout`, whether
it speaks to a program (`machine`), what became of the browser (`opens`; "$BROWSER" tries that one;
without it none is opened), and after how long the whole URL is shown (`whole_url_seconds`).
"""

from __future__ import annotations

import json
import sys

from click_auth import AuthorizationRequest, LoginFailed
from click_auth.console import console
from click_auth.environment import Environment
from click_auth.login.ui import TerminalUI

STATE = "the-state-of-this-login"


def main() -> None:
    """Wait for the redirect, as the first argument says."""
    wishes = json.loads(sys.argv[1])
    timeout = wishes.pop("timeout", 60)
    spoken = console.JsonConsole() if wishes.pop("machine", False) else console.Console()

    opens = wishes.pop("opens", None)
    browser = None if opens in (None, "$BROWSER") else lambda _url: opens
    seconds = wishes.pop("whole_url_seconds", 10.0)
    ui = TerminalUI(
        Environment("todo"),
        browser,
        allow_browser=opens is not None,
        whole_url_seconds=seconds,
    )

    def start(uri: str) -> AuthorizationRequest:
        url = f"https://id.example/authorize?redirect_uri={uri}"
        return AuthorizationRequest(url, uri, STATE, "v" * 43, **wishes)

    try:
        with console.use_console(spoken), ui:
            response = ui.wait_for_redirect(start, ["http://127.0.0.1/callback"], timeout=timeout)
            sys.stdout.write(f"code={response.code}\n")
            ui.finish(success=True)
    except LoginFailed as error:
        sys.stdout.write(f"failed: {error.message}\n")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
