"""The pages of the site: their Python runs, their command lines do what they show.

A page's Python blocks are one program, in order. Of its `console` blocks each line `$ todo ...` (or
`$ python todo.py ...`) is run, and what the page shows below it has to be printed. A comment says
what else is so: `# exit 4`, `# as bob` (who presses the button in the browser).
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import types
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import pytest

import click_auth
from click_auth import Auth
from click_auth.environment import Environment
from click_auth.testing import AuthorizationServer, isolated, logged_in
from runner import CliRunner

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\$ (?:(\w+=\S+) )?(?:todo|python todo\.py)(?: (.*?))?(?:  +# (.*))?$")
HOWTO = DOCS / "howto"
PAGES = [DOCS / "tutorial.md", *sorted(set(HOWTO.glob("*.md")) - {HOWTO / "index.md"})]
API = (DOCS / "reference" / "api.md").read_text("utf-8")


class Reader:
    """Somebody who does what a page says, in a place of their own."""

    def __init__(self, stack: ExitStack, folder: Path, server: AuthorizationServer) -> None:
        self.stack, self.folder, self.server = stack, folder, server
        self.environ: dict[str, str] = {}
        self.names: dict[str, object] = {"__name__": "page"}
        self.isolated: list[Auth] = []

    def run_python(self, block: str, page: Path) -> None:
        exec(compile(block, str(page), "exec", dont_inherit=True), self.names)
        auth = self.names.get("auth")
        if isinstance(auth, Auth):
            self.isolate(auth)

    def isolate(self, auth: Auth) -> None:
        if auth in self.isolated:
            return
        self.isolated.append(auth)
        place = self.folder / str(len(self.isolated))
        place.mkdir()
        self.stack.enter_context(
            isolated(auth, place, server=self.server, environ={"TODO_NO_BROWSER": ""})
        )

    def run_commands(self, block: str) -> None:
        for part in re.split(r"^(?=\$ )", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            match = COMMAND.match(command)
            if match is not None:
                output = self.run_command(*match.groups())
                assert [line for line in shown if line.strip() not in output] == [], output

    def run_command(self, variable: str | None, words: str | None, remark: str | None) -> str:
        remark = remark or ""
        wanted = re.search(r"exit (\d)", remark)
        person = re.search(r"as (\w+)", remark)
        self.server.login_as = person[1] if person else "ada"
        cli, auth = self.names["cli"], self.isolated[-1]
        assert isinstance(cli, click.Group)
        environ = dict([variable.split("=", 1)]) if variable else None
        with ExitStack() as stack:
            if environ is not None:
                stack.enter_context(auth.override(environ=environ))
            done = CliRunner().invoke(cli, shlex.split(words or ""), prog_name="todo")
        expected = int(wanted[1]) if wanted else 0
        assert done.exit_code == expected, (words, done.output, done.exception)
        return done.stdout if "--json" in (words or "") else done.stdout + done.stderr


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Somebody with the `auth` that the how-tos share, in a module `todo_auth`."""
    with ExitStack() as stack:
        reader = Reader(stack, tmp_path, stack.enter_context(AuthorizationServer()))
        module = types.ModuleType("todo_auth")
        exec(BLOCK.findall((HOWTO / "index.md").read_text("utf-8"))[0][1], vars(module))
        monkeypatch.setitem(sys.modules, "todo_auth", module)
        reader.isolate(module.auth)
        yield reader


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_true(page: Path, reader: Reader) -> None:
    """Its blocks run as one program, and its command lines print what it shows."""
    blocks = BLOCK.findall(page.read_text("utf-8"))
    if "auth login" not in "".join(block for kind, block in blocks if kind == "console"):
        logged_in(reader.isolated[0], server=reader.server)
    for kind, block in blocks:
        if kind == "python":
            reader.run_python(block, page)
        else:
            reader.run_commands(block)


def test_the_page_on_forks_does_the_work(reader: Reader) -> None:
    """What its children run, here without a fork: the client that a worker makes is good."""
    logged_in(reader.isolated[0], server=reader.server)
    for _, block in BLOCK.findall((HOWTO / "forking.md").read_text("utf-8")):
        reader.run_python(f"{block}\nstart_worker()\ntasks = work(0)\n_api.close()", HOWTO)
    assert reader.names["tasks"] == 3


def test_the_json_objects_are_those_on_the_page(reader: Reader) -> None:
    """Each command prints an object with exactly the fields that the table names."""
    page = (DOCS / "reference" / "commands.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z -]+)` \| `\{(.*?)\}`", page, re.MULTILINE)
    reader.names["cli"] = click.Group("todo", commands=[reader.isolated[0].group()])
    assert len(rows) > 10
    for command, fields in rows:
        if command == "logout":
            logged_in(reader.isolated[0], server=reader.server)
        printed = json.loads(reader.run_command(None, f"auth {command} --json", None))
        assert sorted(printed) == sorted(re.findall(r'"(\w+)"', fields)), command


def test_every_public_name_is_on_the_page() -> None:
    """A name that is exported has a docstring and a place among the API pages."""
    documented = set(
        re.findall(r"^\.\. auto(?:class|function|exception):: (\w+)$", API, re.MULTILINE)
    )
    assert documented == set(click_auth.__all__)
    assert all(getattr(click_auth, name).__doc__ for name in click_auth.__all__)
    methods = [name for name in dir(Auth) if not name.startswith("_")]
    assert [name for name in methods if not getattr(Auth, name).__doc__] == []


def test_every_variable_is_on_the_page() -> None:
    """The table of variables names those that the library reads, and no other."""
    page = (DOCS / "reference" / "environment.md").read_text("utf-8")
    named = set(re.findall(r"^\| `<APP>_(\w+)`", page, re.MULTILINE))
    sources = [path.read_text("utf-8") for path in Path(click_auth.__file__).parent.rglob("*.py")]
    read = {name for text in sources for name in re.findall(r'\.(?:value|name)\("([A-Z_]+)"', text)}
    defaults = {Environment("x").token_env, Environment("x").account_env}
    read |= {str(name).removeprefix("X_") for name in defaults}
    assert named == read


def test_no_page_is_only_a_title() -> None:
    """Whoever follows a link finds something to read."""
    assert [each for each in DOCS.rglob("*.md") if len(each.read_text("utf-8")) < 200] == []


def test_the_security_model_speaks_of_rows_that_are_there() -> None:
    """Each ID has its tests in the table of requirements, and each file that is named exists."""
    page = (DOCS / "security.md").read_text("utf-8")
    table = (DOCS.parent / "tests" / "hostile" / "README.md").read_text("utf-8")
    rows = set(re.findall(r"^\| ([A-Z]{2}-\d\d) \|", table, re.MULTILINE))
    named = set(re.findall(r"\b[A-Z]{2}-\d\d\b", page))
    assert len(named) > 20
    assert named <= rows
    assert all((DOCS.parent / path).exists() for path in re.findall(r"`(\w+/[\w/]+\.\w+)`", page))
