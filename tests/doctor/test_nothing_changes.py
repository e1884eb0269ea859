from __future__ import annotations

import os
from pathlib import Path

import pytest

from click_auth import Account, TokenBundle
from click_auth.locks.account_lock import account_lock
from click_auth.testing import logged_in
from doctor.patient import Patient

ACCESS, REFRESH, TOKEN = "canary-access", "canary-refresh", "canary-env-token"
SECRET, PROXY, LEFT = "canary-client-secret", "canary-proxy-password", "canary-in-broken"
CANARIES = (ACCESS, REFRESH, TOKEN, SECRET, PROXY, LEFT)


def contents(folder: Path) -> dict[str, tuple[bytes, float, int]]:
    """Return each file below *folder*: its bytes, when it was written, and its inode."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for path in files
    }


def sick(patient: Patient) -> None:
    """Give the application something of everything."""
    bundle = TokenBundle(ACCESS, REFRESH)
    logged_in(patient.auth, account=Account(id="ada", label="Ada"), bundle=bundle)
    with patient.auth.context.store.records.transaction() as draft:  # type: ignore[attr-defined]
        draft.mark_removed("bob")
    (patient.folder / "auth.json.broken-20200101").write_text(LEFT)
    (patient.folder / "locks").mkdir(exist_ok=True)
    (patient.folder / "locks" / "user-dead.lock").write_text("1 elsewhere -\n")
    patient.environ = {
        "TODO_TOKEN": TOKEN,
        "TODO_CLIENT_ID": "ci",
        "TODO_CLIENT_SECRET": SECRET,
        "TODO_ACCOUNT": "nobody",
        "SSL_CERT_FILE": "/no/such/file",
    }


def test_the_doctor_changes_nothing(patient: Patient) -> None:
    """Files, their times and inodes are the same afterwards; no file came, none went."""
    sick(patient)
    before = contents(patient.folder), sorted(patient.folder.rglob("*"))

    with account_lock(patient.folder, "ada"):
        held = sorted(patient.folder.rglob("*"))
        patient.checks()
        assert sorted(patient.folder.rglob("*")) == held
    patient.command("--json")

    assert (contents(patient.folder), sorted(patient.folder.rglob("*"))) == before


def test_the_doctor_makes_no_folder(patient: Patient) -> None:
    """Where nothing was stored yet, nothing is made."""
    patient.checks()

    assert not patient.folder.exists()


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--ndjson"]])
def test_no_secret_is_in_any_output(
    patient: Patient, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SX-02: neither tokens nor the client secret nor a proxy's password."""
    sick(patient)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PROXY}@proxy.example:3128")
    patient.settings["http_options"] = {}

    result = patient.command(*arguments)

    assert result.exit_code == 1
    assert "proxy.example" in result.output
    assert not [canary for canary in CANARIES if canary in result.output]


def test_no_token_is_in_a_report_on_a_damaged_file(patient: Patient) -> None:
    """SX-03: neither a bad record nor a file that is no JSON is quoted."""
    sick(patient)
    path = patient.folder / "auth.json"
    patient.alter(generation="many", fallback_token=ACCESS)
    bad = patient.command().output
    path.write_text(f'{{"version": 1, "{ACCESS}')
    damaged = patient.command().output

    assert "bad record" in bad
    assert "is not valid JSON" in " ".join(damaged.split())
    assert not [canary for canary in CANARIES if canary in bad + damaged]


def test_the_server_gets_no_secret(patient: Patient) -> None:
    """It is asked for its metadata and for nothing else, with no credential."""
    sick(patient)
    del patient.environ["SSL_CERT_FILE"]

    patient.checks()

    entries = list(patient.server.journal)
    assert entries
    assert all(entry.method == "GET" for entry in entries)
    assert not [canary for canary in CANARIES if canary in repr(entries)]


def test_the_environment_is_left_alone(patient: Patient) -> None:
    """No variable is set or unset."""
    before = dict(os.environ)

    patient.checks()

    assert dict(os.environ) == before
