from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from click_auth import MemoryTokenStore
from click_auth.locks.account_lock import account_lock, find_holder
from click_auth.testing import logged_in
from doctor.patient import Patient
from stores.children import run, without_privileges

owners = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no modes")


def test_a_folder_that_is_not_there_yet_is_no_fault(patient: Patient) -> None:
    """The first login makes it, where the application wants it."""
    check = patient.check("folder")

    assert (check.verdict, check.source) == ("ok", "the application")
    assert check.value == f"{patient.folder}, created by the first login"
    assert patient.check("record file").value == "not created yet"


def test_the_folder_of_the_environment_is_named(patient: Patient, tmp_path: Path) -> None:
    """Its source is the variable."""
    patient.settings["folder"] = None
    patient.environ["TODO_CONFIG_DIR"] = str(tmp_path / "elsewhere")

    check = patient.check("folder")

    assert check.source == "TODO_CONFIG_DIR"
    assert "elsewhere" in check.value


@owners
def test_a_folder_and_a_file_open_to_others_are_warnings(patient: Patient) -> None:
    """FS-02: the modes are shown, and that the next write tightens them."""
    logged_in(patient.auth)
    patient.folder.chmod(0o755)
    (patient.folder / "auth.json").chmod(0o644)

    folder, file = patient.check("folder"), patient.check("record file")

    assert (folder.verdict, file.verdict) == ("warn", "warn")
    assert "mode 0755" in folder.value
    assert "mode 0644" in file.value


def test_something_else_in_place_of_the_folder_fails(patient: Patient) -> None:
    """FS-09: a file where the folder should be."""
    patient.folder.write_text("")

    assert patient.check("folder").verdict == "fail"
    assert "is not a folder" in patient.check("folder").value


@owners
def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    """FS-11: found out before a login, also where the folder would have to be made."""
    (tmp_path / "fixed").mkdir(mode=0o500)
    script = (
        without_privileges
        + """
import pathlib
from click_auth import Auth, ApiKeyProvider
from click_auth.doctor.storage import folder
root = pathlib.Path(sys.argv[1])
for path in (root / "fixed", root / "fixed" / "new"):
    [check] = folder(Auth("todo", ApiKeyProvider(), folder=path).context)
    print(check.verdict, check.value)
"""
    )

    there, not_there = run(script, str(tmp_path)).splitlines()

    assert there.startswith("fail") and "can't be written" in there  # noqa: PT018
    assert not_there.startswith("fail") and "new can't be written" in not_there  # noqa: PT018


def test_a_damaged_file_fails_and_stays(patient: Patient) -> None:
    """FS-03: it is named, with what the next login does; its bytes stay."""
    patient.folder.mkdir(0o700)
    path = patient.folder / "auth.json"
    path.write_text('{"version": 1, "acc')

    check = patient.check("record file")

    assert check.verdict == "fail"
    assert "damaged" in check.value
    assert "next login" in str(check.hint)
    assert path.read_text() == '{"version": 1, "acc'


def test_a_newer_file_fails_with_the_way_out(patient: Patient) -> None:
    """FS-05: upgrade."""
    patient.folder.mkdir(0o700)
    (patient.folder / "auth.json").write_text('{"version": 2}')

    assert "Upgrade" in str(patient.check("record file").hint)


def test_a_bad_record_is_named_and_hides_no_other(patient: Patient) -> None:
    """One line names it by its key; the other account has a line of its own."""
    for user in ("ada", "ben"):
        logged_in(patient.auth, user)
    path = patient.folder / "auth.json"
    root = json.loads(path.read_bytes())
    root["accounts"]["ben"] = {"account": 7}
    path.write_text(json.dumps(root))

    bad = patient.check("bad record")

    assert (bad.verdict, bad.value.partition(":")[0]) == ("fail", "ben")
    assert "ada" in patient.check("account").value


def test_a_file_that_was_kept_aside_is_pointed_out(patient: Patient) -> None:
    """It may hold tokens, and nobody else deletes it."""
    logged_in(patient.auth)
    (patient.folder / "auth.json.broken-20200101").write_text("{")

    check = patient.check("set aside")

    assert check.verdict == "warn"
    assert "auth.json.broken-20200101" in check.value


