"""A stored login, without a browser."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from click_auth import Account, TokenBundle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

    from click_auth import Auth
    from click_auth.testing.server import AuthorizationServer


class logged_in:  # noqa: N801 - it reads as what it does: `with logged_in(auth):`
    """Put a credential into the store of `auth`, at once; as a context manager, until it ends.

    With a `server` the tokens are good there and can be refreshed, otherwise they are made
    up. `expires_in` is seconds, None for an expiry that nobody knows and negative for a
    token that has expired. `account` and `bundle` replace what would be made. The store is
    whatever `auth` has: isolate it first. The credential becomes the default account's.
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
        self._auth = auth
        self.account = account or _account(user, server)
        self.bundle = bundle or _bundle(user, server, scopes, expires_in)
        auth.store.set_bundle(self.account, self.bundle, promote_default=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._auth.store.clear(self.account.key)


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
    issued: dict[str, object] = {
        "access_token": token_urlsafe(32),
        "refresh_token": token_urlsafe(32),
    }
    if server is not None:
        issued = server.issue(user, scopes=scopes or (), lifetime=expires_in)
    refresh_token = issued.get("refresh_token")
    now = datetime.now(timezone.utc)
    return TokenBundle(
        str(issued["access_token"]),
        None if refresh_token is None else str(refresh_token),
        None if expires_in is None else now + timedelta(seconds=expires_in),
        scopes=None if scopes is None else tuple(scopes),
    )
