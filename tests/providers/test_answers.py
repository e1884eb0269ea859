"""The parser of answers, without a socket."""

from __future__ import annotations

import contextlib
import json
import math
import time
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from click_auth import TokenBundle
from click_auth.console.text import printable
from click_auth.http.call import LONGEST_RETRY_AFTER, Answer, Call, retry_after_seconds
from click_auth.oauth.endpoint import (
    EndpointFailed,
    granted,
    parse_object,
)
from click_auth.oauth.token_endpoint import expiry, parse_grant
from click_auth.record import from_posix

URL = "https://id.todo.example/token"
SENT_AT = 1_000_000.0
GOOD = {"access_token": "a", "token_type": "Bearer"}
OLD = TokenBundle("old", "old-refresh", from_posix(SENT_AT + 60), scopes=("old",))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token", "error", "x"]
)


def bundle(**fields: Any) -> TokenBundle:
    """Return the tokens that a good answer with these fields besides grants."""
    return parse_grant({**GOOD, **fields}, sent_at=SENT_AT, requested_scopes=("read",))


@given(st.binary())
def test_any_bytes_are_an_object_or_an_error(body: bytes) -> None:
    """Nothing else comes out of the parser."""
    refused: ValueError | None = None
    try:
        assert isinstance(parse_object(body), dict)
    except ValueError as error:
        refused = error
    assert refused is None or (type(refused), refused.__context__) == (ValueError, None)


@given(st.dictionaries(names, json_values), st.sampled_from([200, 201, 204, 302, 400, 401, 500]))
def test_any_json_is_tokens_or_an_error(document: dict[str, Any], status: int) -> None:
    """Whatever its fields hold, the answer is a whole bundle or one typed error."""
    answer = Answer(Call(URL), status, {}, json.dumps(document).encode(), SENT_AT)
    try:
        result = parse_grant(granted(answer), sent_at=SENT_AT)
    except EndpointFailed:
        return
    token = result.access_token
    assert status in (200, 201)
    assert token.isascii()
    assert token.isprintable()
    assert token.strip() == token != ""
    assert result.expires_at is None or result.expires_at.timestamp() > SENT_AT


@given(st.dictionaries(names, json_values), st.sampled_from([200, 400]))
def test_what_is_quoted_is_one_inert_line(document: dict[str, Any], status: int) -> None:
    """No terminal obeys it."""
    answer = Answer(Call(URL), status, {}, json.dumps({"error": "x", **document}).encode(), SENT_AT)
    with contextlib.suppress(EndpointFailed):
        granted(answer)
        return
    with pytest.raises(EndpointFailed) as failed:
        granted(answer)
    assert failed.value.reason == printable(failed.value.reason, 1000)


@pytest.mark.parametrize(
    "body, complaint",
    [
        (b"", "nothing"),
        (b" \n", "nothing"),
        (b"<!doctype html>", "something other than JSON"),
        (b'{"', "something other than JSON"),
        (b'{"a": 1} x', "something other than JSON"),
        (b'{"a": "\xff"}', "something other than JSON"),
        ('{"a": 1}'.encode("utf-16"), "something other than JSON"),
        (b"null", "JSON that is not an object"),
        (b"[]", "JSON that is not an object"),
        (b'"x"', "JSON that is not an object"),
        (b"1", "JSON that is not an object"),
        (b'{"a": 1, "a": 1}', "JSON with duplicate keys"),
        (b'{"x": {"a": 1, "a": 2}}', "JSON with duplicate keys"),
        (b"[" * 200_000, "JSON that is nested too deeply"),
        (b'{"a":' * 100_000, "JSON that is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "JSON with an oversized number"),
    ],
)
def test_te_01_02_07_09_what_is_not_one_json_object_is_refused(body: bytes, complaint: str) -> None:
    """With a word about what it is, and nothing of what it says."""
    with pytest.raises(ValueError, match=f"^{complaint}$") as refused:
        parse_object(body)
    assert refused.value.__context__ is None


def test_te_09_a_byte_order_mark_is_tolerated() -> None:
    """Some servers on Windows write one."""
    assert parse_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    "lives, seconds",
    [
        (3600, 3600),
        (3600.5, 3600.5),
        ("3600", 3600),
        ("3600.5", 3600.5),
        (1, 1),
        (0, None),
        (-1, None),
        (True, None),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
        ("1_000", None),
        ("\u0663", None),
        ([3600], None),
        ({}, None),
        (math.nan, None),
        (math.inf, None),
        ("nan", None),
        (10**12, None),
        (10**400, None),
        (1e300, None),
    ],
)
def test_every_shape_of_expires_in_has_one_outcome(lives: object, seconds: float | None) -> None:
    """A positive number of seconds, as a number or a text; all else is an unknown expiry."""
    assert expiry(lives, SENT_AT) == (None if seconds is None else SENT_AT + seconds)


