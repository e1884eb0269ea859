from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import metadata
from itertools import repeat
from pathlib import Path

import click
import pytest

from click_auth import Check, Report, UsageError
from click_auth.doctor.report import run_check
from click_auth.testing import logged_in
from doctor.patient import Patient


def test_a_healthy_application_has_nothing_to_look_at(patient: Patient) -> None:
    """Every check is ok, and the command says so and exits 0."""
    logged_in(patient.auth, server=patient.server)

    result = patient.command()

    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith("No problems found.")
    assert result.stderr == ""


def test_a_failing_check_ends_the_command_with_1(patient: Patient) -> None:
    """The last lines name what failed and what to look at."""
    patient.environ = {"TODO_AUTH_STORAGE": "cellar", "CI": "1"}

    result = patient.command()

    assert result.exit_code == 1
    assert result.stdout.endswith("Failed: storage.\nWarnings: browser.\n")


def test_json_is_one_object_of_checks(patient: Patient) -> None:
    """`--json` prints ok and the checks, each with its five fields."""
    answer = json.loads(patient.command("--json").stdout)

    assert answer["ok"] is True
    fields = {"name", "value", "source", "verdict", "hint"}
    assert all(check.keys() == fields for check in answer["checks"])
    assert {check["verdict"] for check in answer["checks"]} <= {"ok", "warn", "fail"}


def test_ndjson_is_one_check_a_line(patient: Patient) -> None:
    """`--ndjson` prints the same checks without the object around them."""
    lines = [json.loads(line) for line in patient.command("--ndjson").stdout.splitlines()]

    assert [line["name"] for line in lines] == [check.name for check in patient.checks()]


def test_versions_are_those_installed(patient: Patient) -> None:
    """Everything that a bug report needs is named, and the HTTP library in use."""
    patient.settings["http"] = "httpx2"

    found = {check.name: check for check in patient.checks()}

    assert {"click-auth", "Python", "platform"} <= found.keys()
    for name in ("click", "httpx2", "keyring", "portalocker", "pydantic"):
        assert found[name].value == metadata.version(name)
    assert "httpx" not in found


def test_a_library_that_is_not_installed_fails(patient: Patient) -> None:
    """An application may ask for an HTTP library that nobody installed."""
    patient.settings["http"] = "no_such_library"

    check = patient.check("no_such_library")

    assert (check.value, check.verdict) == ("not installed", "fail")


FROZEN = """
import importlib.metadata as metadata
def missing(name):
    raise metadata.PackageNotFoundError(name)
metadata.version = metadata.distribution = missing
import sys
from click_auth import ApiKeyProvider, Auth
for check in Auth("todo", ApiKeyProvider(), folder=sys.argv[1]).doctor().checks:
    print(check.name, check.verdict, check.value, sep="|")
"""


def test_b30_a_frozen_program_has_its_libraries(tmp_path: Path) -> None:
    """Without the facts about a package, which PyInstaller leaves out, the module itself counts."""
    done = subprocess.run(
        [sys.executable, "-c", FROZEN, str(tmp_path)], capture_output=True, text=True, check=True
    )
    for name in ("click", "httpx", "keyring", "portalocker", "pydantic"):
        assert f"{name}|ok|version unknown" in done.stdout.splitlines()


def test_an_examination_that_raises_is_one_failing_line() -> None:
    """What was found before it is kept; what the exception says, perhaps a secret, is not shown."""

    def breaking() -> Iterator[Check]:
        yield Check("first", "fine", "")
        message = "the token is canary"
        raise RuntimeError(message)

    first, second = run_check("broken", breaking, 5)

    assert first.value == "fine"
    assert second.verdict == "fail"
    assert "RuntimeError at test_report.py" in second.value
    assert "canary" not in repr(second)


def test_an_error_of_ours_is_shown_with_its_hints() -> None:
    """An error that click-auth raises on purpose says what is wrong and the way out."""

    def refusing() -> Iterator[Check]:
        yield Check("first", "fine", "")
        message = "Which account?"
        raise UsageError(message, hints=["Name one."])

    _, check = run_check("accounts", refusing, 5)

    assert check == Check("accounts", "Which account?", "", "fail", "Name one.")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Its path and the system's reason are no secret."""

    def reading() -> Iterator[Check]:
        yield Check("never", (tmp_path / "gone").read_text(), "")

    (check,) = run_check("folder", reading, 5)

    assert str(tmp_path / "gone") in check.value


def test_an_examination_that_hangs_is_given_up() -> None:
    """It is a failing line, and what was found before it is kept."""
    let_go, gone = threading.Event(), threading.Event()

    def hanging() -> Iterator[Check]:
        yield Check("early", "", "")
        let_go.wait(60)
        yield Check("late", "", "")
        gone.set()

    early, late = run_check("hanging", hanging, 2)

    assert not gone.is_set()
    let_go.set()
    assert gone.wait(60)
    assert early.name == "early"
    assert (late.verdict, late.value) == ("fail", "check timed out")


REPORT = Report(
    (
        Check("click-auth", "1.2.3", "/somewhere/else"),
        Check("TODO_CLIENT_SECRET", "set; " + " ".join(repeat("words", 30)), "environment"),
        Check("account", " ".join(repeat("name", 40)), "record file", "warn", "Log in. " * 12),
        Check("server", "nothing", "", "fail", "Wait."),
    )
)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Values, sources and hints wrap in their column."""
    lines = click.unstyle(REPORT.render(width)).splitlines()

    assert max(map(len, lines)) <= width
    column = len("warn  TODO_CLIENT_SECRET  ")
    assert f"{'ok    click-auth':<{column}}1.2.3 [/somewhere/else]" in lines
    assert f"{'fail  server':<{column}}nothing" in lines
    assert " " * column + "-> Wait." in lines


def test_a_path_stays_whole_however_narrow_the_terminal() -> None:
    """It must be possible to copy it."""
    path = "/a-b" * 30

    assert path in Report((Check("folder", path, path),)).render(60)


@pytest.mark.parametrize("variables, colored", [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colors_can_be_turned_off(
    patient: Patient, variables: dict[str, str], *, colored: bool
) -> None:
    """NO_COLOR is honoured where nobody asked for colors."""
    result = patient.command(color=True, NO_COLOR=variables.get("NO_COLOR", ""))

    assert ("\x1b[" in result.stdout) is colored
