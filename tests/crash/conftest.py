from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keyring.core
import pytest

from click_auth.testing import AuthorizationServer
from crash.filed_keyring import FiledKeyring
from crash.place import CrashPlace

FIGURE = "figure"


@pytest.fixture
def place(
    auth_server: AuthorizationServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CrashPlace:
    """A server, a folder with nobody logged in, and a keyring that is a folder."""
    place = CrashPlace(
        auth_server,
        tmp_path / "todo",
        keyring=tmp_path / "keyring",
        legacy=tmp_path / "legacy" / "old.json",
        log=tmp_path / "writes.log",
    )
    place.keyring.mkdir(0o700)
    place.legacy.parent.mkdir()
    for name, value in place.keyring_variables.items():
        monkeypatch.setenv(name, value)
    backend = FiledKeyring()  # type: ignore[no-untyped-call]
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
    return place


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[object], None]:
    """Keep a line for the summary of the run."""
    return lambda line: record_property(FIGURE, str(line))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of every test that has some."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
    lines = [
        f"{report.nodeid.rpartition('::')[2]}: {value}"
        for report in reports
        if report.when == "call"
        for name, value in report.user_properties
        if name == FIGURE
    ]
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write("\n".join(lines) + "\n")
