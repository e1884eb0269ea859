"""`notes`: a service that logs people in by a code in an e-mail. A provider of one's own."""

import os
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import click

from click_auth import (
    Auth,
    AuthError,
    LoginFailed,
    LoginRequest,
    LoginUI,
    NotLoggedIn,
    Provider,
    TokenBundle,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

_REFUSALS = (400, 401, 403)


class MagicLink(Provider):
    """Log in with an e-mail address and the code that is sent to it.

    `login` is the only method that a provider must have. This one has sessions that end, so it
    refreshes them too.
    """

    options = frozenset({"--user"})

    def __init__(self, api_url: str) -> None:
        self.api_url = api_url

    def login(self, request: LoginRequest, ui: LoginUI) -> TokenBundle:
        """Ask for the address, have a code sent there, and give it back for a session."""
        email = request.user or ui.ask("E-mail address")
        self._post("/login/start", LoginFailed("Nobody has that address."), email=email)
        ui.say(f"A code is on its way to {email}.")
        code = ui.ask("Code", hidden=True)
        wrong = LoginFailed("That is not the code, or it is too old.")
        return self._session("/login/finish", wrong, email=email, code=code)

    def identify(self, client: "httpx.Client", bundle: TokenBundle) -> "Mapping[str, Any]":
        """Return who logged in: `id`, and what to call them."""
        del bundle
        me = client.get("/me").raise_for_status().json()
        return {"id": me["id"], "label": me["email"]}

    def refresh(self, bundle: TokenBundle) -> TokenBundle:
        """Renew the session. With this code, nobody asks again until the next login."""
        over = NotLoggedIn("The session is over.", code="AUTH_REFRESH_EXPIRED")
        return self._session("/session/renew", over, renewal=bundle.refresh_token)

    def revoke(self, bundle: TokenBundle) -> bool:
        """End the session."""
        try:
            self._post("/session/end", LoginFailed("It is over."), renewal=bundle.refresh_token)
        except AuthError:
            return False
        return True

    def _session(self, path: str, refusal: AuthError, **body: str | None) -> TokenBundle:
        sent_at = datetime.fromtimestamp(time.time(), timezone.utc)
        answer = self._post(path, refusal, **body)
        life = timedelta(seconds=float(answer["lives"]))
        return TokenBundle(answer["session"], answer["renewal"], expires_at=sent_at + life)

    def _post(self, path: str, refusal: AuthError, **body: str | None) -> dict[str, Any]:
        """Return the answer. Whatever a server can cause becomes one of click-auth's errors."""
        try:
            with self.http.client(base_url=self.api_url, timeout=10) as api:
                answer = api.post(path, json=body)
            if answer.status_code not in _REFUSALS:
                found: dict[str, Any] = answer.raise_for_status().json()
                return found
        except (self.http.module.HTTPError, ValueError) as error:
            message = f"The service could not be asked ({type(error).__name__})."
            raise Unreachable(message) from None
        raise refusal


auth = Auth("notes", MagicLink(os.environ.get("NOTES_API_URL", "https://api.notes.example")))


@click.group()
def cli() -> None:
    """Keep notes."""


cli.add_command(auth.group())


@cli.command("list")
@auth.user_option
def list_notes() -> None:
    """List notes."""
    with auth.client() as api:
        for note in api.get("/notes").raise_for_status().json():
            click.echo(note["text"])


if __name__ == "__main__":
    cli(prog_name="notes")
