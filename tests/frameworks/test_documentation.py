"""Every block of docs/frameworks.md is a program that spends a day as the README's does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from frameworks.hosts import ROOT, environment
from frameworks.person import Person, spend_a_day

SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
PAGE = (ROOT / "docs" / "frameworks.md").read_text(encoding="utf-8")
BLOCKS = {name: block for name, text in SECTION.findall(PAGE) for block in BLOCK.findall(text)}
LAZY_MODULE = """\
import click
from todo_auth import auth, show_tasks

@click.command()
@auth.user_option
def tasks():
    show_tasks()
"""
ENVIRONMENTS = {
    "click-newest": ("click",),
    "click-8.1.8": ("click==8.1.8",),
    "click-hosts": ("click-default-group", "cloup", "flask", "rich-click"),
    "click-extra": ("click-extra",),
    "typer-newest": ("typer", "pytest>=8.2", "pytest-timeout>=2.3"),  # as the tests of Typer
    "others": ("asyncclick", "cyclopts"),
}
WHERE = [
    ("Click", "click-newest"),
    ("Click", "click-8.1.8"),
    ("Lazy groups", "click-newest"),
    ("Lazy groups", "click-8.1.8"),
    ("argparse", "click-8.1.8"),
    ("A plain script", "click-newest"),
    ("rich-click", "click-hosts"),
    ("cloup", "click-hosts"),
    ("DefaultGroup", "click-hosts"),
    ("Flask", "click-hosts"),
    ("click-extra", "click-extra"),
    ("Typer", "typer-newest"),
    ("Cyclopts", "others"),
    ("asyncclick", "others"),
]
FLASK = """\
from flask.cli import FlaskGroup
from click_auth import attach_login, attach_status
from todo_auth import auth

def create_app():
    raise SystemExit("made")

cli = FlaskGroup("todo", create_app=create_app)
attach_login(auth, with_appcontext=False)(cli)
attach_status(auth, with_appcontext=False)(cli)
cli.add_command(auth.group())
cli(prog_name="todo")
"""
PATCHED = "from rich_click.patch import patch\npatch()\n"


def place(name: str) -> list[pytest.MarkDecorator]:
    """Return what keeps the tests of one environment in one process."""
    return [pytest.mark.xdist_group(name)]


def test_every_block_is_run() -> None:
    """What is added to the page is added to the table."""
    assert set(BLOCKS) == {name for name, _ in WHERE}


@pytest.mark.parametrize(
    "name, where",
    [pytest.param(*row, marks=place(row[1])) for row in WHERE if "plain" not in row[0]],
)
def test_a_block(name: str, where: str, make_person: Callable[..., Person]) -> None:
    """Login, its own command, a silent refresh, two accounts, token, logout, and its errors."""
    person = make_person(environment(where, *ENVIRONMENTS[where]), BLOCKS[name])
    (person.home / "todo_tasks.py").write_text(LAZY_MODULE, encoding="utf-8")
    spend_a_day(person)
    assert_errors_are_bare(person)


@pytest.mark.xdist_group("click-hosts")
def test_rich_click_patched(make_person: Callable[..., Person]) -> None:
    """A program that knows nothing of rich-click, under its patch."""
    where = "click-hosts"
    person = make_person(environment(where, *ENVIRONMENTS[where]), PATCHED + BLOCKS["Click"])
    assert "╭" in person.run("auth", "--help").stdout
    spend_a_day(person)
    assert_errors_are_bare(person)


@pytest.mark.xdist_group("typer-plain")
def test_typer_without_rich(make_person: Callable[..., Person]) -> None:
    """Where Typer is told not to use Rich."""
    where = "typer-newest"
    python = environment(where, *ENVIRONMENTS[where])
    person = make_person(python, BLOCKS["Typer"], TYPER_USE_RICH="0")
    assert "╭" not in person.run("auth", "login", "--help").stdout
    spend_a_day(person)
    assert_errors_are_bare(person)


def assert_errors_are_bare(person: Person) -> None:
    """Under `--json` an error is an object and nothing else; usage errors are the host's."""
    refused = person.run("auth", "token", "--json", code=4)
    assert json.loads(refused.stderr)["error"]["hints"] == ["Run `todo auth login`."]
    assert refused.stdout == ""
    assert "--nope" in person.run("auth", "token", "--nope", code=2).stderr


@pytest.mark.xdist_group("click-newest")
def test_a_plain_script(make_person: Callable[..., Person]) -> None:
    """It logs in by itself, and reports as the commands do."""
    where = "click-newest"
    person = make_person(environment(where, *ENVIRONMENTS[where]), BLOCKS["A plain script"])
    assert "Not logged in. Run `" in person.run(code=4).stderr
    error = json.loads(person.run("--json", code=4).stderr)["error"]
    assert error["code"] == "NOT_AUTHENTICATED"
    assert "tasks of ada" in person.run("login").stdout
    assert "tasks of ada" in person.run().stdout


@pytest.mark.xdist_group("click-hosts")
def test_attaching_makes_no_application_of_flasks(make_person: Callable[..., Person]) -> None:
    """Neither attaching nor our commands and their help make it: only what is nobody else's."""
    where = "click-hosts"
    person = make_person(environment(where, *ENVIRONMENTS[where]), FLASK)
    assert person.run("login").stdout == ""
    assert "ada" in person.run("status").stdout
    assert "--min-ttl" in person.run("auth", "token", "--help").stdout
    assert "made" in person.run("nope", code=1).stderr
