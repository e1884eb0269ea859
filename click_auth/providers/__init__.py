"""What a provider is, the service whose credentials an application holds; what it works with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

from click_auth.defaults import Binding as Binding
from click_auth.errors import REFRESH_UNAVAILABLE, LoginFailed, NotLoggedIn, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    import httpx
    from typing_extensions import Self

    from click_auth.http.client import Http
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse
    from click_auth.providers.request import BegunLogin, LoginRequest, LoginUI
    from click_auth.record import TokenBundle

    class Documents(Protocol):
        """Discovery documents, by URL, with an age."""

        def load(self, url: str, /) -> Mapping[str, Any] | None:
            """Return the document of *url* if it is young enough. Never raises."""

        def save(self, url: str, document: Mapping[str, Any], /) -> None:
            """Keep *document*. Never raises: a cache that cannot be written is no error."""

        def forget(self, url: str, /) -> None:
            """Drop the document of *url*. Never raises."""

    class Registrations(Documents, Protocol):
        """Registered clients (RFC 7591) by name, secrets stored like tokens. May raise."""

        def insert(self, name: str, registration: Mapping[str, Any], /) -> Mapping[str, Any]:
            """Keep *registration* unless there is one under *name*; return the one that is kept."""


DEFAULT_ID = "default"
LOGIN_OPTIONS = frozenset(
    {
        *("--user", "--scope", "--read-only", "--no-browser", "--device", "--with-token"),
        *("--callback-port", "--timeout", "--no-wait", "--resume"),
        *("--acr-values", "--max-age"),
    }
)
"""Every option that a provider's `login` can offer; `Provider.options` names its own."""


class InMemory:
    """A cache and registrations that last as long as the process."""

    def __init__(self) -> None:
        self._kept: dict[str, Mapping[str, Any]] = {}

    def load(self, name: str, /) -> Mapping[str, Any] | None:
        """Return what was saved under *name*."""
        return self._kept.get(name)

    def save(self, name: str, kept: Mapping[str, Any], /) -> None:
        """Keep it under *name*."""
        self._kept[name] = kept

    def insert(self, name: str, kept: Mapping[str, Any], /) -> Mapping[str, Any]:
        """Keep it under *name* unless something is there; return what is there now."""
        return self._kept.setdefault(name, kept)

    def forget(self, name: str, /) -> None:
        """Drop what was saved under *name*."""
        self._kept.pop(name, None)


class ProviderContext:
    """HTTP as this application speaks it, and what is remembered between processes."""

    def __init__(
        self, http: Http, cache: Documents | None = None, registrations: Registrations | None = None
    ) -> None:
        self.http = http
        self.cache: Documents = cache or InMemory()
        self.registrations: Registrations = registrations or InMemory()


