"""The pure layer: keys, PKCE, text, expiry."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from click_auth import Account
from click_auth.account import account_key, folder_name, refresh_slot_name, slot_name
from click_auth.console.text import printable
from click_auth.providers import authorization as pkce
from click_auth.record import Record, rfc3339


def test_ar_01_challenge_of_the_rfc() -> None:
    """The S256 challenge is that of RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert pkce.code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_ar_02_ar_04_random_values_are_long_unreserved_and_new() -> None:
    """Verifiers and states are 43 unreserved characters, new each time."""
    values = [pkce.random_text() for _ in range(100)]
    assert len(set(values)) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9\-._~]{43,128}", value) for value in values)


@pytest.mark.parametrize(
    "account_id,instance,key",
    [
        ("ada", None, "ada"),
        ("a@b.c", None, "a%40b.c"),
        ("a/b:ü~", None, "a%2Fb%3A%C3%BC%7E"),
        ("1", "https://git.example", "1@https%3A%2F%2Fgit.example"),
    ],
)
def test_kr_12_keys_are_percent_encoded(account_id: str, instance: str | None, key: str) -> None:
    """A key keeps letters, digits and -._ and encodes the rest, byte by byte."""
    assert account_key(account_id, instance) == key


def test_kr_12_slots_of_long_and_upper_case_keys_are_hashed() -> None:
    """Upper case and length are folded into a hash, so that case twins stay apart."""
    assert slot_name("ada") == "user-ada"
    assert refresh_slot_name("ada") == "user-ada/refresh"
    assert slot_name("Ada") == "user-ada~99a563ab2f6e21e9"
    long = slot_name("x" * 300)
    assert re.fullmatch(r"user-x{80}~[0-9a-f]{16}", long)


@given(st.lists(st.text(min_size=1, max_size=120), min_size=2, max_size=6, unique=True))
def test_kr_12_distinct_ids_have_distinct_safe_slots(ids: list[str]) -> None:
    """Whatever the ids are, slots and files differ even where case is folded."""
    slots = [slot_name(account_key(each)) for each in ids]
    assert len({slot.lower() for slot in slots}) == len(ids)
    assert all(re.fullmatch(r"user-[a-z0-9\-._%~]{1,100}", slot) for slot in slots)


@pytest.mark.parametrize("name", ["../../x", "a/b", "a\\b", "..", ".", "nul\0", "x" * 300])
def test_fs_16_application_names_are_never_paths(name: str) -> None:
    """An application's name is one safe folder name, whatever it is."""
    safe = folder_name(name)
    assert not set("/\\\0:") & set(safe)
    assert safe.strip(".")
    assert len(safe) <= 110


def test_ti_02_foreign_text_is_one_short_inert_line() -> None:
    """Control characters, line ends, overrides and surrogates never reach a terminal."""
    assert printable("a\x1b[31mb\r\nc\u202ed\ud800\x9b") == "a [31mb c d"
    assert len(printable("x" * 1_000_000)) == 200


def test_ti_07_markup_is_printed_literally() -> None:
    """What looks like markup of some library is plain text."""
    text = "{0} %s [red] \\N{BULLET}"
    assert printable(text) == text


def record(expires_at: float | None, obtained_at: float | None = 1000.0) -> Record:
    """Return a record with these times."""
    return Record(
        Account("ada"), access_token_expires_at=expires_at, access_token_obtained_at=obtained_at
    )


@pytest.mark.parametrize(
    "expires_at,now,min_ttl,fresh",
    [
        (None, 5e9, 60.0, True),  # no expiry known
        (4600.0, 4539.0, 60.0, True),
        (4600.0, 4541.0, 60.0, False),
        (4600.0, 500.0, 60.0, True),  # the clock stands before it was obtained: unknown
        (1045.0, 1001.0, 60.0, True),  # 45 s of life: the default is capped at half of it
        (1045.0, 1030.0, 60.0, False),
        (1045.0, 1001.0, 90.0, False),  # an explicit one is not
        (1045.0, 1044.0, 0.0, True),
    ],
)
def test_when_a_token_is_fresh(
    expires_at: float | None, now: float, min_ttl: float, *, fresh: bool
) -> None:
    """A token is fresh while more than min_ttl is left, and while its expiry is unknown."""
    assert record(expires_at).is_fresh(now=now, min_ttl=min_ttl) is fresh


def test_moments_are_told_in_utc() -> None:
    """Moments are RFC 3339 in UTC, and what no calendar reaches is unknown."""
    assert rfc3339(0.9) == "1970-01-01T00:00:00Z"
    assert rfc3339(1e300) is None
    assert rfc3339(None) is None
