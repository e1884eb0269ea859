"""The pages say what the code does."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TypeGuard

import pytest

import click_auth
from click_auth import errors

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def test_every_code_is_documented() -> None:
    """The table of codes has each one that the library raises, with its class and exit code."""
    row = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (\d) \|", re.MULTILINE)
    documented = {
        code: (getattr(click_auth, name), int(exit_code))
        for code, name, exit_code in row.findall((DOCS / "errors.md").read_text("utf-8"))
    }
    constants = {value for name, value in vars(errors).items() if name.isupper()}
    sources = [path.read_text("utf-8") for path in Path(click_auth.__file__).parent.rglob("*.py")]
    quoted = {code for text in sources for code in re.findall(r'code="([A-Z_]+)"', text)}
    codes = {each for each in constants if isinstance(each, str)} | quoted
    assert codes == set(documented)
    assert all(kind.exit_code == exit_code for kind, exit_code in documented.values())


def test_every_message_in_the_table_of_errors_is_one_that_is_printed() -> None:
    """Who searches for a message finds it word for word, but for what differs each time."""
    page = (DOCS / "errors.md").read_text("utf-8").partition("## By what it says")[2]
    messages = re.findall(r"^\| `(.+?)` \|", page, re.MULTILINE)
    package = Path(click_auth.__file__).parent
    trees = [ast.parse(path.read_text("utf-8")) for path in package.rglob("*.py")]
    texts = [node.value for tree in trees for node in ast.walk(tree) if is_text(node)]
    pieces = {piece.strip() for message in messages for piece in message.split("…")}
    assert len(messages) > 20
    assert [piece for piece in pieces if not any(piece in text for text in texts)] == []


def is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    """Whether *node* is a piece of text."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize(
    "page, example",
    [("README.md", "todo.py"), ("docs/howto/typer.md", "todo_typer.py")],
)
def test_a_page_shows_the_first_block_of_an_example(page: str, example: str) -> None:
    """What people copy from a page is the first block of a program that runs."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    program = (ROOT / "examples" / example).read_text("utf-8")
    block = program.partition("[start:readme]\n")[2].partition("\n# --8<-- [end:readme]")[0]
    assert [each.strip() for each in blocks] == [block.strip()]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_no_link_between_files_is_broken(page: str) -> None:
    """Sphinx looks after the links of the site; these pages are no part of it."""
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"\]\((?!https?:)([\w./-]+)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_path_in_the_architecture_exists() -> None:
    """Who looks for a behaviour is led to a file that is there."""
    text = (DOCS / "architecture.md").read_text("utf-8")
    fenced = " ".join(re.findall(r"```text\n(.*?)```", text, re.DOTALL))
    named = [
        *re.findall(r"`([\w/]+(?:\.(?:py|md)|/))`", text),
        *re.findall(r"[\w/]+\.py|\w+/(?= )", fenced),
    ]
    package = Path(click_auth.__file__).parent
    missing = {path for path in named if not any((top / path).exists() for top in (package, ROOT))}
    assert len(named) > 80
    assert not missing