class Provider(ABC):
    """The base class of every provider; only `login` must be written.

    `options` names the options of `login` that make sense for it. `api_url` is the base URL of
    the application's API and the one origin to which the credential is sent. `http_timeout` is
    how long one whole call to the service may take, in seconds.
    """

    options: frozenset[str] = frozenset()
    api_url: str | None = None
    http_timeout: float = 30.0
    workload_audience: str | None = None

    @property
    def http(self) -> Http:
        """HTTP with the application's options: `self.http.client()` for a provider's own calls."""
        return self.context.http

    @cached_property
    def context(self) -> ProviderContext:
        """What the provider works with, made now where no `Auth` has given it any."""
        from click_auth.http.client import Http  # noqa: PLC0415 - not for `--help`

        return ProviderContext(Http())

    @property
    def display_name(self) -> str:
        """What a person is told about where the login goes: a host, usually."""
        return self.api_url or type(self).__name__

    @property
    def service_url(self) -> str | None:
        """The URL that `doctor` asks whether the service is there."""
        return self.api_url

    def check_metadata(self, timeout: float) -> bool:
        """Return whether the service publishes metadata, which are then fetched and checked.

        Blocks *timeout* seconds at most. Raises `TransportFailed` where they are no good.
        """
        return False

    @property
    def binding(self) -> Binding:
        """What the credentials of this provider belong to. No I/O."""
        return Binding()

    def discover_binding(self) -> Binding:
        """Return `binding`, with the issuer that only the service itself knows. Blocks.

        Raises `Unreachable` where it does not say.
        """
        return self.binding

    def with_context(self, context: ProviderContext) -> Self:
        """Return a copy of this provider that works with *context*."""
        clone = object.__new__(type(self))
        vars(clone).update(vars(self), context=context)
        return clone

    @abstractmethod
    def login(self, request: LoginRequest, ui: LoginUI) -> TokenBundle:
        """Return the tokens of a new grant. Blocks and may prompt. Raises `LoginFailed`."""

    def begin_login(self, request: LoginRequest) -> BegunLogin:
        """Return a login that another call finishes. Blocks. Raises `LoginFailed`: the default."""
        raise LoginFailed(f"A login at {self.display_name} can't be split into two commands.")

    def finish_login(
        self,
        begun: BegunLogin,
        request: LoginRequest,
        respond: Callable[[AuthorizationRequest], AuthorizationResponse],
    ) -> TokenBundle | None:
        """Return the tokens of a login that has *begun*, None while the person has not agreed.

        *respond* returns what the person brought from the browser, for a login through it.
        Blocks, at most the request's timeout. Raises `LoginFailed`, as by default.
        """
        raise LoginFailed(f"A login at {self.display_name} can't be split into two commands.")

    def identify(self, client: httpx.Client, bundle: TokenBundle) -> Mapping[str, Any]:
        """Return who logged in: a mapping with `id`, optionally `label` and more.

        *client* carries the new token to `api_url`. The default cannot tell: one account.
        """
        return {"id": DEFAULT_ID}

    def is_same_account(self, bundle: TokenBundle, account_id: str) -> bool:
        """Return whether a refreshed *bundle* belongs to the account still, as far as it says."""
        return True

    def new_label(self, bundle: TokenBundle, label: str | None) -> str | None:
        """Return the new label that a refreshed *bundle* gives the account, None where it stays.

        *label* is the one it has. No I/O. The default is what `refresh` has put into the
        bundle's `extra` as "label".
        """
        new = bundle.extra.get("label")
        return new if isinstance(new, str) and new else None

    def refresh(self, bundle: TokenBundle) -> TokenBundle:
        """Return new tokens for the refresh token of *bundle*. Blocks.

        Raises `NotLoggedIn` when the grant is dead or cannot be refreshed, and `Unreachable`
        for every other failure. The default cannot.
        """
        raise self._cannot("support refreshing tokens")

    def revoke(self, bundle: TokenBundle) -> bool | None:
        """End the grant at the server; return whether it is gone, None where there is no way.

        Blocks, raises nothing that a server can cause.
        """
        return None

    def client_credentials(self, client_id: str, client_secret: str) -> TokenBundle:
        """Return a token for the client itself (RFC 6749 section 4.4). The default cannot."""
        raise self._cannot("support client credentials")

    def exchange_id_token(self, id_token: str) -> TokenBundle:
        """Return a token for the ID token of a CI job (RFC 8693). The default cannot."""
        raise self._cannot("accept CI job ID tokens")

    def _cannot(self, what: str) -> NotLoggedIn:
        return NotLoggedIn(f"{self.display_name} doesn't {what}.", code=REFRESH_UNAVAILABLE)

    def is_challenge(self, response: httpx.Response) -> bool:
        """Return whether a 401 asks for the same credential, put on a request anew. No I/O.

        The default is no; DPoP's nonces are such a challenge (RFC 9449 section 9).
        """
        return False

    def apply(self, request: httpx.Request, bundle: TokenBundle) -> None:
        """Put the credential on *request*. No I/O."""
        request.headers["Authorization"] = f"Bearer {bundle.access_token}"


def unidentified(status: int | None, reason: str) -> LoginFailed | Unreachable:
    """Return the error for a service that did not say who it is, by the status it returned."""
    if status in (401, 403):
        return Refused(f"The server rejected this token ({status}).")
    message = f"The server didn't say who is logged in: {reason}."
    if status is None or status in (408, 425, 429) or status >= 500:  # noqa: PLR2004
        return Unreachable(message, hints=[Unreachable.try_later])
    return LoginFailed(message)
