"""Rotation against a server that ends the whole grant when an old refresh token comes again."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.machine import HERE
from integration.provider import RunningProvider, oidc_provider
from integration.todo import COMMAND_SECONDS, Todo
from integration.walk import walk


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[RunningProvider]:
    """A server whose token endpoint takes its time."""
    with oidc_provider(tmp_path, TOKEN_DELAY="0.5") as running:
        yield running


@pytest.fixture
def ada(todo: Todo, provider: RunningProvider) -> Todo:
    """Ada, whose token has expired."""
    todo.log_in(walk)
    todo.expire()
    return todo


def test_an_expired_token_is_renewed_in_silence(ada: Todo, provider: RunningProvider) -> None:
    """A command of the application works as if nothing had happened, for one POST."""
    done = ada.run("me")

    assert (done.returncode, done.stdout, done.stderr) == (0, "ada\n", "")
    assert provider.answers("POST /token") == [200, 200]


def test_eight_processes_at_once_ask_once(ada: Todo, provider: RunningProvider) -> None:
    """All get the same new token, nobody replays the old refresh token, and the grant lives on."""
    with contextlib.ExitStack() as stack:
        crowd = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(HERE / "cli.py"), "auth", "token"],
                    env=dict(ada.environment),
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(8)
        ]
        printed = {each.communicate(timeout=COMMAND_SECONDS)[0] for each in crowd}

    assert [each.returncode for each in crowd] == [0] * 8
    assert len(printed) == 1
    assert provider.answers("POST /token") == [200, 200]
    ada.expire()
    assert ada.run("me").stdout == "ada\n"


def test_a_grant_revoked_elsewhere_says_log_in_again(ada: Todo, provider: RunningProvider) -> None:
    """The server's `invalid_grant` is exit code 4, asked for once and remembered."""
    provider.revoke(ada.slot("user-ada/refresh"))

    first, second = ada.run("auth", "token"), ada.run("auth", "token")

    assert (first.returncode, first.stdout) == (4, "")
    assert (second.returncode, second.stdout) == (4, "")
    assert provider.answers("POST /token") == [200, 400]