@given(json_values)
def test_an_expiry_is_after_the_request_or_unknown(lives: object) -> None:
    """It is never before the request, and a calendar reaches it."""
    assert (expiry(lives, SENT_AT) or math.inf) >= SENT_AT
    assert bundle(expires_in=lives).access_token == "a"


def test_the_expiry_counts_from_when_the_request_was_sent() -> None:
    """On this machine's clock, so that a wrong but steady clock does no harm."""
    expires_at = bundle(expires_in=60, refresh_token="r", refresh_expires_in=600).expires_at
    assert expires_at is not None
    assert expires_at.timestamp() == SENT_AT + 60


@pytest.mark.parametrize("name", ["refresh_expires_in", "refresh_token_expires_in"])
def test_the_refresh_tokens_life_goes_by_two_names(name: str) -> None:
    """Keycloak has one of them, GitHub and Google the other; 0 means that nobody knows."""
    known = bundle(refresh_token="r", **{name: 600}).refresh_expires_at
    assert known is not None
    assert known.timestamp() == SENT_AT + 600
    assert bundle(refresh_token="r", **{name: 0}).refresh_expires_at is None


@pytest.mark.parametrize(
    "fields, scopes",
    [
        ({}, ("read",)),
        ({"scope": "a b a"}, ("a", "b")),
        ({"scope": ""}, ()),
        ({"scope": "  a  "}, ("a",)),
        ({"scope": None}, ("read",)),
        ({"scope": ["a", "b c", "a"]}, ("a", "b", "c")),
        ({"scope": []}, ()),
    ],
)
def test_te_21_b3_b5_scopes(fields: dict[str, Any], scopes: tuple[str, ...]) -> None:
    """Absent and null mean as requested; what is said, in a list too, is what is stored."""
    assert bundle(**fields).scopes == scopes


@pytest.mark.parametrize(
    "scope", [5, False, {}, ["a", None], 'a"b', ['a"b'], "a\x00b", "a\\b", "é"]
)
def test_te_21_scopes_that_cannot_be_read_are_refused(scope: object) -> None:
    """At a login: then it can be begun again."""
    with pytest.raises(EndpointFailed, match="scopes"):
        bundle(scope=scope)


def test_scopes_are_taken_apart_as_they_are_put_together() -> None:
    """GitHub answers with commas."""
    answer = {**GOOD, "scope": "repo,gist read:org"}
    scopes = parse_grant(answer, sent_at=SENT_AT, separator=",").scopes
    assert scopes == ("repo", "gist", "read:org")


def test_te_20_unknown_fields_are_kept_beside() -> None:
    """They are ignored here, and reach hooks."""
    assert bundle(expires_in=5, team="x", scope="").extra == {"team": "x"}


def test_te_05_the_type_is_written_as_everybody_writes_it() -> None:
    """Servers disagree about capitals."""
    assert bundle(token_type="bEaReR").token_type == "Bearer"


@pytest.mark.parametrize("kind", [None, "", " ", "bearer", "bot", "User Access Token", "user"])
def test_te_05_b4_a_type_that_names_no_other_scheme_is_the_expected_one(kind: object) -> None:
    """Slack's, eBay's, and nothing at all; whatever is expected."""
    assert bundle(token_type=kind).token_type == "Bearer"
    bound = parse_grant({"access_token": "a", "token_type": "dpop"}, sent_at=1, token_type="DPoP")
    assert bound.token_type == "DPoP"


