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
from click_auth.errors import CALLBACK_TIMEOUT, OAUTH_FAILED, LoginFailed
from click_auth.http.urls import named_by
from click_auth.oauth.endpoint import EndpointFailed
from click_auth.oauth.registration import as_client, known_client
from click_auth.oauth.token_endpoint import expiry, request_tokens, usable_token
from click_auth.tokens import Hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click_auth.oauth.registration import Client
    from click_auth.oauth.server import Server
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
        lifetime = expiry(document.get("expires_in"))
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
    seconds = 0.0 if value == 0 and not isinstance(value, bool) else expiry(value)
    return DEFAULT_INTERVAL if seconds is None else max(seconds, SHORTEST_INTERVAL)


def login(
    server: Server,
    request: LoginRequest,
    ui: LoginUI,
    *,
    sleep: Callable[[float], None] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> TokenBundle:
    """Return the tokens of a login on another device. Blocks until the code expires at most.

    Raises `LoginFailed`.
    """
    scopes = server.facts.requested_scopes(request)
    client, code = begin(server, scopes)
    seconds = min(code.lifetime, request.timeout)
    deadline = monotonic() + seconds
    with console.counting_down(seconds) as countdown:
        _show(code, request, ui)
        return _poll(
            lambda: _ask(server, client, code.device_code, scopes),
            code.interval,
            lambda wait: monotonic() + wait < deadline,
            sleep or countdown.sleep,
        )


def poll(
    server: Server, device_code: str, scopes: tuple[str, ...], interval: float, deadline: float
) -> TokenBundle | None:
    """Return the tokens of a code that was begun elsewhere, None where it is pending still.

    Asks at once, then each *interval* seconds until *deadline* (monotonic). Raises `LoginFailed`.
    """
    is_over = False

    def has_time_for(wait: float) -> bool:
        nonlocal is_over
        is_over = wait > 0 and time.monotonic() + wait > deadline
        return not is_over

    try:
        client = known_client(server)
    except EndpointFailed as error:
        raise error.as_login_error(OAUTH_FAILED) from None
    if client is None:
        raise LoginFailed("This application's client is not registered any more.")
    try:
        return _poll(
            lambda: _ask(server, client, device_code, scopes),
            interval,
            has_time_for,
            time.sleep,
            first_wait=0.0,
        )
    except LoginFailed:
        if is_over:
            return None
        raise


def begin(server: Server, scopes: tuple[str, ...]) -> tuple[Client, DeviceCode]:
    """Return a new code, and the client that it was made for. Blocks. Raises `LoginFailed`."""
    try:
        if server.offered(ENDPOINT) is None:
            message = f"{server.facts.display_name} has no login by device."
            hint = "Log in without --device: the address opens in any browser; paste the answer."
            raise LoginFailed(message, hints=[hint])
        return _begin(server, scopes)
    except EndpointFailed as error:
        raise error.as_login_error(OAUTH_FAILED) from None


def _ask(server: Server, client: Client, device_code: str, scopes: tuple[str, ...]) -> TokenBundle:
    form = Hidden({"grant_type": GRANT_TYPE, "device_code": device_code})
    return request_tokens(server, client, form, scopes)


def _begin(server: Server, scopes: tuple[str, ...]) -> tuple[Client, DeviceCode]:
    facts = server.facts
    # Auth0 wants its audience here too.
    form = {**facts.authorize_params, **facts.request_fields(scopes)}
    client, granted = as_client(server, lambda each: each.post(server, ENDPOINT, form))
    return client, DeviceCode.of(granted.document, server.endpoint(ENDPOINT))


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


def _poll(
    ask: Callable[[], TokenBundle],
    interval: float,
    has_time_for: Callable[[float], bool],
    sleep: Callable[[float], None],
    first_wait: float | None = None,
) -> TokenBundle:
    """Return the tokens once the person has agreed (section 3.5). Raises `LoginFailed`."""
    wait, failures, slowed = interval if first_wait is None else first_wait, 0, 0
    while has_time_for(wait):
        sleep(wait)
        try:
            return ask()
        except EndpointFailed as error:
            wait, failures = interval, failures + 1 if _is_passing(error) else 0
            if error.error == "slow_down":  # GitHub says how slow
                wait = interval = max(interval + SLOWER_BY, expiry(error.interval) or 0.0)
                slowed += 1
            elif failures:
                backoff = min(interval * 2**failures, max(interval, LONGEST_BACKOFF))
                wait = max(backoff, error.retry_after or 0.0)
            elif error.error == "access_denied":
                raise LoginFailed("The login was refused on the other device.") from None
            elif error.error == "expired_token":
                break
            elif error.error != "authorization_pending":
                raise error.as_login_error() from None
    hints = ["Start the login again."]
    if slowed > 1:  # one is a server's way to lengthen the interval
        hints.append(
            f"The server said {slowed} times that it was asked too often: the clock of "
            "this machine may run too fast, as in a virtual machine that was suspended."
        )
    raise LoginFailed("The code was not entered in time.", code=CALLBACK_TIMEOUT, hints=hints)


def _is_passing(error: EndpointFailed) -> bool:
    """Return whether the failure says nothing about this login: no answer, or a sick server."""
    is_sick = error.status == 429 or (error.status or 0) >= 500  # noqa: PLR2004
    return is_sick or (error.error is None and not error.answered)
