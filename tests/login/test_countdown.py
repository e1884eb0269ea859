from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from login.terminal import Terminal
from login.waiting import CODE, at_once

PROGRAM = str(Path(__file__).parent / "waiting_program.py")
ERASES = "\r\x1b[K"
TEN_MINUTES = 600
UNSEEN = "stays hidden."
FINISHING = "Response received. Finishing the login..."
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")


def environ(term: str | None = "xterm") -> dict[str, str]:
    """Return the environment of somebody who sits at such a terminal."""
    kept = {name: value for name, value in os.environ.items() if name != "TERM"}
    return kept if term is None else {**kept, "TERM": term}


def program(term: str | None = "xterm", columns: int = 80, **wishes: Any) -> Terminal:
    """Run a login at a terminal."""
    argv = [sys.executable, PROGRAM, json.dumps({"timeout": TEN_MINUTES, **wishes})]
    return Terminal(argv, environ(term), columns=columns)


def in_shell(command: str, *, pipe: bool = False, **wishes: Any) -> Terminal:
    """Run a shell command in which `{login}` is a login."""
    login = f"{sys.executable} {PROGRAM} '{json.dumps(wishes)}'"
    argv = ["bash", "-c", command.replace("{login}", login)]
    return Terminal(argv, environ(), columns=80, pipe=pipe)


def drawn(terminal: Terminal) -> list[str]:
    """Return what stood on the line that is drawn again and again."""
    return re.findall(r"\r\x1b\[K(W[^\r\n]*)", terminal.shown)


def test_the_time_that_is_left_is_shown_and_gone_afterwards() -> None:
    """It changes in its place; when the paste has won, the next line begins where it began."""
    with program() as person:
        person.read_until("Waiting for the browser... 9:")
        person.type(f"{CODE}\n")
        assert person.end() == 0
    assert re.fullmatch(
        r"Waiting for the browser... (10:00|9:\d\d) left \(Ctrl-C to cancel\)", drawn(person)[0]
    )
    assert person.screen[-4].endswith(UNSEEN)
    assert person.screen[-3:] == [FINISHING, f"code={CODE}", ""]
    assert "Waiting for the browser, up" not in person.shown


def test_what_is_said_meanwhile_stands_above_it() -> None:
    """A wrong paste is explained on a line of its own, and the time goes on below."""
    with program() as person:
        person.read_until("Waiting for the browser... ")
        person.type("hello there\n")
        person.read_until(f"Still waiting.\n{ERASES}Waiting for the browser... ")
        person.read_until("Ctrl-C to cancel)")
        assert person.screen[-2].endswith("Still waiting.")
        assert person.screen[-1].startswith("Waiting for the browser... ")
        person.type(f"{CODE}\n")
        assert person.end() == 0


def test_a_long_paste_in_pieces_is_not_torn_by_it() -> None:
    """The line is drawn between its halves, which are never shown, and no character is lost."""
    with program() as person:
        person.read_until("Waiting for the browser... ")
        person.type("c" * 6_000)
        person.read_until("Waiting for the browser... 9:")
        person.type("d" * 6_000 + "\n")
        assert person.end() == 0
    assert person.screen[-2] == "code=" + "c" * 6_000 + "d" * 6_000
    assert person.shown.count("c" * 6_000) == 1


def test_lb_21_ctrl_c_leaves_a_clean_line() -> None:
    """The line is gone, the cursor at the beginning of an empty one, and the terminal echoes."""
    with program() as person:
        person.read_until("Waiting for the browser... ")
        assert person.interrupt() < at_once()
        assert (person.process.returncode, person.echoes) == (130, True)
    assert person.screen[-2].endswith(UNSEEN)
    assert person.screen[-1] == ""
    assert person.shown.endswith(ERASES)


def test_nobody_came() -> None:
    """The error stands where the time stood."""
    with program(timeout=1) as person:
        assert person.end() == 0
    assert person.screen[-2:] == ["failed: Timed out after 1 s waiting for the browser.", ""]
    assert drawn(person)[-1] in {
        f"Waiting for the browser... 0:0{left} left (Ctrl-C to cancel)" for left in (0, 1)
    }


