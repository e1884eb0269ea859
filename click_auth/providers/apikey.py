"""`ApiKeyProvider`: a service whose users make an API key on a page and paste it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.errors import Refused
from click_auth.http.urls import checked_endpoint, checked_url, host_of
from click_auth.providers import DEFAULT_ID, Provider

UNAUTHORIZED = 401

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from click_auth.providers.request import LoginRequest, LoginUI
    from click_auth.record import TokenBundle


class ApiKeyProvider(Provider):
    """A service with API keys. No I/O until used.

    `login` shows (and on a terminal opens) *create_url*, then takes the key from a hidden
    prompt, or from stdin. The key travels in *header*, after *scheme* where that is not empty.
    *identify* gets a client with the key, whose base URL is *api_url*, and returns a mapping
    with `id`; without it there is one account, "default".

    Raises `ValueError` for URLs that are not https, and for a header that is none.
    """

    def __init__(
        self,
        *,
        api_url: str | None = None,
        create_url: str | None = None,
        header: str = "Authorization",
        scheme: str | None = "Bearer",
        identify: Callable[[httpx.Client], Mapping[str, Any]] | None = None,
    ) -> None:
        name = header.replace("-", "").replace("_", "")
        if not (name.isalnum() and name.isascii()):
            raise ValueError(f"{header!r} is not the name of a header")
        self.api_url: str | None = None if api_url is None else checked_endpoint(api_url, "api_url")
        self.create_url: str | None = (
            None if create_url is None else checked_url(create_url, "create_url")
        )
        self.header = header
        self.scheme = scheme
        self.identify_with = identify
        self.options: frozenset[str] = frozenset(
            ("--with-token", "--no-browser") if create_url else ("--with-token",)
        )

    @property
    def display_name(self) -> str:
        """The host that the key is for."""
        return type(self).__name__ if self.service_url is None else host_of(self.service_url)

    @property
    def service_url(self) -> str | None:
        """The API, else the page where keys are made."""
        return self.api_url or self.create_url

    def login(self, request: LoginRequest, ui: LoginUI) -> TokenBundle:
        """Return the key that the person brings. Blocks while they fetch it."""
        from click_auth.providers.request import accept_token  # noqa: PLC0415 - not for `--help`

        if request.token is not None:
            return accept_token(request.token)
        if self.create_url is not None and ui.has_terminal:
            ui.say("Create an API key on this page and paste it here.")
            ui.open_page(self.create_url)
        elif self.create_url is not None:
            ui.say(f"Create an API key at {self.create_url}")
        return accept_token(ui.ask("API key", hidden=True))

    def identify(self, client: httpx.Client, bundle: TokenBundle) -> Mapping[str, Any]:
        """Return whose key it is, according to `identify=`; else one account, "default"."""
        del bundle
        if self.identify_with is None:
            return {"id": DEFAULT_ID}
        try:
            return self.identify_with(client)
        except self.http.module.HTTPStatusError as error:
            if error.response.status_code != UNAUTHORIZED:
                raise
        message = f"The server rejected this API key ({UNAUTHORIZED})."
        raise Refused(
            message, hints=[f"Create one at {self.create_url}."] if self.create_url else ()
        )

    def apply(self, request: httpx.Request, bundle: TokenBundle) -> None:
        """Put the key into its header."""
        key = bundle.access_token
        request.headers[self.header] = f"{self.scheme} {key}" if self.scheme else key
