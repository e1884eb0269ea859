"""Twelve environments, and what `todo auth login` shows in each: docs/environments.md.

Run as a program it writes that page. Each is a real `todo` process at the testing server.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from click_auth.testing import AuthorizationServer, FakeBrowser
from crash.filed_keyring import FOLDER
from login.terminal import Terminal
from login.test_end_to_end import PROGRAM, SCREENS, sent_to

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "environments.md"
CODE = re.compile(r"\b[A-Z]{4}-[A-Z]{4}\b")
HEADING = re.compile(r"(?ms)^## (.+?)\n\n.*?^Exit status (\d+)\.\n\n```text\n(.*?)```")
INTRODUCTION = """# Where you log in

What `todo auth login` shows in twelve environments, and how it ends: with a login, or with one
clear line. `nox -s environments` runs each of them and writes this page; ports, codes and URLs are
made equal.
"""


@dataclass
class Place:
    """Where one login takes place: its own home, a server, and what is set."""

    home: Path
    server: AuthorizationServer
    environ: dict[str, str]
    stack: contextlib.ExitStack

    def script(self, name: str, text: str) -> str:
        """Write a shell script that can be run; return its path."""
        path = self.home / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    def at_terminal(self, *options: str, door: str = "", prefix: tuple[str, ...] = ()) -> Run:
        """Log in on a pseudo-terminal: by "code", by "paste", or by whatever happens itself."""
        argv = [*prefix, *PROGRAM, "auth", "login", *options]
        return self.on_terminal(argv, door)

    def on_terminal(self, argv: list[str], door: str) -> Run:
        """Run *argv* on a pseudo-terminal and go through *door*."""
        with Terminal(argv, self.environ) as person:
            if door:
                shown = person.read_until("Ctrl-C")
            if door == "code":
                self.server.approve_device(CODE.findall(shown)[0])
            elif door == "paste":
                (url,) = (line for line in shown.splitlines() if "code_challenge=" in line)
                self.server.auto_approve = True
                person.type(f"{sent_to(url.strip())}\n")
            return Run(person.end(), person.shown)

    def piped(self) -> Run:
        """Log in without a terminal; somebody reads the code in what is printed."""
        argv, pipe = [*PROGRAM, "auth", "login"], subprocess.PIPE
        with subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environ,
        ) as process:
            shown = ""
            assert process.stdout is not None
            for line in process.stdout:
                shown += line
                for code in CODE.findall(line):
                    self.server.approve_device(code)
            return Run(process.wait(), shown)


@dataclass(frozen=True)
class Run:
    """How a login ended, and what was to be seen of it."""

    status: int
    shown: str

    @property
    def shape(self) -> tuple[int, bool, bool, bool, bool]:
        """The exit status, and whether there was a code, a URL, an `ssh -L` line, an error."""
        shown = self.shown
        has_error = "Error: " in shown
        signs = (CODE.search(shown), "code_challenge" in shown, re.search(r"ssh .*-L", shown))
        return self.status, *map(bool, signs), has_error


def desktop(place: Place) -> Run:
    """Real: Chromium on Xvfb where both are here, else imitated by the library's FakeBrowser."""
    place.server.auto_approve = True
    chromium, xvfb = shutil.which("chromium"), shutil.which("Xvfb")
    if not (chromium and xvfb):
        place.environ["BROWSER"] = FakeBrowser.command()
        return place.at_terminal()
    argv = [xvfb, "-displayfd", "1", "-nolisten", "tcp"]
    screen = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    place.stack.callback(end, screen)
    assert screen.stdout is not None
    flags = "--no-sandbox --no-first-run --disable-gpu --disable-background-networking"
    # It ends with its screen.
    browser = f'exec {chromium} {flags} --user-data-dir={place.home / "profile"} "$1"'
    place.environ |= {
        "DISPLAY": f":{screen.stdout.readline().strip()}",
        "BROWSER": place.script("browser", browser),
    }
    return place.at_terminal()


