from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from click_auth.login.loopback import Refused, parse_request

HOST = "127.0.0.1:8123"
WHOLE = f"GET /callback?code=c&state=s HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n\r\n".encode()


def read(head: bytes) -> str | None:
    """Read *head* as the listener of `HOST` would."""
    return parse_request(head, "/callback", {HOST})


@given(st.integers(0, len(WHOLE) - 1))
def test_an_unfinished_head_is_waited_for(size: int) -> None:
    """Whatever its beginning, a request is judged only when its head is whole."""
    assert read(WHOLE[:size]) is None


@given(st.binary(max_size=200))
def test_what_follows_the_head_does_not_matter(rest: bytes) -> None:
    """The query of a whole head is returned, whatever comes after it."""
    assert read(WHOLE + rest) == "code=c&state=s"


@given(st.binary(max_size=400))
def test_noise_is_refused_or_waited_for(noise: bytes) -> None:
    """No bytes at all make the parser raise anything else, or take them for the redirect."""
    with suppress(Refused):
        assert read(noise) is None


@given(st.text("abc/.%?#;\\ ", max_size=12).filter(lambda path: path != ""))
def test_lb_05_only_the_exact_path_is_the_path(tail: str) -> None:
    """Nothing is decoded, folded or normalised on the way to the comparison."""
    head = f"GET /callback{tail} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    if tail.startswith("?") and " " not in tail:
        assert read(head) == tail[1:]
    else:
        with pytest.raises(Refused):
            read(head)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("name", [b"Host", b"HOST", b"host"])
@pytest.mark.parametrize("value", [b"127.0.0.1:8123", b"  127.0.0.1:8123  "])
def test_heads_as_clients_write_them(newline: bytes, name: bytes, value: bytes) -> None:
    """Header names in any case, space around values, and bare newlines are understood."""
    lines = [b"GET /callback?x HTTP/1.1", name + b":" + value, b"", b""]
    assert read(newline.join(lines)) == "x"


@pytest.mark.parametrize(
    "head, status",
    [
        (b"GET /callback?" + b"x" * 33_000, HTTPStatus.REQUEST_URI_TOO_LONG),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 90_000, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    ],
)
def test_lb_08_a_head_is_refused_before_it_is_whole(head: bytes, status: HTTPStatus) -> None:
    """What is too long already is not waited for."""
    with pytest.raises(Refused) as caught:
        read(head)
    assert caught.value.status is status


def test_cookies_of_other_programs_are_no_obstacle() -> None:
    """Browsers send every cookie of the host name, whichever port set it."""
    head = WHOLE.replace(b"Accept: */*", b"Cookie: " + b"k=v; " * 8_000)
    assert read(head) == "code=c&state=s"
