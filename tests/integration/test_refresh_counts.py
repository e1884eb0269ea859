"""How often a refresh asks a real Secret Service: each contact is a conversation on the bus."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from click_auth.testing import AuthorizationServer, FakeBrowser
from integration.secret_service import secret_service

# The guard of our pytest plugin is asked before every contact with the keyring.
PROGRAM = """
import json, sys
from click_auth import Auth, OAuthProvider, stores
issuer, api_url, step = sys.argv[1:]
provider = OAuthProvider(client_id="todo-cli", issuer=issuer, api_url=api_url,
    scopes=("offline_access",))
auth = Auth("todo", provider)
journal = []
stores.keyring_guard = journal.append
steps = {
    "login": auth.login,
    "forced": auth.refresh,
    "expired": lambda: auth.access_token(min_ttl=10_000),
}
steps[step]()
print(json.dumps({"journal": journal, "keyring": "keyring" in sys.modules}))
"""

REFRESH = [
    "read user-default/refresh",
    "write user-default/refresh",  # before the grant is spent: its slot can be written
    "write user-default/refresh",
    "read user-default/refresh",
    "write user-default",
    "read user-default",
]


@pytest.mark.parametrize("step", ["expired", "forced"])
def test_a_refresh_reads_three_times_and_writes_three_times(tmp_path: Path, step: str) -> None:
    """What was read is not read again, and what is spent not looked at before it is replaced.

    None of it needs the library keyring, whose imports cost as much as the rest.
    """
    with AuthorizationServer() as server, secret_service(tmp_path) as session:
        environment = {**session, "BROWSER": FakeBrowser.command()}

        def contacts(step: str) -> dict[str, Any]:
            command = [sys.executable, "-c", PROGRAM, server.issuer, server.api_url, step]
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr.decode()
            report: dict[str, Any] = json.loads(done.stdout)
            return report

        assert contacts("login")["keyring"]  # the slots are made by keyring, and then replaced
        journal = [f"{each} without keyring" for each in REFRESH]
        assert contacts(step) == {"journal": journal, "keyring": False}
        assert len(server.posts("token")) == 2
