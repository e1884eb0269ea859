from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from click_auth import Account, StorageUnavailable, UsageError
from click_auth.errors import STORE_READ_FAILED, STORE_WRITE_FAILED
from click_auth.record import Record
from click_auth.stores.records import RecordFile
from stores.children import run, without_privileges
from stores.conftest import Heard

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes and owners")

ADA = Record(Account("ada", "Ada"), access_token_obtained_at=5.0, scopes=("a",))
BOB = Record(Account("bob", "Bob"), access_token_obtained_at=6.0, fallback_token="s3cret-bob")
NEXT = replace(ADA, generation=2)


@pytest.fixture
def file(folder: Path) -> RecordFile:
    """Make a record file with two accounts."""
    records = RecordFile(folder)
    records.insert_if_absent(ADA)
    records.insert_if_absent(BOB)
    return records


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def leftovers(file: RecordFile) -> list[str]:
    """Return what lies beside the record file."""
    return sorted(entry.name for entry in file.folder.iterdir() if entry != file.path)


def edited(file: RecordFile, **changes: Any) -> None:
    """Change the record of ada by hand."""
    root = json.loads(file.path.read_text())
    root["accounts"]["ada"].update(changes)
    file.path.write_text(json.dumps(root, indent=2))


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_fs_01_modes_from_the_first_byte(tmp_path: Path, umask: int) -> None:
    """Whatever the umask, the folders are 0700 and the files 0600."""
    before = os.umask(umask)
    try:
        file = RecordFile(tmp_path / "config" / "todo")
        file.insert_if_absent(ADA)
    finally:
        os.umask(before)
    assert mode(file.path) == 0o600
    assert mode(file.folder) == mode(file.folder.parent) == 0o700


@posix
def test_fs_02_wide_permissions_are_reported_once_and_tightened(
    file: RecordFile, heard: Heard
) -> None:
    """A file that others can read is named when it is read, and made private by the next write."""
    file.path.chmod(0o644)
    file.folder.chmod(0o755)
    file.find("ada")
    file.find("ada")
    assert [str(file.path) in line and "0644" in line for line in heard.warnings] == [True]
    assert mode(file.path) == 0o644
    file.compare_and_set(ADA, NEXT)
    assert (mode(file.path), mode(file.folder)) == (0o600, 0o700)


def test_fs_03_truncated_at_every_length(file: RecordFile) -> None:
    """A file that was cut off, wherever, is an error that names it, and is not touched."""
    whole = file.path.read_bytes()
    for length in range(1, len(whole)):
        file.path.write_bytes(whole[:length])
        for read in (lambda: file.find("ada"), lambda: file.select(None), file.document):
            with pytest.raises(StorageUnavailable, match=r"auth\.json is damaged") as caught:
                read()
            assert caught.value.code == STORE_READ_FAILED
        assert file.path.read_bytes() == whole[:length]
    with pytest.raises(StorageUnavailable), file.transaction() as draft:
        draft.default = "bob"
    assert file.path.read_bytes() == whole[:-1]


def test_fs_03_a_login_keeps_a_damaged_file_aside(file: RecordFile, heard: Heard) -> None:
    """A transaction that repairs keeps the damaged file, private, and says where."""
    file.path.write_bytes(b'{"version": 1, "accounts": {"ada')
    with file.transaction(repair=True) as draft:
        draft.records["bob"] = BOB
    (aside,) = file.folder.glob("auth.json.broken-*")
    assert aside.read_bytes() == b'{"version": 1, "accounts": {"ada'
    assert os.name == "nt" or mode(aside) == 0o600
    assert file.find("bob") == BOB
    assert str(aside) in heard.warnings[0]