def test_a_link_of_our_own_is_followed_and_shown(patient: Patient, tmp_path: Path) -> None:
    """Dotfile managers do that."""
    logged_in(patient.auth)
    path, target = patient.folder / "auth.json", tmp_path / "dotfiles.json"
    path.rename(target)
    path.symlink_to(target)

    check = patient.check("record file")

    assert check.verdict == "ok"
    assert str(target) in check.source


def test_pending_removals_are_named(patient: Patient) -> None:
    """Secrets that outlived a logout are no secret."""
    logged_in(patient.auth)
    with patient.auth.context.store.records.transaction() as draft:  # type: ignore[attr-defined]
        draft.mark_removed("ben")

    check = patient.check("removals")

    assert check.verdict == "warn"
    assert "ben" in check.value


def test_a_held_lock_is_shown_with_its_holder(patient: Patient) -> None:
    """The number of the process is what somebody needs to look for it."""
    logged_in(patient.auth)

    with account_lock(patient.folder, "ada"):
        held = patient.check("locks")

    assert held.verdict == "ok"
    assert f"user-ada held by process {os.getpid()}" in held.value
    assert patient.check("locks").value == "none held"


def test_a_lock_held_longer_than_any_renewal_is_a_warning(patient: Patient) -> None:
    """A holder that was stopped blocks everybody: it is named."""
    logged_in(patient.auth)

    with account_lock(patient.folder, "ada"):
        os.utime(patient.folder / "locks" / "user-ada.lock", (0, 0))
        check = patient.check("locks")

    assert check.verdict == "warn"
    assert str(os.getpid()) in str(check.hint)


def test_the_lock_of_a_dead_process_is_not_held(patient: Patient) -> None:
    """LK-01: its file is still there; the next holder takes it over."""
    (patient.folder / "locks").mkdir(parents=True, mode=0o700)
    (patient.folder / "locks" / "user-ada.lock").write_text("1 elsewhere -\n")

    assert patient.check("locks").value == "none held"


def test_a_lock_file_that_nobody_can_take_fails(patient: Patient) -> None:
    """Without it nothing can be renewed; a link is not followed, and the line names it."""
    (patient.folder / "locks").mkdir(parents=True, mode=0o700)
    (patient.folder / "locks" / "user-ada.lock").symlink_to("/dev/null")

    check = patient.check("locks")

    assert check.verdict == "fail"
    assert "user-ada.lock" in check.value


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_what_belongs_to_somebody_else_fails(patient: Patient) -> None:
    """FS-09: what `sudo` left behind is named: the folder, its locks."""
    logged_in(patient.auth)
    (patient.folder / "locks").mkdir(exist_ok=True)
    for path in (patient.folder, patient.folder / "locks"):
        os.chown(path, 12345, -1)

    folder, locks = patient.check("folder"), patient.check("locks")

    assert (folder.verdict, locks.verdict) == ("fail", "fail")
    assert "belongs to another user (12345)" in folder.value
    assert "belongs to another user (12345)" in locks.value


def test_asking_for_the_holder_takes_nothing(tmp_path: Path) -> None:
    """A lock that was asked about can be taken at once, and the file is as it was."""
    (tmp_path / "locks").mkdir()
    path = tmp_path / "locks" / "user-ada.lock"
    path.write_text("left behind")

    assert find_holder(path) is None
    assert path.read_text() == "left behind"
    with account_lock(tmp_path, "ada"):
        busy = find_holder(path)
        assert busy is not None
        assert busy.holder == os.getpid()


def test_a_store_without_files_is_said_to_be_one(patient: Patient) -> None:
    """Nothing is made up about files that it does not have."""
    patient.settings["store"] = MemoryTokenStore()

    assert patient.check("record file").value.startswith("not used")
    assert patient.check("storage").value == "MemoryTokenStore"
    assert patient.check("keyring backend").value == "not used"