@pytest.mark.parametrize(
    "columns, room", [(20, 19), (40, 39), (60, 59), (200, 199), (1, 0), (0, 79)]
)
def test_a_terminal_narrower_than_the_line(columns: int, room: int) -> None:
    """It is shorter there or cut, and nothing of it stays; one that says nothing has 80 columns."""
    with program(columns=columns, timeout=1) as person:
        assert person.end() == 0
    short = "Waiting... 0:01 left"
    lines = ["Waiting for the browser... 0:01 left (Ctrl-C to cancel)", f"{short} (Ctrl-C cancels)"]
    fitting = next((line for line in lines if len(line) <= room), short)
    assert max(map(len, drawn(person)), default=0) == min(room, len(fitting))
    assert not [line for line in person.screen if line.startswith("Waiting")]


@pytest.mark.parametrize("term", ["dumb", None])
def test_a_terminal_that_cannot_draw_over_a_line(term: str | None) -> None:
    """It says once how long it waits, and sends no control character."""
    with program(term, timeout=1) as person:
        assert person.end() == 0
    assert "\nWaiting for the browser, up to 1 s (Ctrl-C to cancel).\n" in person.shown
    assert not set(person.shown) & {"\r", "\x1b"}


@pytest.mark.parametrize("value, moves", [("1", False), ("yes", False), ("0", True), ("", True)])
def test_b21_accessible_has_no_line_that_moves(value: str, *, moves: bool) -> None:
    """A screen reader would read it out each second: one sentence says how long it waits."""
    argv = [sys.executable, PROGRAM, json.dumps({"timeout": 1})]
    with Terminal(argv, {**environ(), "ACCESSIBLE": value}, columns=80) as person:
        assert person.end() == 0
    assert bool(drawn(person)) is moves
    assert ("\nWaiting for the browser, up to 1 s (" in person.shown) is not moves


def test_d20_a_window_that_shrinks_keeps_no_stale_line() -> None:
    """The rows that the line has been wrapped into are erased, all of them."""
    with program(columns=80) as person:
        person.read_until("Waiting for the browser... 9:")
        person.shown = ""
        person.resize(20)
        person.read_until("\x1b[2A\r\x1b[JWaiting... 9:")
        person.shown = ""
        person.read_until("\r\x1b[KWaiting... 9:")


def test_d20_where_nobody_reads_the_prompt_no_key_is_taken(tmp_path: Path) -> None:
    """`login 2> file`: what the terminal is not told of it does not hide."""
    said = tmp_path / "said"
    argv = f"exec {sys.executable} {PROGRAM} '{{\"timeout\": 60}}' 2> {said}"
    with Terminal(["sh", "-c", argv], environ(), columns=80) as person:
        while "Ctrl-C to cancel" not in (said.read_text() if said.exists() else ""):
            assert person.process.poll() is None
        assert person.echoes
        assert "hidden" not in said.read_text()
        person.interrupt()


def test_a_pipe_gets_nothing_of_it() -> None:
    """Where stderr is no terminal, the one line says it, whatever stdin is."""
    with in_shell("{login} 2>&1 | cat", timeout=1) as person:
        assert person.end() == 0
    assert "\nWaiting for the browser, up to 1 s (Ctrl-C to cancel).\n" in person.shown
    assert not set(person.shown) & {"\r", "\x1b"}


def test_a_program_gets_nothing_of_it() -> None:
    """Under `--json` each line on stderr is an object, on a terminal too."""
    with program(machine=True, timeout=1) as person:
        assert person.end() == 0
    lines = person.shown.splitlines()
    assert [json.loads(line)["event"] for line in lines[:-1]][-2:] == ["paste", "waiting"]
    assert not set(person.shown) & {"\r", "\x1b"}


def test_a_terminal_that_is_another_jobs_is_left_alone() -> None:
    """`todo auth login &` draws nothing over what is typed into the shell."""
    with in_shell("set -m; {login} & wait $!; echo ended with $?", timeout=1) as person:
        person.read_until("ended with 0")
        person.end()
    assert ERASES not in person.shown


def test_a_terminal_that_goes_away_takes_no_wait_along() -> None:
    """Under nohup, say: drawing fails, and the login waits until its time is up."""
    with in_shell("trap '' HUP; exec {login}", pipe=True, timeout=3) as person:
        person.read_until("Waiting for the browser... 0:0")
        person.hang_up()
        assert person.process.stdout is not None
        assert (
            person.process.stdout.read()
            == b"failed: Timed out after 3 s waiting for the browser.\n"
        )
        assert person.process.wait() in {0, 120}
