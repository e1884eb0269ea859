"""The device authorization grant (RFC 8628): the person logs in on whatever they have at hand."""

from __future__ import annotations

import importlib
import io
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from click_auth import errors
from click_auth.console import console
from click_auth.console.text import printable
from click_auth.errors import AuthError, LoginFailed
from click_auth.http.urls import named_by
from click_auth.oauth.endpoint import Client, EndpointFailed, granted
from click_auth.oauth.token_endpoint import expiry, request_tokens, usable_token
from click_auth.record import Hidden, TokenBundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click_auth.oauth.server import Server
    from click_auth.providers.request import LoginRequest, LoginUI

ENDPOINT = "device_authorization_endpoint"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_INTERVAL = 5.0  # seconds, as are all of these
SHORTEST_INTERVAL = 1.0
SLOWER_BY = 5.0
LONGEST_BACKOFF = 10.0
LAST_CALL = 4.0  # for a poll that is under way when the time is up
_OTHER_WAY = "Log in without --device: open the URL in any browser, then paste the final URL."


class Declined(LoginFailed):
    """The person said no where the code was entered."""


class OutOfTime(LoginFailed):
    """The code was not entered in the time that there was for it."""


@dataclass(frozen=True)
class DeviceCode:
    """The server's response to a device authorization request (section 3.2), checked."""

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
        said = document.get("interval")
        interval = SHORTEST_INTERVAL if said == 0 and said is not False else expiry(said)
        user_code = document.get("user_code")
        if not isinstance(user_code, str) or not printable(user_code):
            raise EndpointFailed("the server sent no user code")
        if lifetime is None:
            raise EndpointFailed("the server didn't say when the code expires")
        return cls(
            usable_token(document.get("device_code"), "device code"),
            printable(user_code, 60),
            _page(server, document.get("verification_uri") or document.get("verification_url")),
            None if complete is None else _page(server, complete),
            lifetime,
            max(DEFAULT_INTERVAL if interval is None else interval, SHORTEST_INTERVAL),
        )


def _page(server: str, uri: object) -> str:
    try:
        return named_by(server, uri, "the server's verification page")
    except ValueError as error:
        reason = str(error).rstrip(".")
    raise EndpointFailed(reason)


