"""Every secret that went over the wire, and where it turned up."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from click_auth.testing import Answer, Request
from hostile.world import Ended, World

CLIENT, CLIENT_SECRET = "todo-ci", "canary/client secret+%"
ID_TOKEN = "eyJhbGciOiJub25lIn0.canary-id-token.e30"
SECRET_FIELDS = ("code", "code_verifier", "refresh_token", "device_code", "client_secret", "token")
URL = re.compile(r"""https?://[^\s"'\x1b]*[?&]code_challenge=[^\s"'\x1b]*""")


@dataclass
class Canaries:
    """What must be seen nowhere: the secrets of a server, after it was used."""

    world: World
    heard: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, **environ: str) -> Ended:
        """Run a command with everything turned on that shows more, and keep what it said."""
        said = self.world.run(
            *arguments,
            TODO_AUTH_DEBUG="1",
            PYTHONDEVMODE="1",
            HOSTILE_LOG=str(self.world.home / "log.txt"),
            HOSTILE_CLIENT=CLIENT,
            HOSTILE_SECRET=CLIENT_SECRET,
            **environ,
        )
        name = f"{len(self.heard)} {' '.join(arguments)}"
        self.heard[f"{name}: stdout"], self.heard[f"{name}: stderr"] = said.out, said.err
        return said

    def secrets(self) -> dict[str, str]:
        """Return what each secret is, by its value."""
        found = {CLIENT_SECRET: "client secret", ID_TOKEN: "ID token"}
        grants = self.world.server.grants
        found |= dict.fromkeys(grants.codes, "code")
        found |= {value: f"{token.kind} token" for value, token in grants.tokens.items()}
        for entry in self.world.server.journal.snapshot():
            found |= {entry.form[name]: name for name in SECRET_FIELDS if name in entry.form}
            found |= {entry.query[name]: name for name in ("state", "nonce") if name in entry.query}
        return {value: name for value, name in found.items() if len(value) > 8}

    def sightings(self) -> list[str]:
        """Return where which secret was seen: in what was said, logged, or left in a file.

        The address that a person opens has `state` and `nonce` in it, and is left out.
        """
        texts = {where: URL.sub("", text) for where, text in self.heard.items()}
        for path in self.world.files():
            texts[str(path)] = URL.sub("", path.read_text("utf-8", "replace"))
        return [
            f"{name} in {where}"
            for where, text in texts.items()
            for secret, name in self.secrets().items()
            if any(form in text for form in _forms(secret))
        ]


def _forms(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret, safe=""), quote_plus(secret))
    yield from (repr(secret)[1:-1], b64encode(secret.encode()).decode().rstrip("="))
    pair = f"{CLIENT}:{quote_plus(secret)}"
    yield b64encode(pair.encode()).decode()


def echo(request: Request) -> Answer:
    """Refuse a request and quote all of it, as careless servers do."""
    said = f"{request.headers.get('authorization', '')} {' '.join(request.form.values())}"
    fields = {"error": "invalid_request", "error_description": said, "error_uri": said}
    return Answer.json(fields, 400, {"X-Echo": said.encode("ascii", "replace").decode()})


def echo_as_code(request: Request) -> Answer:
    """Quote the secrets of a request where the code of an error belongs."""
    secrets = [request.form[name] for name in SECRET_FIELDS if name in request.form]
    said = " ".join((*secrets, request.headers.get("authorization", "")))
    return Answer.json({"error": said}, 400)


def echo_as_page(request: Request) -> Answer:
    """Quote all of a request on a page about an error."""
    said = f"{dict(request.headers)} {dict(request.form)}"
    return Answer.html(f"<h1>Error</h1><pre>{said}</pre>", 500)
