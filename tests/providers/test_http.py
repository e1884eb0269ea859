from __future__ import annotations

import gzip
import importlib
import json
import logging
import re
import socket
import ssl
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any, cast

import pytest

from click_auth import AuthError, TokenBundle, Unreachable
from click_auth.http.call import MOST_BYTES, Call, TransportFailed, send
from click_auth.http.client import Http
from providers.certificates import self_signed, server_context
from providers.wire import Scripted, hang, provider, reply, reset, say

SECRET = "canary-secret"


def call(server: Scripted, module: str, timeout: float = 60.0, **environ: str) -> bytes:
    """Post a secret to *server* and return the body of its answer."""
    request = Call(f"{server.url}/token?q={SECRET}", f"code={SECRET}".encode())
    return send(Http(module, environ=environ), request, timeout).body


def drip(connection: socket.socket) -> None:
    """Send a byte twice a second."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(600):
        connection.sendall(b"x")
        time.sleep(0.1)


def drip_headers(connection: socket.socket) -> None:
    """Never come to the end of the headers."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(600):
        connection.sendall(b"X-A: 1\r\n")
        time.sleep(0.1)


@pytest.mark.parametrize("behaviour, status", [(hang, None), (drip, 200), (drip_headers, None)])
def test_te_13_one_deadline_holds_for_the_whole_call(
    server: Scripted, module: str, behaviour: Callable[[socket.socket], None], status: int | None
) -> None:
    """A server that is silent, or slow, is given up when the time is over."""
    server.replies = [say({}), behaviour]
    call(server, module)  # loads what the module loads late
    call_started = time.monotonic()
    with pytest.raises(TransportFailed, match=r"within 3 seconds") as failed:
        call(server, module, timeout=3)
    assert time.monotonic() - call_started < 30
    assert failed.value.status == status
    assert failed.value.lost is (status is None)


@pytest.mark.parametrize(
    "behaviour, status",
    [
        pytest.param(reset, None, id="reset"),
        pytest.param(b"", None, id="closed"),
        pytest.param(b"HTTP/1.1 2", None, id="cut in the status line"),
        pytest.param(b"SSH-2.0-x\r\n", None, id="another protocol"),
        pytest.param(b"HTTP/1.1 200 x\r\nContent-Length: 99\r\n\r\n{}", 200, id="short"),
        pytest.param(
            b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", 200, id="cut chunk"
        ),
    ],
)
def test_te_14_an_answer_that_is_not_whole_is_none(
    server: Scripted, module: str, behaviour: bytes, status: int | None
) -> None:
    """Whether a status had come is told, since it decides about the one replay."""
    server.replies = [behaviour]
    with pytest.raises(TransportFailed) as failed:
        call(server, module)
    assert (failed.value.status, failed.value.lost) == (status, status is None)


def test_a_server_that_cannot_be_reached_has_done_nothing(module: str) -> None:
    """No connection, no lost answer."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/token?q={SECRET}"
        with pytest.raises(TransportFailed, match="can't be reached") as failed:
            send(Http(module), Call(url, b""), 60)
    assert not failed.value.lost


def test_a_failure_holds_nothing_of_the_request(server: Scripted, module: str) -> None:
    """No URL, no header and no exception of the client hangs on to it (SX-08)."""
    server.replies = [reset]
    with pytest.raises(TransportFailed) as failed:
        call(server, module)
    assert failed.value.__cause__ is None
    assert failed.value.__context__ is None
    assert SECRET not in repr(vars(failed.value))


@pytest.mark.parametrize(
    "behaviour, complaint",
    [
        pytest.param(reply(b"x" * (MOST_BYTES + 1)), "more than 1 MiB", id="huge"),
        pytest.param(
            reply(gzip.compress(b"x" * (MOST_BYTES + 1)), Content_Encoding="gzip"),
            "more than 1 MiB",
            id="bomb",
        ),
        pytest.param(reply(b"xx", Content_Encoding="gzip"), "can't be decoded", id="no gzip"),
    ],
)
def test_a_body_is_bounded_after_decoding(
    server: Scripted, module: str, behaviour: bytes, complaint: str
) -> None:
    """A megabyte is enough for everybody, however it was packed."""
    server.replies = [behaviour]
    with pytest.raises(TransportFailed, match=complaint):
        call(server, module)


def test_a_body_in_an_encoding_that_was_not_asked_for(server: Scripted, module: str) -> None:
    """It is no JSON, whether the client can unpack such bodies or not."""
    server.replies = [reply(b"xx", Content_Encoding="br")]
    with pytest.raises(Unreachable, match=r"something other than JSON|can't be decoded"):
        provider(server, module).refresh(TokenBundle("a", "r"))


def test_a_packed_body_is_unpacked(server: Scripted, module: str) -> None:
    """Some proxies pack whatever passes, though nobody asked."""
    server.replies = [reply(gzip.compress(b"{}"), Content_Encoding="gzip")]
    assert call(server, module) == b"{}"


def test_te_22_what_every_call_sends(server: Scripted, module: str) -> None:
    """JSON is asked for, unpacked, in our own name; nothing is accepted twice."""
    server.replies = [say({})]
    call(server, module)
    headers = server.seen[0].headers
    assert headers["accept"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("click-auth/")
    assert "cookie" not in headers
    assert "authorization" not in headers


def test_a_redirect_is_an_answer(server: Scripted, module: str) -> None:
    """It is not followed: the body holds a secret."""
    server.replies = [reply(b"", 307, Location="/elsewhere")]
    answer = send(Http(module), Call(f"{server.url}/token", b"code=x"), 60)
    assert answer.status == 307
    assert server.paths() == ["/token"]


def test_te_24_cookies_are_not_replayed(server: Scripted, module: str) -> None:
    """Each call is a new acquaintance."""
    server.replies = [say({}, Set_Cookie="session=1; Path=/")]
    http = Http(module)
    for _ in range(2):
        send(http, Call(f"{server.url}/token"), 60)
    assert "cookie" not in server.seen[1].headers


def test_te_24_a_loopback_address_is_not_proxied(
    server: Scripted, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the environment nor by the application's own proxy, in calls and in clients."""
    server.replies = [say({})]
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.2:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.2:1")
    for options in ({}, {"proxy": "http://127.0.0.2:1"}):
        http = Http(module, options)
        assert send(http, Call(f"{server.url}/token"), 60).status == 200
        with http.client(timeout=60) as client:
            assert client.get(f"{server.url}/api").status_code == 200


