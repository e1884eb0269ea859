"""How the commands look on a person's terminal: ticks, lines that fit, menus."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest

from click_auth import Account, Auth, Check, OAuthProvider, Report, TokenBundle
from click_auth.console.text import wrap
from login.terminal import Terminal

TODO = Path(__file__).parents[2] / "examples" / "todo.py"
NOWHERE = "http://127.0.0.1:9"
COLUMNS = 40


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a `todo` with two accounts, bob the default one."""
    environ = {"TODO_CONFIG_DIR": str(tmp_path), "TODO_AUTH_STORAGE": "plaintext"}
    environ |= {"TODO_ISSUER": NOWHERE, "TODO_API_URL": NOWHERE, "TERM": "xterm"}
    auth = Auth("todo", OAuthProvider(client_id="todo-cli", issuer=NOWHERE, api_url=NOWHERE))
    with auth.override(environ={**os.environ, **environ}):
        for name in ("ada", "bobby"):
            account = Account(id=name, label=f"{name}@todo.example")
            auth.store.set_bundle(account, TokenBundle(f"AT-{name}"))
        auth.use("bobby")
    kept = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    return {**kept, **environ}


def run(environ: dict[str, str], *words: str, columns: int = COLUMNS) -> Terminal:
    """Run `todo auth WORDS` on a terminal of so many columns."""
    return Terminal([sys.executable, str(TODO), "auth", *words], environ, columns=columns)


def whole(environ: dict[str, str], *words: str, columns: int = COLUMNS) -> str:
    """Return everything that `todo auth WORDS` shows, once it has ended."""
    with run(environ, *words, columns=columns) as person:
        person.end()
        return person.shown


def plain(text: str) -> str:
    """Return *text* without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_what_went_well_has_a_tick(environ: dict[str, str]) -> None:
    """On a terminal; not for a screen reader, nor where the character does not exist."""
    said = "ada@todo.example (ada) is now the default account.\n"
    assert plain(whole(environ, "account", "use", "ada", columns=80)) == f"✓ {said}"
    for name, value in {"ACCESSIBLE": "1", "TERM": "dumb", "PYTHONIOENCODING": "ascii"}.items():
        assert plain(whole({**environ, name: value}, "account", "use", "ada", columns=80)) == said


@pytest.mark.parametrize("quiet", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_no_colour_where_none_is_wanted(environ: dict[str, str], quiet: dict[str, str]) -> None:
    """NO_COLOR and a dumb terminal: not one escape sequence."""
    assert "\x1b" in whole(environ, "account", "list")
    for words in (("account", "list"), ("account", "use", "ada"), ("logout", "--user", "bobby")):
        assert "\x1b" not in whole({**environ, **quiet}, *words)


def test_an_applications_own_command_has_no_colour_either(environ: dict[str, str]) -> None:
    """What we warn of in it: no context of Click's says that there is no colour."""
    warn = "from click_auth.console import console; console.current().warn('mind it')"
    for more, styled in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        with Terminal([sys.executable, "-c", warn], {**environ, **more}) as person:
            person.end()
        assert ("\x1b" in person.shown) is styled
        assert plain(person.shown) == "Warning: mind it\n"


def test_sentences_are_wrapped_and_commands_stay_whole(environ: dict[str, str]) -> None:
    """An error at 40 columns: no line is too long but for what must not be broken."""
    shown = plain(whole(environ, "token", "--user", "nobody-of-that-name"))
    assert len(shown.splitlines()) > 1
    assert all(len(line) <= COLUMNS for line in shown.splitlines())
    assert " ".join(shown.split()).startswith("Error: No account 'nobody-of-that-name'.")


def test_wrap_keeps_what_is_one() -> None:
    """A command in backticks, a URL, a line that begins with a space; styles have no width."""
    url = "https://id.todo.example/authorize?a=b"
    text = f"Run `todo auth login` or open {url} now.\n    ssh -L 1:2:3 somewhere far away"
    assert wrap(text, 20).split("\n") == [
        "Run",
        "`todo auth login` or",
        "open",
        url,
        "now.",
        "    ssh -L 1:2:3 somewhere far away",
    ]
    path = "/Users/ada/Library/Application Support/todo/auth.json"
    windows = r"C:\Users\Ada Lovelace\AppData\Roaming\todo\auth.json"
    for whole in (path, windows):
        assert wrap(f"Other users can read {whole} here", 20).split("\n") == [
            "Other users can read",
            whole,
            "here",
        ]
    assert wrap("\x1b[1mWarning:\x1b[0m mind it", 16) == "\x1b[1mWarning:\x1b[0m mind it"
    assert wrap(text, None) == text


