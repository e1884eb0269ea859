"""`todo` as its pictures show it: at a server of its own, with nothing of this machine.

`python program.py FOLDER SETTING COMMAND ...` runs the commands one after the other, each below its
command line.
"""

from __future__ import annotations

import shlex
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import keyring

import todo
from click_auth import KeyringTokenStore
from click_auth.testing import AuthorizationServer, isolated, logged_in
from stores.keyrings import Cellar

CODE = "WDJB-MJHT"  # the one of RFC 8628
PAGE = "https://id.todo.example/device"
FOLDER, SETTING, *COMMANDS = sys.argv[1:]


def approve_soon(server: AuthorizationServer) -> None:
    """Enter the code on another device, a moment after it was shown."""
    while not server.approve_device():
        time.sleep(0.5)


def run(command: str) -> None:
    """Show a command line, and run it."""
    print(f"\x1b[1m$ todo {command}\x1b[0m", flush=True)
    with suppress(SystemExit):
        todo.cli(shlex.split(command), prog_name="todo")


def main() -> None:
    """Make the world that SETTING names, and run the commands in it."""
    keyring.set_keyring(Cellar())
    with AuthorizationServer(auto_approve=SETTING != "device", device_interval=1) as server:
        server.faults.overlay["device_authorization"] = {
            "user_code": CODE,
            "verification_uri": PAGE,
            "verification_uri_complete": f"{PAGE}?user_code={CODE}",
        }
        server.faults.date_skew = -0.9  # so that it is always on the same side of ours
        store = KeyringTokenStore("todo", folder=FOLDER)
        with isolated(todo.auth, Path(FOLDER), server=server, store=store):
            if SETTING in ("logged-in", "expired"):
                logged_in(todo.auth, server=server, expires_in=3590)
            if SETTING == "expired":
                server.revoke_all()
            if SETTING == "device":
                threading.Thread(target=approve_soon, args=(server,), daemon=True).start()
            for command in COMMANDS:
                run(command)


if __name__ == "__main__":
    main()
