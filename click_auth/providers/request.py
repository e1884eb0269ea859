"""What a login is asked for, and what it may do with the person in front of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from click_auth.errors import LoginFailed
from click_auth.record import TokenBundle, Unpickled, usable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse


@dataclass(frozen=True)
class LoginRequest(Unpickled):
    """What one login was asked for.

    `user` is who should log in, a login hint; `scopes` are wanted beside the provider's own and
    `granted_scopes` are those that the account holds already; `token` is a token that the person
    brought along. `device` None: where no browser can be opened. `timeout` is in seconds.
    `acr_values` and `max_age` (seconds) say how strong and how fresh it has to be (RFC 9470).
    `redirect_uri` is known once a listener is bound. Raises ValueError where such a login is to go
    by a code on another device: it needs a browser.
    """

    user: str | None = None
    scopes: tuple[str, ...] = ()
    granted_scopes: tuple[str, ...] = ()
    read_only: bool = False
    browser: bool = True
    device: bool | None = None
    token: str | None = field(default=None, repr=False)
    instance: str | None = None
    callback_port: int | None = None
    acr_values: str | None = None
    max_age: int | None = None
    timeout: float = 300.0
    redirect_uri: str | None = None

    def __post_init__(self) -> None:
        if self.device and self.needs_browser:
            raise ValueError("acr_values= and max_age= need a browser: leave device=True out")

    @property
    def needs_browser(self) -> bool:
        """Whether the login has to be strong or fresh: no code on another device shows that."""
        return self.acr_values is not None or self.max_age is not None


@dataclass(frozen=True)
class BegunLogin(Unpickled):
    """A login that is finished by another call, `Provider.finish_login`, perhaps elsewhere.

    The person opens `url`, and enters `user_code` there where there is one, within `lifetime`
    seconds; the server may be asked each `interval` seconds. `secrets` are texts that no one else
    may see, by names of the provider's.
    """

    url: str = field(repr=False)
    lifetime: float
    secrets: Mapping[str, str | None] = field(repr=False)
    user_code: str | None = None
    interval: float = 5.0
    redirect_uri: str | None = None
    iss_required: bool = False

    @property
    def kind(self) -> Literal["device", "redirect"]:
        """Whether the server is asked for the outcome, or the browser's last URL is needed."""
        return "device" if self.redirect_uri is None else "redirect"


def accept_token(token: str) -> TokenBundle:
    """Return the bundle of a *token* that the person brought along. Raises `LoginFailed`."""
    secret = usable(token.strip())
    del token
    if secret is None:
        raise LoginFailed("That is not a valid token: it is empty or has unexpected characters.")
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

    def watch(self, check: Callable[[], None]) -> bool:  # noqa: ARG002
        """Return whether *check* will be called again and again while `wait_for_redirect` waits.

        What it raises ends that wait: the response came another way. By default it is not called.
        """
        return False

    def finish(self, success: bool, message: str | None = None) -> None:  # noqa: B027, FBT001
        """Hear how the login ended: *message* is a sentence for the person. Nothing by default."""

    @abstractmethod
    def wait_for_redirect(
        self,
        start: Callable[[str], AuthorizationRequest],
        redirect_uris: Sequence[str],
        *,
        callback_port: int | None = None,
        timeout: float = 300.0,
    ) -> AuthorizationResponse:
        """Send the person to the server and return its response.

        Binds a listener for one of *redirect_uris*, calls *start* with the URI listened on,
        shows and opens the request's URL, and takes whichever comes first: the redirect, or the
        URL (or code) pasted on the terminal. Blocks at most *timeout* seconds. Raises
        `LoginFailed` when the server refused, when nothing came, or when no port is free.
        """
