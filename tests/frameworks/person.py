"""A person who runs a program in real processes, and a day of theirs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from click_auth.testing import AuthorizationServer, FakeBrowser

# The longest that one command may take here, in seconds.
COMMAND_SECONDS = 120.0

# The `auth` of the README, and what all programs here do with it.
AUTH_MODULE = '''\
import os

from click_auth import Auth, OAuthProvider

auth = Auth(
    "todo",
    OAuthProvider(
        client_id="todo-cli",
        issuer=os.environ["TODO_ISSUER"],
        scopes=("tasks:read", "offline_access"),
        api_url=os.environ["TODO_API_URL"],
        identify=lambda api: api.get("/me").raise_for_status().json(),
    ),
)


def show_tasks(user: "str | None" = None) -> None:
    """Print open tasks, and whose they are."""
    with auth.client(user=user) as api:
        print("tasks of", api.get("/me").raise_for_status().json()["id"])
        for task in api.get("/tasks").raise_for_status().json():
            print(task["title"])
'''


@dataclass
class Person:
    """Somebody with a home of their own, who runs `command`."""

    server: AuthorizationServer
    home: Path
    command: Sequence[str | Path]
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.home / "todo_auth.py").write_text(AUTH_MODULE, encoding="utf-8")

    def run(
        self, *words: str, code: int | None = 0, stdin: str = "", **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the program with *words*; it has to end with *code*, where that is not None."""
        done = subprocess.run(
            [*map(str, self.command), *words],
            env={**self.environment(), **environ},
            cwd=self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert code in (None, done.returncode), (words, done.returncode, done.stdout, done.stderr)
        return done

    def environment(self) -> dict[str, str]:
        """Return the environment of a machine on which nothing has been set up."""
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        homes = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME")
        return {
            **kept,
            **dict.fromkeys(homes, str(self.home)),
            "TODO_ISSUER": self.server.issuer,
            "TODO_API_URL": self.server.api_url,
            "TODO_CONFIG_DIR": str(self.home / "todo"),
            "TODO_AUTH_STORAGE": "plaintext",
            "BROWSER": FakeBrowser.command(),
            "PYTHONPATH": str(self.home),
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "200",
            "TERMINAL_WIDTH": "200",
            **self.environ,
        }


def log_in_and_out(person: Person, auth: Sequence[str] = ("auth",)) -> None:
    """Log in, look, take the token and log out, through the group that is called *auth*."""
    assert "Not logged in" in person.run(*auth, "status", code=4).stdout
    assert "Logged in" in person.run(*auth, "login").stderr
    assert "ada" in person.run(*auth, "status").stdout
    token = person.run(*auth, "token").stdout
    assert person.server.family_alive(token)
    refused = person.run(*auth, "token", "--user", "eve", "--json", code=2)
    assert json.loads(refused.stderr)["error"]["code"] == "ACCOUNT_NOT_FOUND"
    assert refused.stdout == ""
    person.run(*auth, "logout")
    assert not person.server.family_alive(token)
    error = person.run(*auth, "token", code=4).stderr
    assert f"todo {' '.join(auth)} login" in " ".join(error.split())


def spend_a_day(
    person: Person, auth: Sequence[str] = ("auth",), own: Sequence[str] = ("tasks",)
) -> None:
    """Walk the story of the demo, with two accounts and a command of the program's own."""
    server = person.server
    line = f"todo {' '.join(auth)} login"
    assert line in " ".join(person.run(*own, code=4).stderr.split())
    person.run(*auth, "login")
    assert "tasks of ada" in person.run(*own).stdout
    server.expire_access_tokens()
    assert "tasks of ada" in person.run(*own).stdout
    assert server.refresh_count == 1
    server.login_as = "bob"
    person.run(*auth, "login")
    assert "tasks of bob" in person.run(*own).stdout
    assert "tasks of ada" in person.run(*own, "--user", "ada").stdout
    person.run(*own, "--user", "eve", code=2)
    mine, theirs = (person.run(*auth, "token", "--user", who).stdout for who in ("ada", "bob"))
    assert mine != theirs
    listed = json.loads(person.run(*auth, "account", "list", "--json").stdout)
    assert [each["account"]["id"] for each in listed["accounts"]] == ["ada", "bob"]
    person.run(*auth, "logout", "--all")
    assert not any(map(server.family_alive, ("ada", "bob")))
    assert line in " ".join(person.run(*own, code=4).stderr.split())
