"""An `Auth` for the length of a test: without this machine's keyring, files and variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth import MemoryTokenStore
from click_auth.testing.browser import FakeBrowser
from click_auth.testing.standin import RoutedTransport, StandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack
    from pathlib import Path
    from typing import Any

    from click_auth import Auth, TokenStore
    from click_auth.testing.server import AuthorizationServer


class IsolateAuth:
    """What the fixture `isolated_auth` is: call it with an `Auth`, as often as you like.

    The `Auth` then keeps its credentials in memory (or in `store`), its files in a folder of
    the test's, sees no environment variable but those of `environ`, and opens a `FakeBrowser`
    (or `browser`). With a `server` the addresses of the (default) provider lead to that server,
    and anything else is out of reach. It is all undone when the test ends.
    """

    def __init__(self, folder: Path, until_the_end: ExitStack) -> None:
        self._folder = folder
        self._until_the_end = until_the_end

    def __call__(
        self,
        auth: Auth,
        *,
        server: AuthorizationServer | None = None,
        store: TokenStore | None = None,
        environ: Mapping[str, str] | None = None,
        browser: Callable[[str], bool] | None = None,
        http_options: Mapping[str, Any] | None = None,
    ) -> Auth:
        """Isolate `auth` until the test ends, and return it."""
        route = None if server is None else StandIn(server, auth.core.services.provider(None))
        options = dict(http_options or {})
        if route is not None:
            options |= {"transport": RoutedTransport(route), "trust_env": False}
        opener = browser or FakeBrowser()
        if isinstance(opener, FakeBrowser):
            opener.route = opener.route or route
        isolated = auth.override(
            store=MemoryTokenStore() if store is None else store,
            folder=self._folder / "click-auth",
            environ=dict(environ or {}),
            browser=opener,
            http_options=options,
        )
        self._until_the_end.enter_context(isolated)
        return auth
