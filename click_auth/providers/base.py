"""What a provider is: the service whose credentials an application holds."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from click_auth.errors import REFRESH_UNAVAILABLE, NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx
    from typing_extensions import Self

    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse
    from click_auth.providers.surroundings import Surroundings
    from click_auth.tokens import TokenBundle

DEFAULT_ID = "default"


@dataclass(frozen=True)
class LoginRequest:
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


class Binding(NamedTuple):
    """The server and the client that a credential belongs to; None where nothing is known."""

    issuer: str | None = None
    client_id: str | None = None


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


class Provider(ABC):
    """The base class of every provider; only `login` must be written.

    `options` names the options of `login` that make sense for it. `api_url` is the base URL of
    the application's API and the one origin to which the credential is sent.
    """

    options: frozenset[str] = frozenset()
    api_url: str | None = None
    surroundings: Surroundings | None = None

    @property
    def display_name(self) -> str:
        """What a person is told about where the login goes: a host, usually."""
        return self.api_url or type(self).__name__

    @property
    def binding(self) -> Binding:
        """What the credentials of this provider belong to. No I/O."""
        return Binding()

    def bound(self, surroundings: Surroundings) -> Self:
        """Return a copy of this provider that speaks through *surroundings*."""
        clone = copy.copy(self)
        clone.surroundings = surroundings
        return clone

    @abstractmethod
    def login(self, request: LoginRequest, ui: LoginUI) -> TokenBundle:
        """Return the tokens of a new grant. Blocks and may prompt. Raises `LoginFailed`."""

    def identify(self, client: httpx.Client, bundle: TokenBundle) -> Mapping[str, Any]:
        """Return who logged in: a mapping with `id`, optionally `label` and more.

        *client* carries the new token to `api_url`. The default cannot tell: one account.
        """
        del client, bundle
        return {"id": DEFAULT_ID}

    def same_account(self, bundle: TokenBundle, account_id: str) -> bool:
        """Return whether a refreshed *bundle* belongs to the account still, as far as it says."""
        del bundle, account_id
        return True

    def refresh(self, bundle: TokenBundle) -> TokenBundle:
        """Return new tokens for the refresh token of *bundle*. Blocks.

        Raises `NotLoggedIn` when the grant is dead or cannot be refreshed, and `Unreachable`
        for every other failure. The default cannot.
        """
        del bundle
        message = f"{self.display_name} does not renew credentials."
        raise NotLoggedIn(message, code=REFRESH_UNAVAILABLE)

    def revoke(self, bundle: TokenBundle) -> bool | None:
        """End the grant at the server; return whether it is gone, None where there is no way.

        Blocks, raises nothing that a server can cause.
        """
        del bundle
        return None

    def client_credentials(self, client_id: str, client_secret: str) -> TokenBundle:
        """Return a token for the client itself (RFC 6749 section 4.4). The default cannot."""
        del client_id, client_secret
        message = f"{self.display_name} does not take client credentials."
        raise NotLoggedIn(message, code=REFRESH_UNAVAILABLE)

    def apply(self, request: httpx.Request, bundle: TokenBundle) -> None:
        """Put the credential on *request*. No I/O."""
        request.headers["Authorization"] = f"Bearer {bundle.access_token}"
