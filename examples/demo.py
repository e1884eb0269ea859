"""A day of `todo`, against the authorization server of `click_auth.testing`.

Starts the server, runs `examples/todo.py` as its user would, prints each command with what
it said, and ends with 1 at the first step that does not do what it should. On a terminal
with a display the login opens in your browser; elsewhere, or with `--unattended`, a fake
browser presses the button. Nothing of yours is read or changed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click_auth
from click_auth.testing import AuthorizationServer, FakeBrowser

PROGRAM = Path(__file__).with_name("todo.py")
ROOT = Path(click_auth.__file__).parents[1]


class StepError(Exception):
    """A command did not do what it should."""


@dataclass
class Day:
    """The program's user, with an environment of their own."""

    environ: dict[str, str]
    attended: bool

    def todo(self, command: str, *, says: str = "", code: int = 0, secret: bool = False) -> str:
        """Run `todo COMMAND`, print what it prints, and check it; return its stdout."""
        print(f"\n$ todo {command}", flush=True)
        visible = self.attended and command == "auth login"
        done = subprocess.run(
            [sys.executable, str(PROGRAM), *command.split()],
            env=self.environ,
            stdin=None if visible else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if visible else subprocess.PIPE,
            text=True,
            timeout=330,
            check=False,
        )
        said = (done.stderr or "") + (masked(done.stdout) + "\n" if secret else done.stdout)
        print("".join(f"  {line}\n" for line in said.splitlines()), end="", flush=True)
        if done.returncode != code:
            raise StepError(f"todo {command}: exit code {done.returncode}, not {code}")
        if not visible and says not in said:
            raise StepError(f"todo {command}: it does not say {says!r}")
        return done.stdout


def masked(token: str) -> str:
    """Return a token as it may be shown."""
    return f"{token.strip()[:4]}… ({len(token.strip())} characters)"


def environment(server: AuthorizationServer, home: Path, *, attended: bool) -> dict[str, str]:
    """Return the environment of the commands: this one, without its logins and its home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TODO_")}
    kept |= {
        "TODO_ISSUER": server.issuer,
        "TODO_API_URL": server.api_url,
        "TODO_CONFIG_DIR": str(home / "todo"),
        "TODO_AUTH_STORAGE": "plaintext",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH")])),
        "PYTHONIOENCODING": "utf-8",
    }
    if not attended:
        homes = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME")
        kept |= dict.fromkeys(homes, str(home))
        kept["BROWSER"] = FakeBrowser.command()
    return kept


def spend_the_day(day: Day, server: AuthorizationServer) -> None:
    """Go through every step."""
    heading("Nobody is logged in yet")
    day.todo("auth status", code=4)
    heading("Log in: the browser, then a code with PKCE")
    day.todo("auth login", says="@todo.example")
    day.todo("auth status", says="@todo.example")
    heading("Work")
    day.todo("tasks", says="Post the letter")
    day.todo("add Rest", says="Added 4")
    day.todo("done 1", says="Done")
    heading("The token is refused from now on: it is refreshed, and nobody notices")
    server.expire_access_tokens()
    day.todo("tasks", says="Rest")
    if server.refresh_count != 1:
        raise StepError(f"{server.refresh_count} refresh requests, not 1")
    heading("What else there is")
    day.todo("auth token", secret=True)
    day.todo("auth account list", says="@todo.example")
    heading("Log out: here, and at the server")
    day.todo("auth logout")
    if not server.posts("revoke") or any(map(server.family_alive, ("ada", "bob"))):
        raise StepError("the grant was not revoked")
    day.todo("auth status", code=4)
    day.todo("tasks", code=4)


def heading(text: str) -> None:
    """Print what comes next."""
    print(f"\n# {text}", flush=True)


def has_display() -> bool:
    """Whether a browser window can open, for somebody who is there."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def main() -> int:
    """Run the demo; 0 if every step did what it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unattended", action="store_true", help="do not open a real browser")
    attended = has_display() and not parser.parse_args().unattended
    with (
        tempfile.TemporaryDirectory() as home,
        AuthorizationServer(auto_approve=False) as server,
    ):
        day = Day(environment(server, Path(home), attended=attended), attended)
        try:
            spend_the_day(day, server)
        except (StepError, subprocess.TimeoutExpired) as failed:
            print(f"\nFAILED: {failed}", file=sys.stderr)
            return 1
    print("\nEvery step did what it should.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