def over_ssh(place: Place) -> Run:
    """Real: OpenSSH's server and client on this machine."""
    sshd, keygen = shutil.which("sshd"), shutil.which("ssh-keygen")
    assert sshd is not None
    assert keygen is not None
    Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "person"):
        new = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(place.home / name)]
        subprocess.run(new, check=True)
    port = str(unused_port())
    options = {
        "HostKey": place.home / "host",
        "AuthorizedKeysFile": place.home / "person.pub",
        "ListenAddress": "127.0.0.1",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "yes",
        "PidFile": "none",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    argv = [sshd, "-D", "-e", "-f", "/dev/null", "-p", port, *words]
    daemon = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    place.stack.callback(end, daemon)
    assert daemon.stderr is not None
    assert "listening" in daemon.stderr.readline()
    ours = {name: value for name, value in place.environ.items() if name.startswith("TODO_")}
    variables = [f"{name}={value}" for name, value in {**ours, "TERM": "dumb"}.items()]
    login = shlex.join(["env", *variables, *PROGRAM, "auth", "login"])
    known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-q"]
    key = ["-i", str(place.home / "person"), "-p", port]
    who = f"{getpass.getuser()}@127.0.0.1"
    return place.on_terminal(["ssh", "-tt", *known, *key, who, login], "code")


def wsl(place: Place) -> Run:
    """Imitated: WSL's variables, and a `wslview` that is the library's FakeBrowser."""
    place.server.auto_approve = True
    place.script("wslview", f"exec {FakeBrowser.command()}".replace("%s", '"$1"'))
    path = f"{place.home}:{os.environ['PATH']}"
    place.environ |= {"WSL_DISTRO_NAME": "Debian", "DISPLAY": ":0", "PATH": path}
    return place.at_terminal()


def container(place: Place) -> Run:
    """Imitated: the variable that Podman and systemd set; `podman run -it`."""
    place.environ["container"] = "podman"
    return place.at_terminal(door="paste")


def ci_job(place: Place) -> Run:
    """Imitated: the variables of GitHub Actions; a person reads the job's log."""
    place.environ |= {"CI": "true", "GITHUB_ACTIONS": "true"}
    return place.piped()


def no_terminal(place: Place) -> Run:
    """Real: standard input is empty, the rest is a pipe."""
    return place.piped()


def text_browser(place: Place) -> Run:
    """Imitated: `$BROWSER` is a program called `lynx`."""
    place.environ["BROWSER"] = place.script("lynx", "exit 1")
    return place.at_terminal(door="paste")


def dead_proxy(place: Place) -> Run:
    """Real: the proxy that `HTTPS_PROXY` names does not answer."""
    place.environ |= {"HTTPS_PROXY": "http://127.0.0.1:9", "TODO_ISSUER": "https://id.todo.invalid"}
    return place.at_terminal()


def busy_port(place: Place) -> Run:
    """Real: another program listens on the port that was asked for."""
    other = place.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    place.environ["BROWSER"] = FakeBrowser.command()
    return place.at_terminal("--callback-port", str(other.getsockname()[1]))


def ipv6_only(place: Place) -> Run:
    """Real, as root: a network namespace without IPv4, where a server that has only IPv4 is not."""
    lines = 'ip link set lo up && ip addr del 127.0.0.1/8 dev lo && exec "$0" "$@"'
    return place.at_terminal(prefix=("unshare", "--net", "sh", "-c", lines))


def locked_keyring(place: Place) -> Run:
    """Imitated: a keyring backend that says that it is locked."""
    (place.home / "locked").touch()
    del place.environ["TODO_AUTH_STORAGE"]
    place.server.auto_approve = True
    place.environ |= {
        "PYTHON_KEYRING_BACKEND": "hostile.locking_keyring.LockingKeyring",
        "PYTHONPATH": str(ROOT / "tests"),
        "CLICK_AUTH_REFUSE_KEYRING": "0",
        FOLDER: str(place.home),
        "BROWSER": FakeBrowser.command(),
    }
    return place.at_terminal()


def no_keyring(place: Place) -> Run:
    """Real: keyring finds no backend, as on a server without a desktop."""
    place.server.auto_approve = True
    del place.environ["TODO_AUTH_STORAGE"]
    place.environ |= {
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "CLICK_AUTH_REFUSE_KEYRING": "0",
        "BROWSER": FakeBrowser.command(),
    }
    return place.at_terminal()


ENVIRONMENTS: dict[str, Callable[[Place], Run]] = {
    "A desktop": desktop,
    "Over SSH": over_ssh,
    "Windows Subsystem for Linux": wsl,
    "A container": container,
    "A CI job that somebody watches": ci_job,
    "No terminal": no_terminal,
    "A text browser": text_browser,
    "A proxy that does not answer": dead_proxy,
    "The port is busy": busy_port,
    "IPv6 only": ipv6_only,
    "A locked keyring": locked_keyring,
    "No keyring": no_keyring,
}


@contextlib.contextmanager
def new_place() -> Iterator[Place]:
    """Give a home that holds nothing, and a server at which nobody has agreed to anything."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        server = AuthorizationServer(device_interval=1, auto_approve=False)
        stack.enter_context(server)
        environ = {
            **{name: value for name, value in os.environ.items() if name not in SCREENS},
            "HOME": str(home),
            "TODO_CONFIG_DIR": str(home / "todo"),
            "TODO_AUTH_STORAGE": "plaintext",
            "TODO_ISSUER": server.issuer,
            "TODO_API_URL": server.api_url,
            "TERM": "dumb",
            "NO_COLOR": "1",
        }
        yield Place(home, server, environ, stack)


def run(name: str) -> Run:
    """Log in in the environment *name*; return what was seen, made equal from run to run."""
    with new_place() as place:
        done = ENVIRONMENTS[name](place)
        shown = done.shown.replace(str(place.home), "~")
    shown = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", shown).replace("\r", "")
    shown = CODE.sub("ABCD-EFGH", shown)
    shown = re.sub(r"(127\.0\.0\.1|\[::1\]):\d+", r"\1:PORT", shown)
    shown = re.sub(r"\?\S*code_challenge=\S+", "?...&code_challenge=...", shown)
    shown = re.sub(r"-p \d+ -L \d+:(\S+?:PORT) [\w.-]+@", r"-p PORT -L PORT:\1 you@", shown)
    return Run(done.status, re.sub(r"(?i)\bport \d+", "port PORT", shown))


def page() -> str:
    """Return the page, from one login in each environment."""
    parts = [INTRODUCTION]
    for name, story in ENVIRONMENTS.items():
        done, how = run(name), (story.__doc__ or "").strip()
        block = f"```text\n{done.shown.strip()}\n```\n"
        parts.append(f"## {name}\n\n{how}\n\nExit status {done.status}.\n\n{block}")
    return "\n".join(parts)


def documented() -> dict[str, Run]:
    """Return what the page shows, by environment."""
    found = HEADING.findall(PAGE.read_text(encoding="utf-8"))
    return {name: Run(int(status), shown) for name, status, shown in found}


def unused_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def end(process: subprocess.Popen[str]) -> None:
    """End a process that was started here."""
    process.terminate()
    with process:
        pass


if __name__ == "__main__":
    text = page()
    PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