def test_fs_03_a_repair_that_changes_nothing_leaves_the_damage(file: RecordFile) -> None:
    """Without a change there is nothing to write, and nothing is moved."""
    file.path.write_bytes(b"{")
    with file.transaction(repair=True):
        pass
    assert file.path.read_bytes() == b"{"
    assert leftovers(file) == []


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"null",
        b'"accounts"',
        b"{}",
        b'{"version": true, "accounts": {}}',
        b'{"version": 0, "accounts": {}}',
        b'{"version": 1, "accounts": []}',
        b'{"version": 1, "accounts": {}, "default": 3}',
        b'{"version": 1, "accounts": {}, "removed": [1]}',
        b'{"version": 1, "accounts": {}, "migrations": []}',
        '{"version": 1, "accounts": {}}'.encode("utf-16"),
        b'{"version": 1, "accounts": {}, "x": "\xff"}',
        b"[" * 100_000,
        b'{"version": 1, "accounts": {"a":' + b"[" * 100_000,
        b"\0" * 512,
        b"9" * 5000,
    ],
    ids=range(16),
)
def test_fs_04_fs_07_what_is_no_record_file(file: RecordFile, content: bytes) -> None:
    """A wrong root, a foreign encoding and a recursion bomb are one error, and stay untouched."""
    file.path.write_bytes(content)
    with pytest.raises(StorageUnavailable, match=r"auth\.json is damaged"):
        file.find("ada")
    with pytest.raises(StorageUnavailable), file.transaction():
        pass
    assert file.path.read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [{"generation": "one"}, {"storage": "s3cret"}, {"scopes": 3}, {"account": {"id": "eve"}}],
)
def test_fs_04_one_bad_record_does_not_hide_the_others(
    file: RecordFile, change: dict[str, Any]
) -> None:
    """A record with a wrong field is reported without its contents, and kept as it is."""
    edited(file, **change)
    document = file.document()
    assert list(document.records) == ["bob"]
    assert list(document.records.bad) == ["ada"]
    assert "s3cret" not in document.records.bad["ada"]
    with pytest.raises(StorageUnavailable, match="record of ada"):
        file.find("ada")
    with pytest.raises(StorageUnavailable, match="record of ada"):
        file.select(None)
    with file.transaction() as draft:
        draft.records["bob"] = ADA
    kept = json.loads(file.path.read_text())["accounts"]["ada"]
    assert {name: kept[name] for name in change} == change


@pytest.mark.parametrize("moment", ["NaN", "-1", "1e400", "true", '"2031-01-01T00:00:00Z"', "[]"])
def test_fs_04_a_moment_that_is_none_is_unknown(file: RecordFile, moment: str) -> None:
    """An expiry that cannot be one is no expiry, and no error."""
    text = file.path.read_text().replace(
        '"access_token_expires_at": null', f'"access_token_expires_at": {moment}'
    )
    file.path.write_text(text)
    found = file.find("ada")
    assert found is not None
    assert found.access_token_expires_at is None


def test_fs_04_the_next_login_replaces_a_bad_record(file: RecordFile) -> None:
    """A bad record is not in the way of a new one, and of a removal."""
    edited(file, generation=None)
    assert not file.insert_if_absent(ADA)
    with file.transaction() as draft:
        draft.records["ada"] = ADA
    assert file.find("ada") == ADA
    edited(file, generation=None)
    with file.transaction() as draft:
        draft.records.discard("ada")
    assert not file.document().records.bad


def test_fs_04_one_damaged_line_does_not_hide_the_others(file: RecordFile) -> None:
    """Where only one line is no JSON, the records on the others still count, and survive."""
    content = file.path.read_bytes()
    file.path.write_bytes(content.replace(b'"id": "ada"', b'"id": "a\xff\x00a'))
    assert file.find("bob") == BOB
    assert list(file.document().records.bad) == ["ada"]
    with file.transaction() as draft:
        draft.default = "bob"
    assert b"a\xff\x00a" in file.path.read_bytes()
    assert file.select(None) == BOB


def test_fs_05_a_newer_version_is_left_alone(file: RecordFile) -> None:
    """A file of a later format is refused with the word upgrade, byte for byte untouched."""
    content = b'{"version": 2, "accounts": {}, "more": true}'
    file.path.write_bytes(content)
    for act in (lambda: file.find("ada"), file.document, file.check_writable):
        with pytest.raises(StorageUnavailable, match="newer") as caught:
            act()
        assert "Upgrade" in caught.value.format_message()
    with pytest.raises(StorageUnavailable), file.transaction(repair=True):
        pass
    assert file.path.read_bytes() == content


@pytest.mark.parametrize("change", [b"\xef\xbb\xbf", b"\r"])
def test_fs_07_a_text_editor_went_over_it(file: RecordFile, change: bytes) -> None:
    """A byte order mark and carriage returns are read."""
    content = file.path.read_bytes()
    changed = content.replace(b"\n", b"\r\n") if change == b"\r" else change + content
    file.path.write_bytes(changed)
    assert file.find("ada") == ADA
    assert file.select(None) == ADA