def test_the_list_and_the_status_are_aligned(environ: dict[str, str]) -> None:
    """The facts of a status stand in one column; so do marks, names and defaults of a list."""
    listed = plain(whole(environ, "account", "list", columns=80)).splitlines()
    assert listed == [
        "  ada@todo.example (ada)",
        "* bobby@todo.example (bobby)  (default)",
    ]
    _, *rows = plain(whole(environ, "status", "--offline", columns=200)).splitlines()
    values = [re.match(r" *[^:]*: +", row) for row in rows]
    assert len({found and found.end() for found in values}) == 1


def test_doctor_is_readable_at_forty_columns() -> None:
    """Each check's name has its own line there, and nothing but a path is longer."""
    hint = "Other users can read it. Run `chmod 600 /x/auth.json`; then try again."
    report = Report((Check("record file", "/x/auth.json, mode 0644", "default", "warn", hint),))
    assert plain(report.render(COLUMNS)).splitlines() == [
        "warn  record file",
        "      /x/auth.json, mode 0644 [default]",
        "      -> Other users can read it. Run",
        "      `chmod 600 /x/auth.json`; then try",
        "      again.",
        "",
        "Warnings: record file.",
    ]
    wide = plain(report.render(80)).splitlines()
    assert wide[0] == "warn  record file       /x/auth.json, mode 0644 [default]"


def test_doctors_values_stand_in_one_column() -> None:
    """Behind the longest name, where the terminal is wide enough."""
    names = ("folder", "REQUESTS_CA_BUNDLE")
    report = Report(tuple(Check(name, "here", "") for name in names))
    rows = plain(report.render(80)).splitlines()[:2]
    assert {row.index("here") for row in rows} == {6 + len("REQUESTS_CA_BUNDLE") + 2}


def test_account_use_without_a_name_asks(environ: dict[str, str]) -> None:
    """A menu on a terminal, Enter for the default one; without a terminal the usual error."""
    with run(environ, "account", "use") as person:
        shown = plain(person.read_until("[2]: "))
        assert "  1  ada@todo.example (ada)\n  2  bobby@todo.example (bobby)\n" in shown
        person.type("1\n")
        assert person.end() == 0
    assert "* ada" in plain(whole(environ, "account", "list"))
    with Terminal(
        [sys.executable, str(TODO), "auth", "account", "use"], environ, pipe=True
    ) as bare:
        bare.read_until(": ")
        time.sleep(0.5)  # a Ctrl-C just before Python begins to read is seen with the next key only
        bare.interrupt()
        assert "Nothing was changed." in bare.shown
    as_json = whole(environ, "account", "use", "--json")
    assert "Missing argument 'REF'" in plain(as_json)


def test_logout_asks_which_of_several(environ: dict[str, str]) -> None:
    """A menu where several are stored and none was named; the end of the input logs nobody out."""
    with run(environ, "logout") as person:
        person.read_until("[2]: ")
        person.type("\x04")
        assert person.end() == 130
        assert "Nothing was changed." in person.shown
    assert "* bobby" in plain(whole(environ, "account", "list"))
    with run(environ, "logout", "--no-revoke") as person:
        person.read_until("[2]: ")
        person.type("1\n")
        assert person.end() == 0
        assert "Logged out: ada." in person.shown
    left = whole(environ, "logout", "--no-revoke")  # one account is no question
    assert "Logged out: bobby." in left


def test_a_chosen_account_is_not_asked_about(environ: dict[str, str]) -> None:
    """`--user`, `--all` and TODO_ACCOUNT say which."""
    named = {**environ, "TODO_ACCOUNT": "ada"}
    assert "Logged out: ada." in whole(named, "logout", "--no-revoke")
    assert "Logged out: bobby." in whole(environ, "logout", "--all", "--no-revoke")