def test_te_24_another_address_is_proxied(
    server: Scripted, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy of the environment is asked for a tunnel to an https server."""
    server.replies = [reply(b"", 403)]
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(TransportFailed):
        send(Http(module), Call("https://id.todo.example/token", b"x"), 60)
    assert (server.seen[0].method, server.seen[0].path) == ("CONNECT", "id.todo.example:443")


def test_te_16_a_certificate_must_be_trusted(tmp_path: Path, module: str) -> None:
    """A self-signed one is refused, and the message names the variable that helps."""
    pem = self_signed(tmp_path)
    with Scripted([say({})], context=server_context(pem)) as server:
        with pytest.raises(TransportFailed, match=r"SSL_CERT_FILE.*REQUESTS_CA_BUNDLE") as failed:
            call(server, module)
        assert failed.value.unsent
        assert server.seen == []
        assert call(server, module, SSL_CERT_FILE=str(pem)) == b"{}"
        assert call(server, module, REQUESTS_CA_BUNDLE=str(pem)) == b"{}"
        verified = Http(module, {"verify": ssl.create_default_context(cafile=pem)}, {})
        assert send(verified, Call(server.url), 60).status == 200


@pytest.mark.parametrize("host, days", [("127.0.0.9", 1), ("127.0.0.1", -1)])
def test_te_16_a_trusted_certificate_must_fit(
    tmp_path: Path, module: str, host: str, days: int
) -> None:
    """One for another host, or that has expired, is refused."""
    pem = self_signed(tmp_path, host=host, days=days)
    with Scripted([say({})], context=server_context(pem)) as server:
        with pytest.raises(TransportFailed) as failed:
            call(server, module, SSL_CERT_FILE=str(pem))
        assert failed.value.unsent


def test_te_16_a_client_may_have_a_certificate_too(
    tmp_path: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`cert=` is loaded whatever decides about trust, and named where it cannot be read."""
    pem = self_signed(tmp_path)
    context = server_context(pem)
    context.load_verify_locations(pem)
    context.verify_mode = ssl.CERT_REQUIRED
    environ = {"SSL_CERT_FILE": str(pem)}
    with Scripted([say({})], context=context) as server:
        for cert in (str(pem), (str(pem), str(pem))):
            http = Http(module, {"cert": cert}, environ)
            assert send(http, Call(server.url), 60).status == 200
        mine = {"cert": str(pem), "verify": ssl.create_default_context(cafile=pem)}
        assert send(Http(module, mine, {}), Call(server.url), 60).status == 200
        with pytest.raises(TransportFailed):
            send(Http(module, environ=environ), Call(server.url), 60)
    with pytest.raises(AuthError, match=r"cert= names .*missing.pem"):
        Http(module, {"cert": str(tmp_path / "missing.pem")}, environ).client()
    if module == "httpx":  # httpx2 stands on truststore itself
        monkeypatch.setitem(sys.modules, "truststore", None)
    assert isinstance(Http(module, {"cert": str(pem)}, {}).options["verify"], ssl.SSLContext)


def test_who_decides_about_trust(
    tmp_path: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable, then the system's own store where that extra is there, then the module."""
    folder = {"SSL_CERT_DIR": str(tmp_path), "REQUESTS_CA_BUNDLE": "x"}
    assert Http(module, environ=folder).trust == "SSL_CERT_DIR"
    assert isinstance(Http(module, environ=folder).options["verify"], ssl.SSLContext)
    assert Http(module, environ={}).trust == "truststore"
    assert type(Http(module, environ={}).options["verify"]).__module__.startswith("truststore")
    monkeypatch.setitem(sys.modules, "truststore", None)
    assert Http(module, environ={}).trust == module
    assert type(Http("httpx", environ={}).options["verify"]) is ssl.SSLContext


def test_default_certificates_are_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than a request: all clients of an application share them.

    httpx2 brings truststore along, whose context is shared anyway.
    """
    monkeypatch.setitem(sys.modules, "truststore", None)
    speaker, loads = importlib.import_module("httpx"), []
    load = speaker.create_ssl_context

    def counted(**options: Any) -> ssl.SSLContext:
        loads.append(options)
        return cast(ssl.SSLContext, load(**options))

    monkeypatch.setattr(speaker, "create_ssl_context", counted)
    http = Http("httpx", environ={})
    for _ in range(3):
        http.client().close()
    http.client(transport=speaker.MockTransport(lambda _: speaker.Response(200))).close()
    assert len(loads) == 1


def test_a_variable_that_names_nothing_is_named(tmp_path: Path, module: str) -> None:
    """A mistyped path is the user's to correct, in one line."""
    http = Http(module, environ={"SSL_CERT_FILE": str(tmp_path / "missing.pem")})
    with pytest.raises(AuthError, match=r"SSL_CERT_FILE names .*missing.pem"):
        http.client()


def test_sx_09_the_clients_own_loggers_are_silent(
    server: Scripted, module: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Only our own line is logged, without the query, at DEBUG; other calls log as ever."""
    caplog.set_level(logging.DEBUG)
    server.replies = [say({}, Set_Cookie=SECRET)]
    call(server, module)
    assert [record.name for record in caplog.records] == ["click_auth"]
    (line,) = caplog.messages
    assert re.fullmatch(rf"POST {re.escape(server.url)}/token: 200, \d+ ms", line)
    caplog.clear()
    with Http(module).client() as client:
        client.get(server.url)
    assert module in {record.name for record in caplog.records}


def test_the_servers_clock_is_measured(server: Scripted, module: str) -> None:
    """`Date` says by how much it is ahead; what cannot be read says nothing."""
    http = Http(module)
    for date in ("yesterday", formatdate(time.time() + 3600, usegmt=True), "32 Foo 2026"):
        server.replies = [say({}, Date=date)]
        send(http, Call(server.url), 60)
    assert http.clock_difference(server.url) == pytest.approx(3600, abs=600)


def test_s11_a_server_tells_the_time_for_nobody_else(server: Scripted, module: str) -> None:
    """Neither for another origin, nor where nothing was measured."""
    http = Http(module)
    server.replies = [say({}, Date=formatdate(time.time() + 3600, usegmt=True))]
    send(http, Call(server.url), 60)
    elsewhere = "https://id.todo.example/token"
    assert http.clock_difference(elsewhere) is None
    assert http.clock_difference(f"{server.url}/x") == pytest.approx(3600, abs=600)
    assert http.clock_difference(elsewhere, server.url) == pytest.approx(3600, abs=600)


def test_the_applications_options_reach_every_client(server: Scripted, module: str) -> None:
    """They are made once, by a function if it is one, and lose to those of a single client."""
    made = []

    def options() -> dict[str, object]:
        made.append(1)
        return {"headers": {"X-App": "todo", "User-Agent": "todo/1"}, "timeout": 3}

    http = Http(module, options)
    assert not made
    server.replies = [say({})]
    send(http, Call(server.url), 60)
    with http.client(headers={"X-App": "other", "X-More": "1"}) as client:
        client.get(server.url)
    assert made == [1]
    assert (server.seen[0].headers["x-app"], server.seen[0].headers["user-agent"]) == (
        "todo",
        "todo/1",
    )
    assert (server.seen[1].headers["x-app"], server.seen[1].headers["x-more"]) == ("other", "1")


def test_a_client_may_be_of_either_module_and_of_any_class(module: str) -> None:
    """What is asked for is what comes."""
    import httpx
    import httpx2

    class Mine(httpx.Client):
        """A client of the application's own."""

    http = Http(module)
    for cls in (Mine, httpx.Client, httpx2.Client):
        with cast("Any", http.client)(cls) as client:
            assert type(client) is cls
    for async_cls in (httpx.AsyncClient, httpx2.AsyncClient):
        assert type(http.client(async_cls)) is async_cls


def test_a_transport_for_tests_may_stand_in(module: str) -> None:
    """`http_options={"transport": ...}` is enough to answer calls without a socket."""
    http = Http(module)
    answers = http.module.MockTransport(lambda _: http.module.Response(201, json={"a": 1}))
    answer = send(Http(module, {"transport": answers}), Call("https://id.todo.example"), 60)
    assert (answer.status, json.loads(answer.body)) == (201, {"a": 1})


def test_nothing_is_sent_in_the_clear(module: str) -> None:
    """Whoever asks for it has made a mistake that must not go out."""
    with pytest.raises(ValueError, match="not https"):
        send(Http(module), Call("http://id.todo.example/token"), 60)
