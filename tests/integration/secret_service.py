"""A real Secret Service in a private session: its own bus, home and keyring.

Each context manager here gives the environment in which a process meets one situation. Nothing of
the session that runs the tests is touched: its bus, home and keyring are other ones.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from integration.machine import command
from integration.processes import child, wait_until

PASSWORD = b"only for tests"
NAME = "org.freedesktop.secrets"
# No folder of services: nothing is started because somebody asks for it.
LONELY_BUS = """\
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def home_environment(folder: Path) -> dict[str, str]:
    """Return an environment whose home, settings and runtime folders lie under *folder*."""
    places = {
        "HOME": folder / "home",
        "XDG_CONFIG_HOME": folder / "config",
        "XDG_DATA_HOME": folder / "data",
        "XDG_CACHE_HOME": folder / "cache",
        "XDG_RUNTIME_DIR": folder / "run",
    }
    for place in places.values():
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return kept | {name: str(place) for name, place in places.items()}


@contextlib.contextmanager
def lonely_bus(folder: Path) -> Iterator[dict[str, str]]:
    """Give the environment of a session with a bus and no Secret Service."""
    daemon = command("dbus-daemon", "dbus", "dbus-user-session")
    environment = home_environment(folder)
    socket = folder / "bus"
    settings = folder / "bus.conf"
    settings.write_text(LONELY_BUS.format(socket=socket), encoding="utf-8")
    arguments = [daemon, "--nofork", "--nopidfile", f"--config-file={settings}"]
    log = folder / "bus.log"
    with child(arguments, env=environment, log=log, ready=socket.is_socket):
        yield environment | {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={socket}"}


def is_owned(environment: dict[str, str]) -> bool:
    """Whether somebody on the bus answers for the Secret Service."""
    question = [
        command("dbus-send", "dbus", "dbus-user-session"),
        "--session",
        "--print-reply",
        "--dest=org.freedesktop.DBus",
        "/org/freedesktop/DBus",
        "org.freedesktop.DBus.NameHasOwner",
        f"string:{NAME}",
    ]
    answer = subprocess.run(question, env=environment, capture_output=True, text=True, check=False)
    return "boolean true" in answer.stdout


@contextlib.contextmanager
def keyring_daemon(
    environment: dict[str, str], log: Path, *, unlock: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    """Run gnome-keyring in the session of *environment*, with its login keyring unlocked or not."""
    daemon = command("gnome-keyring-daemon", "gnome-keyring", "dbus", "dbus-user-session")
    arguments = [daemon, "--foreground", "--components=secrets"]
    if unlock:
        arguments.append("--unlock")
    with child(
        arguments,
        env=environment,
        log=log,
        stdin=PASSWORD if unlock else b"",
        ready=lambda: is_owned(environment),
    ) as process:
        yield process
    wait_until(lambda: not is_owned(environment), "the daemon to leave the bus")


@contextlib.contextmanager
def secret_service(folder: Path) -> Iterator[dict[str, str]]:
    """Give the environment of a session whose keyring is unlocked."""
    with lonely_bus(folder) as environment, keyring_daemon(environment, folder / "keyring.log"):
        yield environment


@contextlib.contextmanager
def locked_keyring(folder: Path) -> Iterator[dict[str, str]]:
    """Give the environment of a session whose keyring exists, is locked, and cannot prompt."""
    with lonely_bus(folder) as environment:
        with keyring_daemon(environment, folder / "keyring.log"):
            pass
        with keyring_daemon(environment, folder / "locked.log", unlock=False):
            yield environment


@contextlib.contextmanager
def stopped_daemon(folder: Path) -> Iterator[dict[str, str]]:
    """Give the environment of a session whose Secret Service accepts calls and never answers."""
    with (
        lonely_bus(folder) as environment,
        keyring_daemon(environment, folder / "keyring.log") as daemon,
    ):
        daemon.send_signal(signal.SIGSTOP)
        try:
            yield environment
        finally:
            daemon.send_signal(signal.SIGCONT)