@pytest.mark.parametrize("content", [None, b"", b"\n"])
def test_fs_07_an_empty_file_holds_no_accounts(folder: Path, content: bytes | None) -> None:
    """No file and an empty file are no accounts, and a first login fills them."""
    file = RecordFile(folder)
    if content is not None:
        folder.mkdir(0o700)
        file.path.write_bytes(content)
        file.path.chmod(0o600)
    assert file.select(None) is None
    assert file.find("ada") is None
    assert not file.document().records
    assert file.insert_if_absent(ADA)
    assert file.select(None) == ADA


def test_fs_07_a_large_file_is_bounded(file: RecordFile) -> None:
    """A file beyond any use is refused without being read."""
    with file.path.open("r+b") as huge:
        huge.truncate(1 << 40)
    tracemalloc.start()
    try:
        with pytest.raises(StorageUnavailable, match="larger"):
            file.find("ada")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def calls_of(function: Callable[[], object]) -> int:
    """Return how many functions of Python are called in a call: as many on any machine."""
    called: list[str] = []
    sys.setprofile(lambda frame, event, _: called.append(event) if event == "call" else None)
    try:
        function()
    finally:
        sys.setprofile(None)
    return len(called)


def test_fs_07_ten_thousand_accounts(folder: Path) -> None:
    """With 10,000 accounts one is found, changed and written without looking at the others."""
    file = RecordFile(folder)
    with file.transaction() as draft:
        for number in range(10_000):
            record = Record(Account(f"user{number}"), access_token_obtained_at=1.0)
            draft.records[record.key] = record
    found = file.find("user7777")
    assert found is not None
    assert calls_of(lambda: file.find("user7777")) < 100
    assert calls_of(lambda: file.select("user7777")) < 100
    renewed = replace(found, generation=2)
    assert calls_of(lambda: file.compare_and_set(found, renewed)) < 10 * 10_000
    assert file.find("user7777") == renewed


@posix
@pytest.mark.parametrize("kind", ["folder", "fifo", "device"])
def test_fs_09_something_else_is_in_the_way(folder: Path, kind: str) -> None:
    """A folder, a FIFO and a device in the file's place are errors, and nobody waits for them."""
    folder.mkdir(0o700)
    file = RecordFile(folder)
    if kind == "folder":
        file.path.mkdir()
    elif kind == "fifo":
        os.mkfifo(file.path)
    else:
        file.path.symlink_to("/dev/zero")
    with pytest.raises(StorageUnavailable, match=r"auth\.json"):
        file.find("ada")
    with pytest.raises(StorageUnavailable, match=r"auth\.json"):
        file.insert_if_absent(ADA)


@posix
def test_fs_09_somebody_elses_file_is_refused(folder: Path) -> None:
    """A link to a file of another user is neither read nor replaced."""
    theirs = Path("/etc/passwd")
    folder.mkdir(0o700)
    file = RecordFile(folder)
    if os.geteuid() == theirs.stat().st_uid:
        theirs = folder / "theirs.json"
        theirs.write_text("{}")
        os.chown(theirs, 65534, 65534)
    before = theirs.read_bytes()
    file.path.symlink_to(theirs)
    with pytest.raises(StorageUnavailable, match="another user"):
        file.find("ada")
    with pytest.raises(StorageUnavailable, match="another user"):
        file.insert_if_absent(ADA)
    assert theirs.read_bytes() == before


@posix
@pytest.mark.skipif(os.name != "nt" and os.geteuid() != 0, reason="only root gives files away")
def test_fs_09_somebody_elses_folder_and_link_are_refused(folder: Path) -> None:
    """Under sudo nothing is written into the folder of the person who called it."""
    folder.mkdir(0o700)
    file = RecordFile(folder)
    target = folder / "target.json"
    target.write_text("")
    file.path.symlink_to(target)
    os.lchown(file.path, 65534, 65534)
    with pytest.raises(StorageUnavailable, match="another user"):
        file.find("ada")
    file.path.unlink()
    os.chown(folder, 65534, 65534)
    with pytest.raises(StorageUnavailable, match="another user"):
        file.insert_if_absent(ADA)
    assert leftovers(file) == ["target.json"]