@pytest.mark.parametrize("kind", ["mac", "MAC", " mac ", "N_A", "n_a", "DPoP", "PoP", "Basic"])
@pytest.mark.parametrize("renews", [None, OLD])
def test_te_05_another_scheme_is_refused(kind: str, renews: TokenBundle | None) -> None:
    """In a refresh too: such a token cannot be sent."""
    with pytest.raises(EndpointFailed, match="not of type Bearer"):
        parse_grant({**GOOD, "token_type": kind}, sent_at=SENT_AT, renews=renews)
    with pytest.raises(EndpointFailed, match="not of type DPoP"):
        parse_grant(GOOD, sent_at=SENT_AT, token_type="DPoP", renews=renews)


@pytest.mark.parametrize(
    "name", ["token_type", "expires_in", "refresh_token", "scope", "id_token", "x"]
)
@given(odd=json_values)
def test_te_30_whatever_is_odd_beside_a_token_a_refresh_takes_it(name: str, odd: object) -> None:
    """And falls back to what there was: scopes, refresh token, an expiry that is still to come."""
    document = {**GOOD, name: odd}
    scheme = str(odd).strip().lower() if name == "token_type" else ""
    fresh = parse_grant(
        document if scheme not in {"mac", "dpop"} else GOOD,
        sent_at=SENT_AT,
        requested_scopes=OLD.scopes,
        renews=OLD,
    )
    assert fresh.access_token == "a"
    if name == "scope" and not isinstance(odd, (str, list)):
        assert fresh.scopes == OLD.scopes
    if name == "refresh_token" and not isinstance(odd, str):
        assert fresh.refresh_token is None
    if name == "id_token" and not isinstance(odd, str):
        assert fresh.id_token is None


@pytest.mark.parametrize(
    "lives, sent_at, expires_at",
    [
        ("soon", SENT_AT, SENT_AT + 60),
        (-1, SENT_AT, SENT_AT + 60),
        ("soon", SENT_AT + 90, None),
        (None, SENT_AT, None),
        ("", SENT_AT, None),
        (0, SENT_AT, None),
        ("30", SENT_AT, SENT_AT + 30),
    ],
)
def test_te_30_an_expiry_that_cannot_be_understood(
    lives: object, sent_at: float, expires_at: float | None
) -> None:
    """The stored one goes on while it is to come; nothing, null and 0 say that nobody knows."""
    fresh = parse_grant({**GOOD, "expires_in": lives}, sent_at=sent_at, renews=OLD).expires_at
    assert (None if fresh is None else fresh.timestamp()) == expires_at


@pytest.mark.parametrize(
    "value, seconds",
    [
        (None, None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", None),
        ("-7", None),
        ("7.5", None),
        ("soon", None),
        ("", None),
        ("\u0667", None),
        ("9" * 400, LONGEST_RETRY_AFTER),
        (str(10 * 365 * 86400), LONGEST_RETRY_AFTER),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("Fri, 99 Dec 9999 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
    ],
)
def test_te_12_retry_after(value: str | None, seconds: float | None) -> None:
    """Seconds or a date; garbage and the past are ignored, ten years are cut short."""
    assert retry_after_seconds(value) == seconds


def test_te_12_retry_after_as_a_date() -> None:
    """Counted from now."""
    at = int(time.time()) + 300
    before = time.time()
    seconds = retry_after_seconds(formatdate(at, usegmt=True))
    assert seconds is not None
    assert at - time.time() <= seconds <= at - before


@given(st.text())
def test_te_12_no_header_breaks_it(value: str) -> None:
    """A number of seconds within the cap, or None."""
    seconds = retry_after_seconds(value)
    assert seconds is None or 0 < seconds <= LONGEST_RETRY_AFTER


@pytest.mark.parametrize("secret", ["s3cret", "a+b/c=", "with space & more"])
@pytest.mark.parametrize("encode", [str, lambda text: text.replace("+", "%2B")])
def test_sx_02_a_secret_that_the_server_echoes_is_hidden(secret: str, encode: Any) -> None:
    """In the error code too, and in its encoded forms."""
    from urllib.parse import quote, quote_plus

    for echoed in (secret, quote(secret, safe=""), quote_plus(secret)):
        document = {"error": f"bad {echoed}", "error_description": f"no {echoed}, never {echoed}"}
        answer = Answer(
            Call(URL, secrets=(secret,)), 400, {}, json.dumps(document).encode(), SENT_AT
        )
        with pytest.raises(EndpointFailed) as refused:
            granted(answer)
        assert echoed not in refused.value.reason
        assert "[hidden]" in refused.value.reason
