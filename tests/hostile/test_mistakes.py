"""What tired people type, pipe and set: each time one line that says what was wrong."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from click_auth import Auth, AuthError, OAuthProvider
from click_auth.testing import logged_in
from hostile.world import CLI, World


@pytest.mark.parametrize(
    "given",
    [b"", b"\n", b"\xff\xfe\x00", b"one\ntwo\n", b"a b\x07c", b"x" * 70_000, "tökén".encode()],
)
def test_sx_10_what_is_piped_in_is_no_token(world: World, given: bytes) -> None:
    """Nothing, noise, several lines, another file: refused in one line that does not quote it."""
    done = subprocess.run(
        [*CLI, "auth", "login", "--with-token"],
        check=False,
        input=given,
        capture_output=True,
        env={**world.environ, "HOSTILE_STORAGE": "plaintext", "PYTHONIOENCODING": "utf-8:strict"},
    )
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b"")
    assert "token" in said
    assert "Unexpected error" not in said
    assert "\x07" not in said
    assert not (world.config / "auth.json").exists()


def of(instance: str | None) -> OAuthProvider:
    """Return the provider at an address that the person gives."""
    return OAuthProvider(issuer=instance or "https://git.example", client_id="todo-cli")


@pytest.mark.parametrize(
    "instance",
    ["http://git.example", "git.example", "https://a b", "https://ada:canary@x", "file:///x"],
)
def test_an_instance_that_is_no_address(tmp_path: Path, instance: str) -> None:
    """The mistake is the person's: it is named, as an error with a code, and nothing is asked."""
    auth = Auth("todo", of, storage="plaintext", folder=tmp_path)
    with pytest.raises(AuthError) as caught:
        auth.login(instance=instance, timeout=1)
    assert caught.value.code == "AUTH_BAD_SETTING"
    assert "instance" in caught.value.message
    assert "canary" not in caught.value.format_message()


@pytest.mark.parametrize("timeout", ["-1", "inf", "nan"])
def test_a_timeout_that_is_none(world: World, timeout: str) -> None:
    """Refused by Click, or over at once: never a traceback, never for ever."""
    done = world.run("auth", "login", "--timeout", timeout, BROWSER="true")
    assert (done.status in (1, 2), done.out) == (True, ""), done.err
    assert "Traceback" not in done.err
    assert "Unexpected error" not in done.err


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")
def test_streams_that_were_closed(world: World) -> None:
    """A service manager or a script may start a command without stdin, stdout or stderr."""
    logged_in(world.auth(), server=world.server)
    environ = {**world.environ, "HOSTILE_STORAGE": "plaintext"}
    for closed, arguments, status in (
        (">&-", ("token",), 0),
        (">&-", ("account", "list", "--json"), 0),
        ("<&-", ("login", "--with-token"), 1),
        ("<&- >&- 2>&-", ("token",), 0),
        ("<&- >&- 2>&-", ("login",), 0),
    ):
        shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *CLI, "auth", *arguments]
        done = subprocess.run(shell, check=False, capture_output=True, text=True, env=environ)
        assert done.returncode == status, (closed, arguments, done.stderr)
        assert "Unexpected error" not in done.stderr
