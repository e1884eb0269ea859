"""An application that is examined, and what is found."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from click_auth import Auth, Check, OAuthProvider, attach_doctor
from click_auth.testing import AuthorizationServer
from runner import CliRunner, Result


@dataclass
class Patient:
    """One application, `todo`. Nothing of this machine's environment reaches it."""

    server: AuthorizationServer
    folder: Path
    storage: str = "plaintext"
    environ: dict[str, str] = field(default_factory=lambda: {"BROWSER": "true"})
    settings: dict[str, Any] = field(default_factory=lambda: {"http_options": {"trust_env": False}})

    @property
    def provider(self) -> OAuthProvider:
        return OAuthProvider(
            client_id="todo-cli", issuer=self.server.issuer, api_url=self.server.api_url
        )

    @property
    def auth(self) -> Auth:
        settings = {"provider": self.provider, "folder": self.folder, **self.settings}
        return Auth("todo", storage=self.storage, **settings)

    def checks(self) -> list[Check]:
        """Return everything that the doctor finds."""
        with self.auth.override(environ={"PATH": "/usr/bin:/bin", **self.environ}) as auth:
            return list(auth.doctor().checks)

    def check(self, name: str) -> Check:
        """Return the one check of this name."""
        (found,) = self.all(name)
        return found

    def all(self, name: str) -> list[Check]:
        """Return the checks of this name."""
        return [check for check in self.checks() if check.name == name]

    def command(self, *arguments: str, color: bool = False, **environ: str) -> Result:
        """Run the command."""

        @click.group()
        def cli() -> None:
            """Keep track of things to do."""

        with self.auth.override(environ={"PATH": "/usr/bin:/bin", **self.environ}) as auth:
            attach_doctor(auth)(cli)
            return CliRunner().invoke(cli, ["doctor", *arguments], color=color, env=environ)

    def alter(self, **fields: Any) -> None:
        """Change fields of every record, as a hand or another version would."""
        path = self.folder / "auth.json"
        root = json.loads(path.read_bytes())
        for record in root["accounts"].values():
            record.update(fields)
            record.pop("seal", None)
        path.write_text(json.dumps(root))
