"""A real git clones from an HTTPS server that wants a token, through `git-credential`."""

from __future__ import annotations

import base64
import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from children.conftest import PROGRAM, TOKEN, Todo
from providers.certificates import self_signed, server_context


class GitServer(http.server.SimpleHTTPRequestHandler):
    """Serves a bare repository (git's dumb protocol) to whoever has the token as a password."""

    seen: list[str]

    def do_GET(self) -> None:
        scheme, _, pair = self.headers.get("Authorization", "").partition(" ")
        name, _, password = base64.b64decode(pair).decode().partition(":")
        self.seen.append(f"{scheme} {name}".strip())
        if password == TOKEN:
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def git(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run git with no settings but ours, and no server to contact."""
    settings = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true"}
    return subprocess.run(
        ["git", *words],
        env={**os.environ, **settings, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a bare repository with one file, ready for the dumb protocol."""
    work, bare = tmp_path / "work", tmp_path / "served" / "todo.git"
    me = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    assert git("init", "-q", str(work), HOME=str(tmp_path)).returncode == 0
    (work / "README").write_text("cloned\n")
    for words in (["add", "."], ["commit", "-qm", "first"]):
        assert git("-C", str(work), *words, HOME=str(tmp_path), **me).returncode == 0
    assert git("clone", "-q", "--bare", str(work), str(bare), HOME=str(tmp_path)).returncode == 0
    assert git("-C", str(bare), "update-server-info", HOME=str(tmp_path)).returncode == 0
    return bare.parent


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """The server's, which git is told to trust."""
    return self_signed(tmp_path)


@pytest.fixture
def server(repository: Path, certificate: Path) -> Iterator[http.server.ThreadingHTTPServer]:
    """Serve it over https on a loopback address."""
    GitServer.seen = []
    handler = functools.partial(GitServer, directory=str(repository))
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made.socket = server_context(certificate).wrap_socket(made.socket, server_side=True)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "another-host"])
def test_git_clones_through_the_helper(
    server: http.server.ThreadingHTTPServer, tmp_path: Path, certificate: Path, is_ours: bool
) -> None:
    """From the API's own host; a server elsewhere is refused the token, and git gives up."""
    todo, origin = Todo(tmp_path / "todo"), f"https://127.0.0.1:{server.server_port}"
    helper = f"!{sys.executable} {PROGRAM} auth git-credential"
    done = git(
        *("-c", f"credential.helper={helper}"),
        *("clone", "-q", f"{origin}/todo.git", str(tmp_path / "clone")),
        **{**todo.environ, "HOME": str(tmp_path), "GIT_SSL_CAINFO": str(certificate)},
        CHILDREN_API=origin if is_ours else "https://git.todo.example",
    )
    if is_ours:
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "clone" / "README").read_text() == "cloned\n"
        assert "Basic oauth2" in GitServer.seen
    else:
        assert done.returncode != 0
        assert set(GitServer.seen) <= {"", "Basic"}  # asked without a token, or with nothing
    assert TOKEN not in done.stdout + done.stderr
