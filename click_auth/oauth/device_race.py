"""A login by a code and by a redirect at once: whichever is answered first ends the other."""

from __future__ import annotations

import threading
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

from click_auth.console import console
from click_auth.errors import AuthError, Unreachable
from click_auth.oauth.device import Declined, DeviceLogin
from click_auth.oauth.endpoint import EndpointFailed
from click_auth.oauth.token_endpoint import revoke
from click_auth.record import TokenBundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.oauth.server import Server
    from click_auth.providers.request import LoginUI

_ROWS_OF_REDIRECT = 24  # what a login by redirect shows below the code, about


class CodeEntered(Exception):
    """The code was entered, and these are the tokens: nothing else needs to be waited for."""

    def __init__(self, bundle: TokenBundle) -> None:
        super().__init__()
        self.bundle = bundle


class Race:
    """One login that is waited for in both ways."""

    def __init__(self, server: Server, by_device: DeviceLogin) -> None:
        self._server = server
        self._by_device = by_device
        self._is_over = threading.Event()
        self._outcomes: list[TokenBundle | Exception] = []

    def run(self, ui: LoginUI, log_in_by_redirect: Callable[[], TokenBundle]) -> TokenBundle:
        """Return the tokens of whatever is answered first. Blocks. Raises `LoginFailed`.

        A server that gives no code leaves the redirect, and where nobody could paste its response
        the code is all there is.
        """
        can_race = ui.has_terminal and ui.watch(self._check)
        if ui.has_terminal and not can_race:
            return log_in_by_redirect()
        try:
            self._by_device.begin()
        except AuthError as error:
            if isinstance(error, Unreachable) and not can_race:
                raise
            console.log("no login by device: %s", error.message)
            return log_in_by_redirect()
        if not can_race:
            return self._by_device.wait(ui)
        self._by_device.show(ui, rows_below=_ROWS_OF_REDIRECT)
        ui.say("Or log in without the code:")
        run_here = partial(copy_context().run, self._ask)  # it speaks on the caller's console
        threading.Thread(target=run_here, name="click-auth device", daemon=True).start()
        try:
            return log_in_by_redirect()
        except CodeEntered as entered:
            console.log("response: the code was entered on another device")
            return entered.bundle
        finally:
            self._is_over.set()  # the code is forgotten: nobody asks for it again
            self._revoke_late()

    def _ask(self) -> None:
        """Ask for the code's outcome until there is one, or until the race is over."""
        try:
            self._outcomes.append(self._by_device.poll(self._by_device.code.lifetime, self._sleep))
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            self._outcomes.append(error)
        if self._is_over.is_set():
            self._revoke_late()

    def _sleep(self, seconds: float) -> None:
        if self._is_over.wait(seconds):
            raise Declined("Nobody waits for the code any more.")

    def _revoke_late(self) -> None:
        """Revoke the tokens of a code that was entered when the redirect had been answered."""
        with suppress(IndexError, EndpointFailed, AuthError):  # two threads may see it last
            outcome = self._outcomes.pop()
            if isinstance(outcome, TokenBundle):
                console.log("the code was entered too late: revoking what it brought")
                revoke(self._server, outcome)

    def _check(self) -> None:
        """Raise `CodeEntered` once it was, or `Declined`; say it where the code is of no use."""
        outcome = self._outcomes.pop() if self._outcomes else None
        if isinstance(outcome, TokenBundle):
            raise CodeEntered(outcome)
        if isinstance(outcome, AuthError) and not isinstance(outcome, Declined):
            console.current().say(f"{outcome.message} The URL above still works.")
        elif outcome is not None:
            raise outcome
