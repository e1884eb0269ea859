from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from click_auth.http.urls import (
    Url,
    checked_endpoint,
    checked_url,
    host_of,
    is_loopback,
    origin,
)


@pytest.mark.parametrize(
    "url",
    [
        "https://id.todo.example",
        "https://id.todo.example:8443/realms/a?tenant=1",
        "HTTPS://ID.todo.example/",
        "http://127.0.0.1:8080/x",
        "http://127.9.9.9/",
        "http://localhost/callback",
        "http://[::1]:9000/callback",
        "https://[2001:db8::1]/",
    ],
)
def test_a_secret_may_go_to_https_and_to_loopback_addresses(url: str) -> None:
    """Such URLs are returned as they are."""
    assert checked_endpoint(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "id.todo.example",
        "//id.todo.example",
        "ftp://id.todo.example",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "--flag",
        "http://id.todo.example",
        "http://127.0.0.1.evil.example",
        "http://127.1/",
        "http://0127.0.0.1/",
        "http://127.0.0.256/",
        "http://2130706433/",
        "http://localhost.evil.example/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "https://user@id.todo.example",
        "https://user:pw@id.todo.example",
        "https://id.todo.example@evil.example",
        "https://id.todo.example\\@evil.example",
        "https://id.todo.example/#fragment",
        "https://id.todo.example/#",
        "https://",
        "https:///path",
        "https://?query",
        "https://id.todo.example:0/",
        "https://id.todo.example:65536/",
        "https://id.todo.example:/",
        "https://id.todo.example:٨/",
        "https://id.todo.example: 80/",
        "https://id todo.example/",
        "https://id.todo.example/\x1b[31m",
        "https://id.todo.example/\n",
        "https://bücher.example/",
        "https://%69d.todo.example/",
        "https://[::1/",
        "https://[::1]x/",
    ],
)
def test_ar_11_everything_else_is_refused(url: str) -> None:
    """A fragment, a user name, odd hosts and ports, plain http to anywhere else: no secret."""
    with pytest.raises(ValueError, match=r"^The URL .*\.$") as refused:
        checked_endpoint(url)
    assert "\x1b" not in str(refused.value)


def test_a_page_for_a_person_may_have_a_fragment() -> None:
    """Only an endpoint may not."""
    assert checked_url("https://id.todo.example/#/device") == "https://id.todo.example/#/device"


@given(st.text())
def test_no_text_breaks_the_check(text: str) -> None:
    """Whatever comes is taken apart or refused."""
    for url in (text, "https://" + text, "http://127.0.0.1" + text):
        try:
            assert checked_endpoint(url) == url
        except ValueError:
            continue
        assert Url(url).scheme == "https" or is_loopback(Url(url).host)


def test_an_origin_has_no_default_port_and_no_path() -> None:
    """Scheme, host and port are what is compared and shown."""
    assert origin("HTTPS://Api.todo.example:443/v1?x") == "https://api.todo.example"
    assert origin("http://[::1]:8080/") == "http://[::1]:8080"
    assert host_of("https://api.todo.example:8443/v1") == "api.todo.example:8443"
