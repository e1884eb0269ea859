from __future__ import annotations

import json
import string
from typing import Any
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from click_auth import Account
from click_auth.account import account_key, refresh_slot_name, safe_name, slot_name
from click_auth.record import FIELDS, PLAINTEXT, SYSTEM, Record
from click_auth.stores.document import Document, find_record, parse

ids = st.one_of(
    st.text(min_size=1, max_size=300),
    st.text("aA/@:. %~-_é\u0301\u00e9CON\x00", min_size=1, max_size=12),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
moments = st.none() | st.floats(0, 1e12)
own = {*FIELDS, "unknown"} | {"seal"}
unknown = st.dictionaries(st.text().filter(lambda name: name not in own), json_values, max_size=2)
tokens = st.none() | st.text(min_size=1)


def records() -> st.SearchStrategy[Record]:
    """Return records of all sorts."""
    identities = st.builds(Account, ids, st.none() | st.text(), st.none() | st.text())
    return st.builds(
        Record,
        identities,
        generation=st.integers(0, 1 << 40),
        access_token_expires_at=moments,
        access_token_obtained_at=moments,
        has_refresh_token=st.none() | st.booleans(),
        rejected_generation=st.none() | st.integers(0, 9),
        scopes=st.none() | st.lists(st.text(), max_size=3).map(tuple),
        storage=st.sampled_from([SYSTEM, PLAINTEXT]),
        fallback_token=tokens,
        fallback_refresh_token=tokens,
        unknown=unknown,
    )


@given(st.lists(st.tuples(ids, st.none() | ids), unique=True, min_size=2, max_size=4))
def test_kr_12_distinct_accounts_have_distinct_names(
    accounts: list[tuple[str, str | None]],
) -> None:
    """Distinct ids and instances have keys, slots and file names that differ even case-folded."""
    keys = [account_key(*account) for account in accounts]
    slots = [slot for key in keys for slot in (slot_name(key), refresh_slot_name(key))]
    assert len({slot.casefold() for slot in slots}) == len(slots)
    assert len({safe_name(key).casefold() for key in keys}) == len(keys)
    allowed = set(string.ascii_letters + string.digits + "-._%@~/")
    assert allowed.issuperset("".join(slots))
    assert max(map(len, slots)) < 120


@given(ids, st.none() | ids)
def test_kr_12_a_key_says_whose_it_is(account_id: str, instance: str | None) -> None:
    """Id and instance can be read back from the key."""
    parts = account_key(account_id, instance).split("@")
    expected = [account_id] if instance is None else [account_id, instance]
    assert [unquote(part, errors="surrogatepass") for part in parts] == expected


@given(st.lists(records(), max_size=4, unique_by=lambda record: record.key), json_values)
def test_a_document_survives_its_file(kept: list[Record], later: Any) -> None:
    """What is written is what is read: found one by one, parsed whole, and after validation."""
    document = Document(kept[0].key if kept else None, rest={"later": later})
    document.removed.append("eve")
    for record in kept:
        document.records[record.key] = record
    content = document.to_bytes()
    for record in kept:
        assert find_record(content, record.key) == record
    assert find_record(content, None) == (kept[0] if kept else None)
    root = json.loads(content)
    for entry in root["accounts"].values():
        entry.pop("seal")
    for text in (content, json.dumps(root).encode()):
        read = parse(text)
        assert not read.records.bad
        assert dict(read.records) == {record.key: record for record in kept}
        assert (read.default, read.removed, read.unknown) == (
            document.default,
            ["eve"],
            document.unknown,
        )


@given(records(), st.data())
def test_fs_03_a_document_cut_off_anywhere_is_never_found_whole(
    record: Record, data: st.DataObject
) -> None:
    """However a record looks, a cut file yields no record without a look at the whole."""
    document = Document()
    document.records[record.key] = record
    content = document.to_bytes()
    length = data.draw(st.integers(0, len(content) - 1))
    assert find_record(content[:length], record.key) is None


@given(st.binary(max_size=200))
def test_fs_07_noise_is_never_a_record(noise: bytes) -> None:
    """Arbitrary bytes are no record."""
    assert find_record(noise, None) is None
