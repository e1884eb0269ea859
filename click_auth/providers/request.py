"""What a login is asked for, and what it may do with the person in front of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from click_auth.errors import LoginFailed
from click_auth.tokens import TokenBundle, Unpickled, usable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse


@dataclass(frozen=True)
class LoginRequest(Unpickled):
    """What one login was asked for.

    `user` is who should log in, a login hint; `scopes` are wanted beside the provider's own and
    `granted_scopes` are those that the account holds already; `token` is a token that the person
    brought along. `timeout` is in seconds. `redirect_uri` is known once a listener is bound.
    """

    user: str | None = None
    scopes: tuple[str, ...] = ()
    granted_scopes: tuple[str, ...] = ()
    read_only: bool = False
    browser: bool = True
    device: bool = False
    token: str | None = field(default=None, repr=False)
    instance: str | None = None
    callback_port: int | None = None
    timeout: float = 300.0
    redirect_uri: str | None = None


def accept_token(token: str) -> TokenBundle:
    """Return the bundle of a *token* that the person brought along. Raises `LoginFailed`."""
    secret = usable(token.strip())
    del token
    if secret is None:
        raise LoginFailed("That is not a token: it is empty or has odd characters.")
    return TokenBundle(secret)


class LoginUI(ABC):
    """What a provider's login may do with the person in front of it."""

    @property
    @abstractmethod
    def has_browser(self) -> bool:
        """Whether a page can be opened on this machine, for this person."""

    @property
    @abstractmethod
    def has_terminal(self) -> bool:
        """Whether somebody is there who can be asked."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Print one line on stderr."""

    @abstractmethod
    def event(self, name: str, text: str, **fields: Any) -> None:
        """Print *text* to a person, or the event and its fields as JSON to a program."""

    @abstractmethod
    def ask(self, prompt: str, *, hidden: bool = False) -> str:
        """Return what the person typed, or one line of stdin where there is no terminal.

        Blocks. Raises `LoginFailed` when nothing comes.
        """

    @abstractmethod
    def open_page(self, url: str) -> bool:
        """Print *url* and open it in the browser; return whether a browser was started.

        Does not wait for the browser. Raises `LoginFailed` for a URL that is neither https nor
        http on a loopback address.
        """

    @abstractmethod
    def wait_for_redirect(
        self,
        start: Callable[[str], AuthorizationRequest],
        redirect_uris: Sequence[str],
        *,
        callback_port: int | None = None,
        timeout: float = 300.0,
    ) -> AuthorizationResponse:
        """Send the person to the server and return its answer.

        Binds a listener for one of *redirect_uris*, calls *start* with the URI listened on,
        prints and opens the request's URL, and takes whichever comes first: the redirect, or the
        address (or code) pasted on the terminal. Blocks at most *timeout* seconds. Raises
        `LoginFailed` when the server refused, when nothing came, or when no port is free.
        """
