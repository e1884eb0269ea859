"""A stored login, without a browser."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from secrets import token_urlsafe
from typing import TYPE_CHECKING, cast

from click_auth import Account, TokenBundle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click_auth import Auth
    from click_auth.testing.server import AuthorizationServer

_TOKENS = ("access_token", "refresh_token")


class logged_in(ExitStack):  # noqa: N801 - it reads as what it does: `with logged_in(auth):`
    """Put a credential into the store of `auth`, at once; as a context manager, until it ends.

    With a `server` the tokens are good there and can be refreshed, otherwise they are made
    up. `scopes` are by default the provider's. `expires_in` is seconds, None for an expiry that
    nobody knows and negative for a token that has expired. `account` and `bundle` replace what
    would be made. The store is whatever `auth` has: isolate it first. The credential becomes the
    default account's.
    """

    def __init__(
        self,
        auth: Auth,
        user: str = "ada",
        *,
        server: AuthorizationServer | None = None,
        account: Account | None = None,
        bundle: TokenBundle | None = None,
        scopes: Sequence[str] | None = None,
        expires_in: float | None = 3600.0,
    ) -> None:
        super().__init__()
        self.account: Account = account or _account(user, server)
        if scopes is None:
            scopes = getattr(auth.core.services.provider(self.account.instance), "scopes", None)
        self.bundle: TokenBundle = bundle or _bundle(user, server, scopes, expires_in)
        auth.store.set_bundle(self.account, self.bundle, promote_default=True)
        self.callback(auth.store.clear, self.account.key)


def _account(user: str, server: AuthorizationServer | None) -> Account:
    if server is None:
        return Account(id=user, label=f"{user}@todo.example")
    known = server.user(user)
    return Account(id=known.id, label=known.email)


def _bundle(
    user: str,
    server: AuthorizationServer | None,
    scopes: Sequence[str] | None,
    expires_in: float | None,
) -> TokenBundle:
    issued: dict[str, object] = {name: token_urlsafe(32) for name in _TOKENS}
    if server is not None:
        issued = server.issue(user, scopes=scopes or (), lifetime=expires_in)
    access_token, refresh_token = (cast("str", issued.get(name)) for name in _TOKENS)
    now = datetime.now(timezone.utc)
    return TokenBundle(
        access_token,
        refresh_token,
        None if expires_in is None else now + timedelta(seconds=expires_in),
        scopes=None if scopes is None else tuple(scopes),
    )