class DeviceLogin:
    """A login by a code, from its begin to the tokens that it brings."""

    code: DeviceCode
    client: Client

    def __init__(self, server: Server, request: LoginRequest) -> None:
        self._server = server
        self._request = request
        self._scopes = server.requested_scopes(request)

    def begin(self) -> DeviceLogin:
        """Get a new code. Blocks. Raises `LoginFailed`."""
        facts = self._server.facts
        # Auth0 wants its audience here too.
        form = {**facts.authorize_params, **self._server.request_fields(self._scopes)}

        def begin_as(client: Client) -> DeviceCode:
            self.client = client
            document = granted(self._server.post(ENDPOINT, client, form))
            return DeviceCode.of(document, self._server.endpoint(ENDPOINT))

        try:
            if self._server.offered(ENDPOINT) is None:
                message = f"{facts.display_name} doesn't support logging in with a code."
                raise LoginFailed(message, hints=[_OTHER_WAY])
            self.code = self._server.as_client(begin_as)
        except EndpointFailed as error:
            raise error.as_login_error() from None
        return self

    def ask(self) -> TokenBundle:
        """Return the tokens, if the person has agreed. Blocks. Raises `EndpointFailed`."""
        form = Hidden({"grant_type": GRANT_TYPE, "device_code": self.code.device_code})
        return request_tokens(self._server, self.client, form, self._scopes)

    def resume(self, code: DeviceCode) -> TokenBundle | None:
        """Return the tokens of a *code* that was begun elsewhere, None where it is pending still.

        Asks at once, then for as long as the request waits. Blocks. Raises `LoginFailed`.
        """
        client = self._server.known_client()
        if client is None:
            raise LoginFailed("This application is no longer registered with the server.")
        self.client, self.code = client, code
        try:
            return self.poll(self._request.timeout, time.sleep, first_wait=0.0)
        except OutOfTime:
            return None

    def wait(
        self,
        ui: LoginUI,
        sleep: Callable[[float], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> TokenBundle:
        """Show the code and return the tokens for it. Blocks until it expires at most."""
        seconds = min(self.code.lifetime, self._request.timeout)
        self._server.limit(seconds + LAST_CALL)
        with console.counting_down(seconds, "the code") as countdown:
            self.show(ui)
            if not countdown.shown:
                console.current().done("Waiting for the code (Ctrl-C to cancel).", well=False)
            return self.poll(seconds, sleep or countdown.sleep, monotonic)

    def poll(
        self,
        seconds: float,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float] = time.monotonic,
        first_wait: float | None = None,
    ) -> TokenBundle:
        """Return the tokens once the person has agreed (section 3.5). Raises `LoginFailed`."""
        deadline, interval = monotonic() + seconds, self.code.interval
        wait, failures, slowed = interval if first_wait is None else first_wait, 0, 0
        while wait <= 0 or monotonic() + wait < deadline:
            sleep(wait)
            try:
                return self.ask()
            except EndpointFailed as error:
                wait, failures = interval, failures + 1 if _is_passing(error) else 0
                if error.error == "slow_down":  # GitHub says how slow
                    wait = interval = max(interval + SLOWER_BY, expiry(error.interval) or 0.0)
                    slowed += 1
                elif failures:
                    backoff = min(interval * 2**failures, max(interval, LONGEST_BACKOFF))
                    wait = max(backoff, error.retry_after or 0.0)
                elif error.error == "access_denied":
                    message = "You declined the request on the other device."
                    raise Declined(message, hints=[Declined.if_a_mistake]) from None
                elif error.error == "expired_token":
                    raise _too_late(LoginFailed, slowed) from None
                elif error.error != "authorization_pending":
                    raise error.as_login_error(errors.TOKEN_EXCHANGE_FAILED) from None
        raise _too_late(OutOfTime, slowed)

    def show(self, ui: LoginUI, rows_below: int = 0) -> None:
        """Tell the person the code, and where to enter it; *rows_below* come on the screen yet."""
        code = self.code
        text = (
            f"To log in, open {code.uri} on any device and enter the code:\n\n"
            f"    {code.user_code}\n\nOnly continue if you started this login."
        )
        fields = {"user_code": code.user_code, "verification_uri": code.uri}
        if code.complete_uri is not None:
            fields["verification_uri_complete"] = code.complete_uri
        ui.event("device_code", text, **fields, expires_in=code.lifetime)
        best = code.complete_uri or code.uri
        picture = _qr_code(best) if ui.has_terminal else None
        opens = self._request.browser and ui.has_browser
        page = f"\n\n{best}\n\n\n" if opens else "\n" * rows_below
        # The code must not scroll away.
        if picture is not None and _fits(f"{text}\n{picture}{page}"):
            ui.event("qr_code", picture, url=best)
        if opens:
            ui.open_page(best)


def _fits(text: str) -> bool:
    """Return whether the terminal shows all of *text* at once, and a line on which to wait."""
    columns, rows = shutil.get_terminal_size()
    lines = sum(len(line) // (columns or 80) + 1 for line in text.splitlines())  # 0 is unknown
    return lines < (rows or 24)


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


def _too_late(kind: type[LoginFailed], slowed: int) -> LoginFailed:
    hints = [AuthError.log_in_again]
    if slowed > 1:  # one is a server's way to lengthen the interval
        hints.append(
            f"The server asked {slowed} times for fewer requests: this machine's clock may "
            "be running fast, as in a virtual machine that was suspended."
        )
    return kind("The code wasn't entered in time.", code=errors.CALLBACK_TIMEOUT, hints=hints)


def _is_passing(error: EndpointFailed) -> bool:
    """Return whether the failure says nothing about this login: no response, or a sick server."""
    is_sick = error.status == 429 or (error.status or 0) >= 500  # noqa: PLR2004
    return is_sick or (error.error is None and not error.answered)
