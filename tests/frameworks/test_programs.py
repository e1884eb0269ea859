"""Programs that nobody here wrote, unchanged, with our commands beside their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from frameworks.hosts import environment
from frameworks.person import Person, log_in_and_out

STANDARD = {"account", "doctor", "login", "logout", "refresh", "status", "token"}
ON_CLICK = """
    {cli}.add_command(auth.group({name!r}))
"""
ON_TYPER = """
    from click_auth.typer import mount
    mount({cli}, auth, {name!r})
"""
LAUNCHER = """\
import os
{imports}
from todo_auth import auth
if "PLAIN" not in os.environ:{mount}
{cli}(prog_name="todo")
"""


@dataclass(frozen=True)
class Program:
    """A program: what brings it, where its command is, and something that it does by itself."""

    requirements: tuple[str, ...]
    imports: str
    cli: str
    own: tuple[str, ...]
    says: str
    name: str = "auth"
    typer: bool = False
    completes: bool = True
    application: str = ""

    def launcher(self) -> str:
        """Return three lines that start it with our commands."""
        mount = (ON_TYPER if self.typer else ON_CLICK).format(cli=self.cli, name=self.name)
        return LAUNCHER.format(imports=self.imports, cli=self.cli, mount=mount)

    def completion(self, words: str) -> dict[str, str]:
        """Return the environment in which it completes *words*."""
        instruction = "complete_bash" if self.typer else "bash_complete"
        count = str(words.count(" "))
        return {"_TODO_COMPLETE": instruction, "COMP_WORDS": words, "COMP_CWORD": count}


PROGRAMS = {
    "llm": Program(("llm",), "from llm.cli import cli", "cli", ("keys", "path"), "keys.json"),
    "datasette": Program(
        ("datasette",),
        "from datasette.cli import cli",
        "cli",
        ("--get", "/-/versions.json"),
        "sqlite",
    ),
    "sqlite-utils": Program(
        ("sqlite-utils",),
        "from sqlite_utils.cli import cli",
        "cli",
        ("memory", "select 6 * 7 as answer"),
        '"answer": 42',
    ),
    "flask": Program(
        ("flask",),
        "from flask.cli import cli",
        "cli",
        ("routes",),
        "/static",
        application="import flask\napp = flask.Flask('application')\n",
    ),
    "celery": Program(
        ("celery",), "from celery.bin.celery import celery", "celery", ("report",), "celery:5"
    ),
    "litestar": Program(
        ("litestar[cli]",),
        "from litestar.cli.main import litestar_group",
        "litestar_group",
        ("version",),
        "2.",
        application="import litestar\napp = litestar.Litestar()\n",
    ),
    "globus-cli": Program(
        ("globus-cli",),
        "from globus_cli import main",
        "main",
        ("cli-profile-list",),
        "",
        "todo",
    ),
    "fastapi": Program(
        ("fastapi-cli", "fastapi", "typer==0.25.1"),
        "from fastapi_cli.cli import app",
        "app",
        ("--version",),
        "FastAPI CLI version",
        typer=True,
    ),
    "mcp": Program(
        ("mcp[cli]", "typer>=0.26"),
        "from mcp.cli.cli import app",
        "app",
        ("version",),
        "MCP version",
        typer=True,
        completes=False,
    ),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in PROGRAMS]
)
def test_a_program(name: str, make_person: Callable[..., Person]) -> None:
    """Its help, its completion and its own command are as before; ours work beside them."""
    program = PROGRAMS[name]
    python = environment(f"program-{name}", *program.requirements)
    environ = {"FLASK_APP": "application:app", "LITESTAR_APP": "application:app"}
    person = make_person(python, program.launcher(), **environ)
    (person.home / "application.py").write_text(program.application, encoding="utf-8")
    ours = program.name

    plain, mounted = (person.run("--help", **how).stdout for how in ({"PLAIN": "1"}, {}))
    assert set(words(plain)) <= set(words(mounted))
    assert ours in words(mounted)
    plain, mounted = (person.run(*program.own, **how) for how in ({"PLAIN": "1"}, {}))
    assert program.says in plain.stdout
    assert (mounted.stdout, mounted.stderr) == (plain.stdout, plain.stderr)

    def completed(line: str, **how: str) -> list[str]:
        return person.run(**program.completion(line), **how, code=None).stdout.split()

    theirs = completed("todo ", PLAIN="1")
    assert [word for word in completed("todo ") if word.rpartition(",")[2] != ours] == theirs
    expected = STANDARD if program.completes else set()
    assert {word.rpartition(",")[2] for word in completed(f"todo {ours} ")} == expected
    assert "Log in" in person.run(ours, "--help").stdout
    assert "--scope" in person.run(ours, "login", "--help").stdout
    log_in_and_out(person, (ours,))


def words(text: str) -> list[str]:
    """Return the words of a help page, without its frames."""
    return text.replace("│", " ").replace("─", " ").split()
