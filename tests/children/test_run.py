"""`auth run -- CMD`: the command is what runs, with a token in its environment."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from children.conftest import PROGRAM, TOKEN, Todo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX shells and signals")


def test_a_command_gets_the_token_and_its_exit_code_is_ours(todo: Todo) -> None:
    """The variable is the application's own; nothing else is printed."""
    done = todo.run("run", "--", "sh", "-c", 'printf %s "$TODO_TOKEN"; echo oops >&2; exit 7')
    assert (done.returncode, done.stdout, done.stderr) == (7, TOKEN, "oops\n")


def test_the_variable_can_be_another(todo: Todo) -> None:
    """`--env` names it, and `TODO_TOKEN` is then not set."""
    done = todo.run("run", "--env", "GH_TOKEN", "sh", "-c", 'echo "$GH_TOKEN-${TODO_TOKEN:-none}"')
    assert done.stdout == f"{TOKEN}-none\n"


def test_a_variable_is_named_without_its_value(todo: Todo) -> None:
    """No system takes such a name: a usage error, before any token is looked for."""
    done = todo.run("run", "--env", "GH_TOKEN=x", "true")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Name the variable" in done.stderr


def test_the_commands_own_options_are_its_own(todo: Todo) -> None:
    """What stands behind the command is not read by us, `--help` and `--json` included."""
    done = todo.run("run", "printf", "%s|", "--help", "--json", "--env", "-x", "--", "a b")
    assert done.stdout == "--help|--json|--env|-x|--|a b|"


def test_the_environments_token_is_handed_on(todo: Todo) -> None:
    """The token in effect is what the command gets."""
    done = todo.run("run", "sh", "-c", "echo $TODO_TOKEN", TODO_TOKEN="from-outside")
    assert done.stdout == "from-outside\n"


@pytest.mark.parametrize(
    "program, exit_code, said",
    [
        ("no-such-program-here", 127, "command not found"),
        ("./no-such-file", 127, "command not found"),
        ("", 127, "command not found"),
        ("{folder}/readable", 126, "Permission denied"),
        ("{folder}", 126, "Permission denied"),
    ],
)
def test_what_cannot_be_run_ends_as_in_a_shell(
    todo: Todo, program: str, exit_code: int, said: str
) -> None:
    """127 for what is not there, 126 for what is no program; one line, without the token."""
    (todo.folder / "readable").write_text("echo hello")
    done = todo.run("run", program.format(folder=todo.folder))
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert said in done.stderr
    assert TOKEN not in done.stderr


def test_a_failed_run_leaves_the_program_as_it_was(todo: Todo) -> None:
    """An application that goes on, as a shell or a notebook does, survives a closed pipe."""
    source = (
        "import signal, sys\n"
        f"sys.path.insert(0, {str(PROGRAM.parent)!r})\n"
        "from todo import group\n"
        "try:\n"
        "    group(['run', 'no-such-program-here'], standalone_mode=False)\n"
        "except Exception as error:\n"
        "    print(error)\n"
        "print(signal.getsignal(signal.SIGPIPE).name, signal.getsignal(signal.SIGXFSZ).name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=todo.environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "no-such-program-here: command not found\nSIG_IGN SIG_IGN\n"


def test_an_error_is_an_object_where_json_is_wanted(todo: Todo) -> None:
    """With the code that is documented."""
    done = todo.run("run", "--json", "no-such-program-here")
    assert done.returncode == 127
    assert json.loads(done.stderr)["error"]["code"] == "AUTH_COMMAND_NOT_RUN"


@pytest.fixture
def heeded_hangup() -> Iterator[None]:
    """Let children end at a hangup: under `nohup` they would inherit that it is ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heeded_hangup")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGPIPE", "SIGHUP"])
def test_a_signal_meets_the_command_as_if_we_were_not_there(todo: Todo, name: str) -> None:
    """It is the same process, and nothing that Python ignores stays ignored."""
    number = getattr(signal, name)
    done = todo.run("run", "sh", "-c", f"kill -{int(number)} $$; echo survived")
    assert (done.returncode, done.stdout) == (-number, "")


def test_open_files_are_passed_on(todo: Todo) -> None:
    """A descriptor that we were started with is open in the command."""
    reader, writer = os.pipe()
    write = f"import os; os.write({writer}, b'through')"
    words = todo.command("run", sys.executable, "-c", write)
    subprocess.run(words, env=todo.environ, pass_fds=[writer], check=True, timeout=60)
    os.close(writer)
    with os.fdopen(reader) as through:
        assert through.read() == "through"


def test_a_terminal_is_the_commands_own(todo: Todo) -> None:
    """An editor or a shell can be what is run."""
    ours, theirs = pty.openpty()
    words = todo.command("run", "sh", "-c", "test -t 0 && test -t 1 && test -t 2")
    done = subprocess.run(
        words, env=todo.environ, stdin=theirs, stdout=theirs, stderr=theirs, check=False, timeout=60
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0


def test_nobody_logged_in_runs_nothing(tmp_path: Path) -> None:
    """Exit 4, before the command has done anything."""
    todo = Todo(tmp_path / "todo")
    done = todo.run("run", "touch", str(tmp_path / "done"), TODO_CONFIG_DIR=str(tmp_path / "none"))
    assert done.returncode == 4
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize("words", [["run", "true"], ["token", "--format", "header"]])
def test_a_fresh_token_loads_no_httpx(todo: Todo, words: list[str]) -> None:
    """Neither to run a command nor to print the token for another program."""
    program = todo.command(*words)[1:]
    source = (
        "import runpy, sys, atexit, os\n"
        f"sys.argv = {program!r}\n"
        "heavy = lambda: sorted({'httpx', 'pydantic', 'portalocker'} & set(sys.modules))\n"
        "os.execvpe = lambda *_: (print(heavy()), os._exit(0))\n"
        "atexit.register(lambda: print(heavy()))\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-u", "-c", source],
        env=todo.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
