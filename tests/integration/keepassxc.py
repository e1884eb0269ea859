"""A real KeePassXC as the Secret Service of a private session, and a person who answers it.

It asks in a window of its own, "Access Request", before a client overwrites an entry. The window
is on a private X server; xdotool presses its keys.
"""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from integration.machine import command
from integration.processes import child, wait_until
from integration.secret_service import is_owned, lonely_bus

PASSWORD = b"only for tests"
ASKING = "Access Request"
PACKAGES = ("keepassxc", "xvfb", "xdotool")
SETTINGS = """\
[General]
ConfigVersion=2
UpdateCheckMessageShown=true

[FdoSecrets]
Enabled=true
ShowNotification=false
ConfirmAccessItem={confirm}
ConfirmDeleteItem=false

[GUI]
CheckForUpdates=false
"""
UNLOCKED = "^todo - KeePassXC$"  # until then the title says that it is locked
DATABASE = """\
<?xml version="1.0" encoding="UTF-8"?>
<KeePassFile>
  <Meta>
    <DatabaseName>todo</DatabaseName>
    <RecycleBinEnabled>False</RecycleBinEnabled>
    <CustomData>
      <Item><Key>FDO_SECRETS_EXPOSED_GROUP</Key><Value>{{{exposed}}}</Value></Item>
    </CustomData>
  </Meta>
  <Root>
    <Group>
      <UUID>{encoded}</UUID>
      <Name>Root</Name>
    </Group>
  </Root>
</KeePassFile>
"""


@dataclass
class Person:
    """Whoever sits before the display, and sees a window in which KeePassXC asks."""

    environment: dict[str, str]

    def windows(self, title: str = ASKING) -> list[str]:
        """Return the windows of this *title*, by their numbers: by default those that ask."""
        search = [command("xdotool", *PACKAGES), "search", "--onlyvisible", "--name", title]
        done = subprocess.run(
            search, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout.split()

    @contextlib.contextmanager
    def allowing(self, seconds: float) -> Iterator[list[float]]:
        """Allow whatever is asked in the block, *seconds* after it is; yields how long each was."""
        allowed: list[float] = []
        over = threading.Event()

        def answer() -> None:
            while not over.wait(0.1):
                for window in self.windows():
                    began = time.monotonic()
                    if over.wait(seconds):
                        return
                    self._press(window)
                    allowed.append(time.monotonic() - began)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield allowed
        finally:
            over.set()
            thread.join()

    def _press(self, window: str) -> None:
        """Press the button that has the focus, "Allow Selected", unless the window is gone."""
        line = ["windowfocus", "--sync", window, "key", "Return"]
        xdotool = command("xdotool", *PACKAGES)
        subprocess.run([xdotool, *line], env=self.environment, capture_output=True, check=False)


def _database(folder: Path, environment: dict[str, str]) -> Path:
    """Make a database whose only group is the Secret Service's collection."""
    exposed = uuid.uuid4()
    text = folder / "database.xml"
    encoded = base64.b64encode(exposed.bytes).decode()
    text.write_text(DATABASE.format(exposed=exposed, encoded=encoded), encoding="utf-8")
    path = folder / "todo.kdbx"
    subprocess.run(
        [command("keepassxc-cli", *PACKAGES), "import", "-p", str(text), str(path)],
        env=environment,
        input=PASSWORD + b"\n" + PASSWORD + b"\n",
        capture_output=True,
        check=True,
    )
    return path


@contextlib.contextmanager
def display(environment: dict[str, str], log: Path) -> Iterator[dict[str, str]]:
    """Give the environment of a session that has an X server, which nobody looks at."""
    number = 90 + os.getpid() % 900
    socket = Path(f"/tmp/.X11-unix/X{number}")  # where X servers meet their clients
    server = [
        command("Xvfb", *PACKAGES),
        f":{number}",
        "-screen",
        "0",
        "1024x768x24",
        "-nolisten",
        "tcp",
    ]
    with child(server, env=environment, log=log, ready=socket.is_socket):
        yield {**environment, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}


@contextlib.contextmanager
def keepassxc(folder: Path, *, confirm: bool = False) -> Iterator[Person]:
    """Run KeePassXC with an open database; with *confirm* it asks before each read, too."""
    with lonely_bus(folder) as bus, display(bus, folder / "display.log") as environment:
        database = _database(folder, environment)
        settings = folder / "keepassxc.ini"
        settings.write_text(SETTINGS.format(confirm=str(confirm).lower()), encoding="utf-8")
        files = ["--config", str(settings), "--localconfig", str(folder / "local.ini")]
        program = [command("keepassxc", *PACKAGES), *files, "--pw-stdin", str(database)]
        with child(
            program,
            env=environment,
            log=folder / "keepassxc.log",
            stdin=PASSWORD + b"\n",
            ready=lambda: is_owned(environment),
        ):
            wait_until(lambda: is_owned(environment), "KeePassXC to be on the bus")
            person = Person(environment)
            # It is on the bus first: who comes before this opens a window that wants the password.
            wait_until(lambda: bool(person.windows(UNLOCKED)), "the database to be open")
            yield person