@posix
def test_a_link_of_our_own_is_followed(file: RecordFile, tmp_path: Path) -> None:
    """A dotfile manager's link stays a link, and the file behind it is replaced whole."""
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    target = file.path.rename(dotfiles / "todo-auth.json")
    file.path.symlink_to(target)
    assert file.find("ada") == ADA
    assert file.compare_and_set(ADA, NEXT)
    assert file.path.is_symlink()
    assert mode(target) == 0o600
    assert [entry.name for entry in dotfiles.iterdir()] == ["todo-auth.json"]
    target.unlink()
    assert file.find("ada") is None
    assert file.insert_if_absent(ADA)
    assert target.exists()


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_fs_10_a_write_that_fails_leaves_the_old_file(
    file: RecordFile, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    """Whatever step fails, the old file stands, the temporary one is gone, the error is typed."""
    before = file.path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    def write(patch: pytest.MonkeyPatch) -> None:
        with file.transaction() as draft:
            draft.default = "bob"
            patch.setattr(os, step, fail)

    with monkeypatch.context() as patch, pytest.raises(StorageUnavailable) as caught:
        write(patch)
    assert caught.value.code == STORE_WRITE_FAILED
    assert str(file.path) in caught.value.message
    assert file.path.read_bytes() == before
    assert leftovers(file) == []


@posix
def test_fs_10_a_limit_on_the_size_of_files(file: RecordFile) -> None:
    """Under a real EFBIG a login is refused beforehand, and a write leaves everything as it was."""
    before = file.path.read_bytes()
    script = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from click_auth.errors import StorageUnavailable
from click_auth.stores.records import RecordFile
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
file = RecordFile(Path(sys.argv[1]))
ada = file.find("ada")
for act in (file.check_writable, lambda: file.compare_and_set(ada, replace(ada, generation=2))):
    try:
        act()
    except StorageUnavailable as error:
        print(error.code)
"""
    answer = run(script, str(file.folder))
    assert answer.split() == ["AUTH_STORE_WRITE_FAILED"] * 2
    assert file.path.read_bytes() == before
    assert leftovers(file) == []


@posix
def test_fs_11_a_read_only_folder(file: RecordFile) -> None:
    """Where nothing can be written reading works, and a login is refused before it begins."""
    script = """
import sys
from dataclasses import replace
from pathlib import Path
from click_auth.errors import StorageUnavailable
from click_auth.stores.records import RecordFile
file = RecordFile(Path(sys.argv[1]))
ada = file.find("ada")
for act in (file.check_writable, lambda: file.compare_and_set(ada, replace(ada, generation=2))):
    try:
        act()
    except StorageUnavailable as error:
        print(error.code)
print(file.find("ada").key)
"""
    file.folder.chmod(0o500)
    try:
        answer = run(without_privileges + script, str(file.folder))
    finally:
        file.folder.chmod(0o700)
    assert answer.split() == ["AUTH_STORE_WRITE_FAILED"] * 2 + ["ada"]


@posix
def test_fs_13_killed_at_every_step_of_a_write(file: RecordFile) -> None:
    """A writer that dies at any system call leaves the old file or the new; the next one sweeps."""
    script = """
import os, signal, sys
from pathlib import Path
from click_auth.stores.records import RecordFile
file = RecordFile(Path(sys.argv[1]))
ada = file.find("ada")
file.document()
import click_auth.locks.account_lock
STEPS = ("open", "write", "fchmod", "fsync", "close", "replace", "unlink")

def die_at(count):
    left = [count]
    for name in STEPS:
        def step(*args, _real=getattr(os, name), **more):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return _real(*args, **more)
        setattr(os, name, step)

for count in range(200):
    child = os.fork()
    if not child:
        with file.transaction() as draft:
            draft.default = "bob" if draft.default == "ada" else "ada"
            die_at(count)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert file.document().default in ("ada", "bob"), count
    assert file.find("ada") == ada, count
    modes = {entry.stat().st_mode & 0o777 for entry in file.folder.iterdir()}
    assert modes == {0o600}, modes
    if status == 0:
        print("whole after", count)
        break
file.compare_and_set(ada, ada)
with file.transaction() as draft:
    pass
print(sorted(os.listdir(file.folder)))
"""
    answer = run(script, str(file.folder))
    assert "whole after" in answer
    assert answer.splitlines()[-1] == "['auth.json']"


def test_fs_14_the_disk_has_it_before_success(
    file: RecordFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is synced before it is renamed, and the folder after."""
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("folder" if is_folder else "file")
        real_fsync(descriptor)

    def replace(*args: Any, **more: Any) -> None:
        steps.append("rename")
        real_replace(*args, **more)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    file.compare_and_set(ADA, NEXT)
    assert steps == ["file", "rename", *(["folder"] if os.name != "nt" else [])]


def test_only_our_own_leftovers_are_swept(file: RecordFile) -> None:
    """Other files, and folders with such a name, are nobody's leftovers."""
    kept = ["auth.json.bak", "auth.json.1-x.tmp", "other.json.1-1.tmp"]
    for name in [*kept, "auth.json.4711-3.tmp"]:
        (file.folder / name).write_text("")
    (file.folder / "auth.json.4712-3.tmp").mkdir()
    with file.transaction():
        pass
    assert leftovers(file) == sorted([*kept, "auth.json.4712-3.tmp"])


def test_unknown_fields_survive_at_every_level(file: RecordFile) -> None:
    """What a later version wrote is still there after a write of this one."""
    root = json.loads(file.path.read_text())
    root["later"] = {"a": [1]}
    root["accounts"]["ada"]["later"] = 2.5
    root["accounts"]["ada"]["account"]["later"] = "x"
    root["removed"], root["clients"] = ["eve"], {"x": {"later": None}}
    file.path.write_text(json.dumps(root))
    with file.transaction() as draft:
        draft.records["bob"] = ADA
        assert draft.records["ada"].unknown == {"later": 2.5}
    after = json.loads(file.path.read_text())
    for entry in (*root["accounts"].values(), *after["accounts"].values()):
        entry.pop("seal")
    after["accounts"].pop("bob"), root["accounts"].pop("bob")
    assert after == root


def test_a_transaction_without_a_change_writes_nothing(file: RecordFile) -> None:
    """Looking at everything in a transaction leaves the file as it is."""
    stamp = file.stamp()
    with file.transaction() as draft:
        draft.records["ada"] = draft.records["ada"]
        dict(draft.records)
        draft.unmark_removed("eve")
    assert file.stamp() == stamp


def test_a_transaction_that_fails_writes_nothing(file: RecordFile) -> None:
    """An exception within the block leaves the file as it is, and the lock free."""
    stamp = file.stamp()
    with contextlib.suppress(ZeroDivisionError), file.transaction() as draft:
        draft.default = None
        draft.default = str(1 / 0)
    assert file.stamp() == stamp
    assert file.compare_and_set(ADA, NEXT)
    assert file.stamp() != stamp


def test_compare_and_set_tells_a_new_login_from_an_old_one(file: RecordFile) -> None:
    """After a logout and a login the generation is 1 again, and still it is another credential."""
    later = Record(ADA.account, generation=1, access_token_obtained_at=99.0)
    with file.transaction() as draft:
        draft.records["ada"] = later
    assert not file.compare_and_set(ADA, NEXT)
    assert file.compare_and_set(later, ADA)
    assert not file.insert_if_absent(later)


def test_the_default_the_only_one_and_neither(file: RecordFile) -> None:
    """Without a key the default account is found, else the only one; of several none is."""
    assert file.select(None) == ADA
    with file.transaction() as draft:
        draft.default = None
    with pytest.raises(UsageError, match="none is the default"):
        file.select(None)
    with file.transaction() as draft:
        draft.records.discard("ada")
    assert file.select(None) == BOB
    with file.transaction() as draft:
        draft.default = "gone"
    assert file.select(None) == BOB


def test_a_hand_edited_record_is_validated_again(file: RecordFile) -> None:
    """The seal of a record that was edited does not hold; what it says is read, not remembered."""
    text = file.path.read_text().replace('"label": "Ada"', '"label": "Countess"')
    file.path.write_text(text)
    found = file.find("ada")
    assert found is not None
    assert found.account.label == "Countess"
    assert file.select(None) == found


def test_what_is_kept_in_memory_is_never_older_than_the_file(file: RecordFile) -> None:
    """A look after somebody else's write, an edit or a removal tells what is there then."""
    other = RecordFile(file.folder)
    assert file.select(None) == ADA
    other.compare_and_set(ADA, replace(ADA, generation=7))
    assert file.select(None) == replace(ADA, generation=7)
    with file.transaction() as draft:
        draft.default = "nobody"
    assert file.document(file.glance()).default == "nobody"
    file.path.write_bytes(b"")
    assert file.select(None) is None
    file.path.unlink()
    assert other.glance() == file.glance() == b""
