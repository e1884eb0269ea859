"""What commands say: inert lines, one line for what nobody foresaw, and completion's silence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from click_auth.console import console

HOSTILE = "Ada\nWarning: run this\x1b]0;t\x07\x1b[2J\u202e\x9b31m\r\u2028end"
CLI = """
import os, sys
from click_auth import Account, Auth, OAuthProvider, TokenBundle
here = "http://127.0.0.1:1"
def provider(instance=None):
    endpoints = {"authorization_endpoint": here, "token_endpoint": here}
    return OAuthProvider(client_id="c", api_url=here, **endpoints)
auth = Auth("todo", provider if os.environ.get("SEVERAL") else provider(), storage="plaintext")
if sys.argv[1:2] == ["fill"]:
    for id, label, instance in eval(sys.argv[2]):
        auth.store.set_bundle(Account(id=id, label=label, instance=instance), TokenBundle("AT"))
    sys.exit()
group = auth.group()

@group.command()
def breaks():
    code = int(os.environ["CODE"])
    raise OSError(code, "canary of an error")

from click_auth.commands.command import command_console
body = group.commands["breaks"].callback
def callback():
    with command_console(auth, as_json=False, as_ndjson=False):
        body()
group.commands["breaks"].callback = callback
group(prog_name="todo")
"""


def todo(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    command = [sys.executable, "-c", CLI, *arguments]
    environment = {**os.environ, "TODO_CONFIG_DIR": str(folder), **environ}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def completed(
    folder: Path, words: str, shell: str = "zsh", **environ: str
) -> subprocess.CompletedProcess[str]:
    """Press TAB behind *words*."""
    number = str(len(words.split(" ")) - 1)
    asked = {"_TODO_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": number}
    return todo(folder, **asked, **environ)


@pytest.mark.parametrize("kind", ["say", "warn"])
def test_s7_what_is_said_is_one_inert_line(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever wrote the words: no line of its own, nothing that a terminal obeys."""
    getattr(console.Console(), kind)(f"The tokens of {HOSTILE}")
    said = capsys.readouterr().err
    assert said.endswith("end\n")
    assert said.rstrip("\n").isprintable()


def test_s7_what_has_several_lines_on_purpose_keeps_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An address on a line of its own, a picture, a code."""
    console.Console().event("open_url", "Open this:\n\nhttps://id.example/\n")
    assert capsys.readouterr().err == "Open this:\n\nhttps://id.example/\n\n"


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOENT, errno.ENOSPC, errno.EACCES])
def test_b29_an_error_of_the_system_is_one_line(tmp_path: Path, code: int) -> None:
    """A broken pipe is Click's to end; whatever else went wrong is no traceback."""
    done = todo(tmp_path, "breaks", CODE=str(code))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Unexpected error: ")
    assert "canary" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_b29_a_broken_pipe_ends_in_silence(tmp_path: Path) -> None:
    """`todo auth account list | head -1` says nothing of it."""
    done = todo(tmp_path, "breaks", CODE=str(errno.EPIPE))
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("shell", ["zsh", "fish", "bash"])
def test_s19_a_label_is_no_answer_of_its_own_to_a_shell(tmp_path: Path, shell: str) -> None:
    """A shell reads lines and tabs: a label forges neither, and no control character passes."""
    label = HOSTILE + "\tplain,\n$(touch x)\nplain" + "x" * 5000
    todo(tmp_path, "fill", repr([("ada", label, None)]))
    done = completed(tmp_path, "todo status --user ", shell)
    per_account = {"zsh": 3, "fish": 1, "bash": 1}[shell]
    assert len(done.stdout.splitlines()) == per_account
    assert not set(done.stdout) & {"\x1b", "\x07", "\r", "\x9b", "\u202e"}
    assert len(done.stdout) < 400


def test_s19_an_instance_is_no_answer_of_its_own_to_a_shell(tmp_path: Path) -> None:
    """One with a line break is left out."""
    accounts = [("ada", None, "eu"), ("bob", None, "u\nplain\n$(touch x)")]
    todo(tmp_path, "fill", repr(accounts), SEVERAL="1")
    done = completed(tmp_path, "todo status --instance ", SEVERAL="1")
    assert done.stdout.splitlines()[1::3] == ["eu"]


@pytest.mark.parametrize("typed", ["ada@example", "ada%40", "Äda", "äDA", "ada@"], ids=ascii)
def test_b31_keys_ids_and_labels_are_completed(tmp_path: Path, typed: str) -> None:
    """With the key, which is what no shell has to quote."""
    accounts = [("ada@example.org", "Äda Lovelace", None), ("bob@example.org", "Bob", None)]
    todo(tmp_path, "fill", repr(accounts))
    for words in (f"todo status --user {typed}", f"todo account use {typed}"):
        done = completed(tmp_path, words)
        assert done.stdout.splitlines()[1::3] == ["ada%40example.org"], done


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_b31_completion_says_nothing(tmp_path: Path) -> None:
    """No warning in the middle of TAB, of wide modes, of damage, or of what cannot be read."""
    todo(tmp_path, "fill", repr([("ada", None, None)]))
    (tmp_path / "auth.json").chmod(0o644)
    done = completed(tmp_path, "todo status --user ", TODO_AUTH_DEBUG="1")
    assert (done.stdout.splitlines()[1::3], done.stderr) == (["ada"], "")
    for damage in ("{", '{"version": 99}', '{"version": 1, "accounts": {"ada": {"x": 1}}}', "[]"):
        (tmp_path / "auth.json").write_text(damage)
        done = completed(tmp_path, "todo status --user ")
        assert (done.stdout.strip(), done.stderr) == ("", ""), damage


def test_the_line_with_ctrl_c_is_ended_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    """The shell's prompt is not to stand behind it; to a program nothing is said."""
    console.JsonConsole().done("", well=False)
    assert capsys.readouterr() == ("", "")
    console.Console().done("", well=False)
    assert capsys.readouterr() == ("", "\n")
