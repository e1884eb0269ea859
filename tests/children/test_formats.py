"""`auth token --format`: the token in the words of other programs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from children.conftest import TOKEN, Todo


def test_a_header_is_for_curl(todo: Todo) -> None:
    """As the provider sends it."""
    assert todo.run("token", "--format", "header").stdout == f"Authorization: Bearer {TOKEN}\n"


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_evaluates_env_to_the_very_token(todo: Todo, shell: str) -> None:
    """Whatever is in it: a quote, a dollar, a backtick."""
    line = todo.run("token", "--format", "env").stdout
    script = f'eval "$1"; {shell} -c \'printf %s "$TODO_TOKEN"\''
    done = subprocess.run(
        [shell, "-c", script, shell, line], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == TOKEN


def test_kubectl_gets_what_its_schema_wants(todo: Todo) -> None:
    """An ExecCredential of client.authentication.k8s.io/v1, with the token and its expiry."""
    document: dict[str, Any] = json.loads(todo.run("token", "--format", "exec-credential").stdout)
    assert document.keys() == {"apiVersion", "kind", "status"}
    assert document["apiVersion"] == "client.authentication.k8s.io/v1"
    assert document["kind"] == "ExecCredential"
    expiry = document["status"].pop("expirationTimestamp")
    moment = datetime.fromisoformat(expiry.replace("Z", "+00:00"))
    assert moment == datetime.fromtimestamp(todo.expires_at, timezone.utc)
    assert document["status"] == {"token": TOKEN}


def test_kubectl_is_told_no_expiry_that_nobody_knows(todo: Todo) -> None:
    """A token from the environment: no timestamp rather than an empty one."""
    done = todo.run("token", "--format", "exec-credential", TODO_TOKEN="x")
    assert json.loads(done.stdout)["status"] == {"token": "x"}


def test_two_ways_to_print_it_are_a_usage_error(todo: Todo) -> None:
    """Whoever reads it has to know which."""
    done = todo.run("token", "--format", "header", "--json")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_token_that_is_no_use_is_printed_in_no_format(make_todo: Callable[..., Todo]) -> None:
    """A session that is known to have ended is exit 4 here too."""
    done = make_todo(rejected_generation=1).run("token", "--format", "env")
    assert (done.returncode, done.stdout) == (4, "")
