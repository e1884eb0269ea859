"""Who finds somebody else at work on a refresh looks on, and takes what comes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from click_auth import Account, KeyringTokenStore, TokenBundle

LOOKER_ON = """
import json, sys, threading, time
from click_auth import Auth, OAuthProvider

provider = OAuthProvider(client_id="todo-cli", issuer="http://127.0.0.1:1", api_url="http://127.0.0.1:1")
auth = Auth("todo", provider, folder=sys.argv[1], storage="plaintext")
main = threading.get_ident()

def is_looking_on():
    frame = sys._current_frames()[main]
    while frame is not None and frame.f_code.co_name != "wait_for_holder":
        frame = frame.f_back
    return frame is not None and frame.f_locals.get("has_waited", False)

def tell():
    while not is_looking_on():
        time.sleep(0.005)
    print("looking on", flush=True)

threading.Thread(target=tell, daemon=True).start()
token = auth.access_token()
print(json.dumps({"token": token, "loaded": sorted(sys.modules)}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there everybody takes the lock")
def test_rf_01_who_looks_on_takes_no_lock_and_loads_nothing(tmp_path: Path) -> None:
    """The token that the holder comes to store is adopted without portalocker and httpx."""
    ada = Account(id="ada")
    store = KeyringTokenStore("todo", folder=tmp_path, storage="plaintext")
    now = datetime.now(timezone.utc)
    store.set_bundle(ada, TokenBundle("access-1", "refresh-1", now - timedelta(hours=1)))
    with store.lock(ada.key):
        command = [sys.executable, "-c", LOOKER_ON, str(tmp_path)]
        looker_on = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert looker_on.stdout is not None
        assert looker_on.stdout.readline() == "looking on\n"
        store.set_bundle(ada, TokenBundle("access-2", "refresh-2", now + timedelta(hours=1)))
    report = json.loads(looker_on.communicate(timeout=60)[0])
    assert report["token"] == "access-2"
    assert {"portalocker", "httpx"} & set(report["loaded"]) == set()
