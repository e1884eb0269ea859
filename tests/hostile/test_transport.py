"""Certificates that nobody should trust, proxies that nobody should tell, cookies."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from click_auth import Auth, OAuthProvider, Unreachable
from click_auth.http.client import mute_http_loggers
from click_auth.testing import FakeBrowser, logged_in
from hostile.world import World, ended
from providers.certificates import self_signed, server_context
from providers.wire import Scripted, say


def over_tls(server: Scripted, folder: Path) -> Auth:
    """Return an `Auth` with everything at *server*, and an expired session."""
    provider = OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint=f"{server.url}/authorize",
        token_endpoint=f"{server.url}/token",
        api_url=server.url,
        http_timeout=5.0,
    )
    auth = Auth("todo", provider, storage="plaintext", folder=folder)
    logged_in(auth, expires_in=-5)
    return auth


BYPASSES = {
    "PYTHONHTTPSVERIFY": "0",
    "CURL_CA_BUNDLE": "",
    "REQUESTS_CA_BUNDLE": "",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "GIT_SSL_NO_VERIFY": "1",
}


@pytest.mark.parametrize(
    "host, days", [("127.0.0.1", 1), ("127.0.0.9", 1), ("127.0.0.1", -1)], ids=str
)
def test_te_16_a_certificate_that_is_no_good_gets_no_token(
    world: World, monkeypatch: pytest.MonkeyPatch, host: str, days: int
) -> None:
    """Self-signed, of another host, expired: try again later, with nothing sent or changed."""
    pem = self_signed(world.folder, host=host, days=days)
    for name, value in BYPASSES.items():
        monkeypatch.setenv(name, value)
    is_good = host == "127.0.0.1" and days > 0
    tokens = {"access_token": "new", "token_type": "Bearer", "refresh_token": "newer"}
    with Scripted([say(tokens)], context=server_context(pem)) as server:
        auth = over_tls(server, world.config)
        before = world.record_bytes()
        with pytest.raises(Unreachable, match="certificate") as caught:
            auth.access_token()
        assert caught.value.code == "AUTH_REFRESH_TRANSIENT"
        assert (world.record_bytes(), server.seen) == (before, [])
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        trusting = over_tls(server, world.config)
        if is_good:
            assert trusting.access_token() == "new"
        else:
            with pytest.raises(Unreachable, match="certificate"):
                trusting.access_token()
            assert server.seen == []


def test_te_16_a_login_finds_out_before_the_browser(world: World) -> None:
    """As a process: one line that names the variable that helps, and no address to open."""
    pem = self_signed(world.folder)
    with Scripted([say({})], context=server_context(pem)) as server:
        done = ended(world.start("auth", "login", "--json", HOSTILE_ISSUER=server.url))
        assert (done.status, done.out) == (1, "")
        assert "SSL_CERT_FILE" in done.err
        assert "open_url" not in done.err
        assert server.seen == []


PROXY_PASSWORD = "canary-of-the-proxy"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """A proxy that refuses everything, under the variables that people set."""
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return Scripted([b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n"])


def through(proxy: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every variable name the proxy, with a password."""
    address = f"http://ada:{PROXY_PASSWORD}@127.0.0.1:{proxy.port}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, address)


def test_te_24_a_proxy_gets_no_token(
    world: World, monkeypatch: pytest.MonkeyPatch, proxy: Scripted
) -> None:
    """It is asked for a tunnel, without our headers; its password is in no message."""
    provider = OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint="https://id.todo.example/authorize",
        token_endpoint="https://id.todo.example/token",
        api_url="https://api.todo.example",
        http_timeout=5.0,
    )
    auth = Auth("todo", provider, storage="plaintext", folder=world.config)
    session = logged_in(auth)
    with proxy:
        through(proxy, monkeypatch)
        with auth.client() as api, pytest.raises(Exception, match="403"):
            api.get("/tasks")
        with pytest.raises(Unreachable) as caught:
            auth.refresh()
    assert PROXY_PASSWORD not in caught.value.format_message()
    assert [seen.method for seen in proxy.seen] == ["CONNECT", "CONNECT"]
    assert [seen.path for seen in proxy.seen] == ["api.todo.example:443", "id.todo.example:443"]
    token = session.bundle.access_token
    assert not [seen for seen in proxy.seen if token in str(seen.headers) or seen.body]


def test_te_24_a_login_on_loopback_passes_no_proxy(
    world: World, monkeypatch: pytest.MonkeyPatch, proxy: Scripted
) -> None:
    """Discovery, exchange, the application's own requests and revocation go straight there."""
    auth = world.auth()
    with proxy:
        through(proxy, monkeypatch)
        with auth.override(browser=FakeBrowser()):
            auth.login(timeout=30)
        with auth.client() as api:
            assert api.get("/me").status_code == 200
        assert auth.logout().revoked is True
    assert proxy.seen == []


@pytest.mark.skipif(os.name == "nt", reason="another wording")
def test_te_24_no_cookie_comes_back(world: World) -> None:
    """What any endpoint sets in one call is not sent in the next one."""
    for endpoint in ("discovery", "token", "revoke"):
        world.server.faults.headers[endpoint] = {"Set-Cookie": "track=me; Path=/"}
    auth = world.auth()
    with auth.override(browser=FakeBrowser()):
        auth.login(timeout=30)
    auth.refresh()
    auth.logout()
    ours = [entry for entry in world.server.journal if entry.endpoint != "authorize"]
    assert len(ours) >= 5
    assert not [entry for entry in ours if "cookie" in entry.headers]


@pytest.mark.parametrize("name", ["httpcore.http2", "httpx"])
def test_sx_09_the_loggers_of_http_2_are_silent_too(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """What they say of our own calls nobody hears."""
    caplog.set_level(logging.DEBUG)
    with mute_http_loggers("httpx"):
        logging.getLogger(name).debug("authorization: Bearer canary")
    assert caplog.records == []
    logging.getLogger(name).debug("somebody else's call")
    assert len(caplog.records) == 1


@pytest.mark.parametrize("name", ["hpack.hpack", "hpack.table"])
def test_s25_a_header_of_http_2_is_not_logged(
    world: World, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """HTTP/2's table of headers logs each of them; with a client of ours nobody hears it."""
    caplog.set_level(logging.DEBUG)
    with world.auth().override(environ={"TODO_TOKEN": "canary"}) as auth, auth.client():
        logging.getLogger(name).debug("Adding (b'x-api-key', b'canary')")
    assert name not in {record.name for record in caplog.records}
