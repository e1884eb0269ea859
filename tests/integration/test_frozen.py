"""A program that PyInstaller has frozen, with no data file, no hook and no option for us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from click_auth.testing import AuthorizationServer, FakeBrowser
from integration.machine import PATIENCE

PROGRAM = """
import os
from click_auth import Auth, OAuthProvider
service = {"issuer": os.environ["ISSUER"], "api_url": os.environ["API"]}
auth = Auth("todo", OAuthProvider(client_id="todo-cli", **service))
auth.group()(prog_name="todo")
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen program."""
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "todo.py").write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-m", "PyInstaller", "--log-level", "ERROR", "todo.py"]
    environ = {**os.environ, "PYINSTALLER_CONFIG_DIR": str(folder / "cache")}
    subprocess.run(command, cwd=folder, env=environ, check=True, timeout=PATIENCE)
    return folder / "dist" / "todo" / "todo"


def test_b29_b30_a_frozen_program_logs_in(program: Path, tmp_path: Path) -> None:
    """Through the browser, whose last page is there; doctor finds every library that works."""
    with AuthorizationServer() as server:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "ISSUER": server.issuer,
            "API": server.api_url,
            "BROWSER": FakeBrowser.command(),
            "TODO_AUTH_STORAGE": "plaintext",
        }

        def todo(*arguments: str) -> str:
            done = subprocess.run(
                [str(program), *arguments],
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            assert done.returncode == 0, done.stderr + done.stdout
            assert "Traceback" not in done.stderr
            return done.stdout

        todo("--help")
        assert json.loads(todo("login", "--json"))["stored_in"] == "plaintext"
        assert json.loads(todo("status", "--json"))["state"] == "ok"
        todo("refresh")
        checks = json.loads(todo("doctor", "--json"))["checks"]
        libraries = {each["name"]: each for each in checks}
        for name in ("click", "httpx", "keyring", "portalocker", "pydantic"):
            assert libraries[name]["verdict"] == "ok"
        todo("logout")
