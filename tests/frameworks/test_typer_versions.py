"""The program of docs/howto/typer.md, and our own tests of it, with four versions of Typer."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from frameworks.hosts import ROOT, TEST_TOOLS, VERSIONS, environment
from frameworks.person import Person

each_version = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in VERSIONS]
)


@each_version
def test_the_story_of_the_demo(name: str, make_person: Callable[..., Person]) -> None:
    """It goes through a whole day."""
    python = environment(name, *VERSIONS[name], *TEST_TOOLS)
    person = make_person(python, ROOT / "examples" / "todo_typer.py")
    server = person.server
    assert "todo auth login" in person.run("tasks", code=4).stderr
    person.run("auth", "login")
    assert "Post the letter" in person.run("tasks").stdout
    assert "Added 4: Rest" in person.run("add", "Rest").stdout
    server.expire_access_tokens()
    assert "Done: Rest" in person.run("done", "4").stdout
    assert server.refresh_count == 1
    server.login_as = "bob"
    person.run("auth", "login")
    assert "Post the letter" in person.run("tasks", "--user", "ada").stdout
    mine, theirs = (person.run("auth", "token", "--user", who).stdout for who in ("ada", "bob"))
    assert mine != theirs
    person.run("auth", "logout", "--all")
    assert not any(map(server.family_alive, ("ada", "bob")))
    person.run("tasks", code=4)


@each_version
def test_our_own_tests(name: str) -> None:
    """What the suite says of the newest Typer holds for the others."""
    python = environment(name, *VERSIONS[name], *TEST_TOOLS)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/commands/test_typer.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
