"""The device authorization grant (RFC 8628): the person logs in on whatever they have at hand."""

from __future__ import annotations

import importlib
import io
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from click_auth.console import console
from click_auth.console.text import printable
from click_auth.errors import CALLBACK_TIMEOUT, OAUTH_FAILED, LoginFailed, Unreachable
from click_auth.http.urls import named_by
from click_auth.oauth.endpoint import EndpointFailed
from click_auth.oauth.server import Server
from click_auth.oauth.token_response import expiry, usable_token
from click_auth.tokens import Hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click_auth.oauth.provider import OAuthProvider
    from click_auth.providers.request import LoginRequest, LoginUI
    from click_auth.tokens import TokenBundle

ENDPOINT = "device_authorization_endpoint"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_INTERVAL = 5.0  # seconds, as are all of these
SHORTEST_INTERVAL = 1.0
SLOWER_BY = 5.0
LONGEST_BACKOFF = 10.0


@dataclass(frozen=True)
class DeviceCode:
    """The server's answer to a device authorization request (section 3.2), checked."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    uri: str
    complete_uri: str | None = field(repr=False)
    lifetime: float
    interval: float

    @classmethod
    def of(cls, document: Mapping[str, Any], server: str) -> DeviceCode:
        """Return what the *document* says that came from the URL *server*.

        Raises `EndpointFailed`, which quotes none of it.
        """
        complete = document.get("verification_uri_complete")
        lifetime = expiry(document.get("expires_in"), 0.0)
        user_code = document.get("user_code")
        if not isinstance(user_code, str) or not printable(user_code):
            raise EndpointFailed("the server gave no user code")
        if lifetime is None:
            raise EndpointFailed("the server did not say for how long the code is good")
        return cls(
            usable_token(document.get("device_code"), "device code"),
            printable(user_code, 60),
            _page(server, document.get("verification_uri") or document.get("verification_url")),
            None if complete is None else _page(server, complete),
            lifetime,
            _interval(document.get("interval")),
        )


def _page(server: str, uri: object) -> str:
    try:
        return named_by(server, uri, "the server's verification page")
    except ValueError as error:
        reason = str(error).rstrip(".")
    raise EndpointFailed(reason)


def _interval(value: object) -> float:
    seconds = 0.0 if value == 0 and not isinstance(value, bool) else expiry(value, 0.0)
    return DEFAULT_INTERVAL if seconds is None else max(seconds, SHORTEST_INTERVAL)


def login(
    provider: OAuthProvider,
    request: LoginRequest,
    ui: LoginUI,
    *,
    sleep: Callable[[float], None] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> TokenBundle:
    """Return the tokens of a login on another device. Blocks until the code expires at most.

    Raises `LoginFailed`.
    """
    server, scopes = Server(provider), provider.requested_scopes(request)
    try:
        if server.offered(ENDPOINT) is None:
            message = f"{provider.display_name} has no login by device."
            hint = "Log in without --device: the address opens in any browser; paste the answer."
            raise LoginFailed(message, hints=[hint])
        code = _begin(server, scopes)
    except EndpointFailed as error:
        raise error.as_login_error(OAUTH_FAILED) from None
    patience = min(code.lifetime, request.timeout)
    deadline = monotonic() + patience
    with console.counting_down(patience) as countdown:
        _show(code, request, ui)
        return _Polling(server, code, scopes, deadline, sleep or countdown.sleep, monotonic).run()


def _begin(server: Server, scopes: tuple[str, ...]) -> DeviceCode:
    form = dict(server.provider.authorize_params)  # Auth0 wants its audience here too
    if scopes:
        form["scope"] = server.provider.scope_separator.join(scopes)
    if server.provider.resource is not None:
        form["resource"] = server.provider.resource
    granted = server.as_client(lambda client: server.post(ENDPOINT, form, client))
    return DeviceCode.of(granted.document, server.endpoint(ENDPOINT))


def _show(code: DeviceCode, request: LoginRequest, ui: LoginUI) -> None:
    text = (
        f"To log in, open {code.uri} on any device and enter the code:\n\n    {code.user_code}\n\n"
        "Go on only if you started this login yourself."
    )
    fields = {"user_code": code.user_code, "verification_uri": code.uri}
    if code.complete_uri is not None:
        fields["verification_uri_complete"] = code.complete_uri
    ui.event("device_code", text, **fields, expires_in=code.lifetime)
    best = code.complete_uri or code.uri
    picture = _qr_code(best) if ui.has_terminal else None
    opens = request.browser and ui.has_browser
    page = f"\n\n{best}\n\n\n" if opens else ""
    if picture is not None and _fits(f"{text}\n{picture}{page}"):  # the code must not scroll away
        ui.event("qr_code", picture, url=best)
    if opens:
        ui.open_page(best)


def _fits(text: str) -> bool:
    """Return whether the terminal shows all of *text* at once, and a line on which to wait."""
    columns, rows = shutil.get_terminal_size()
    return sum(len(line) // columns + 1 for line in text.splitlines()) < rows


def _qr_code(url: str) -> str | None:
    """Return a picture of *url* for a terminal, where segno, an extra, is installed."""
    try:
        segno = importlib.import_module("segno")
    except ImportError:
        return None
    picture = io.StringIO()
    try:
        segno.make(url, micro=False).terminal(picture, compact=True, border=1)
    except ValueError:  # too long for a picture
        return None
    return picture.getvalue()


@dataclass
class _Polling:
    server: Server
    code: DeviceCode
    scopes: tuple[str, ...]
    deadline: float
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    slowed: int = 0

    def run(self) -> TokenBundle:
        """Return the tokens once the person has agreed (section 3.5)."""
        form = Hidden({"grant_type": GRANT_TYPE, "device_code": self.code.device_code})
        interval, failures, wait = self.code.interval, 0, self.code.interval
        while self.monotonic() + wait < self.deadline:
            self.sleep(wait)
            try:
                return self.server.tokens(form, self.server.client, self.scopes)
            except EndpointFailed as error:
                wait, failures = interval, failures + 1
                if error.error == "slow_down":  # GitHub says how slow
                    told = expiry(error.interval, 0.0) or 0.0
                    wait = interval = max(interval + SLOWER_BY, told)
                    self.slowed += 1
                elif _is_passing(error):
                    backoff = min(interval * 2**failures, max(interval, LONGEST_BACKOFF))
                    wait = max(backoff, error.retry_after or 0.0)
                elif error.error != "authorization_pending":
                    raise self._ended(error) from None
                if not _is_passing(error):
                    failures = 0
        raise self._expired()

    def _ended(self, error: EndpointFailed) -> LoginFailed | Unreachable:
        if error.error == "access_denied":
            return LoginFailed("The login was refused on the other device.")
        return self._expired() if error.error == "expired_token" else error.as_login_error()

    def _expired(self) -> LoginFailed:
        hints = ["Start the login again."]
        if self.slowed > 1:  # one is a server's way to lengthen the interval
            hints.append(
                f"The server said {self.slowed} times that it was asked too often: the clock of "
                "this machine may run too fast, as in a virtual machine that was suspended."
            )
        message = "The code was not entered in time."
        return LoginFailed(message, code=CALLBACK_TIMEOUT, hints=hints)


def _is_passing(error: EndpointFailed) -> bool:
    """Return whether the failure says nothing about this login: no answer, or a sick server."""
    is_sick = error.status == 429 or (error.status or 0) >= 500  # noqa: PLR2004
    return is_sick or (error.error is None and not error.answered)
