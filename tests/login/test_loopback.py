from __future__ import annotations

import contextlib
import gc
import logging
import re
import resource
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from click_auth import LoginFailed
from click_auth.environment import Environment
from click_auth.errors import CALLBACK_TIMEOUT
from click_auth.login import pages
from click_auth.login.loopback import Listener, listen
from click_auth.login.redirect import HeldBrowser
from click_auth.login.ui import TerminalUI
from login.waiting import (
    ANSWER,
    BOUND_SECONDS,
    CODE,
    STATE,
    Waiting,
    at_once,
    received,
    refuses,
    request_for,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.providers.authorization import AuthorizationRequest


def ends_well(login: Waiting) -> bool:
    """Bring the right answer and return whether it was taken."""
    with ThreadPoolExecutor() as pool:
        reply = pool.submit(login.get, ANSWER)
        code = login.response().code
        login.finish()
        return code == CODE and status_of(reply.result()) == 200


STRAYS = [
    pytest.param(f"?code={CODE}&state=of-another-login", id="lb_01-wrong state"),
    pytest.param(f"?code={CODE}", id="lb_02-no state"),
    pytest.param(f"?code={CODE}&state=", id="lb_02-empty state"),
    pytest.param("?error=access_denied", id="error without state"),
    pytest.param("?error=access_denied&state=x", id="error with a foreign state"),
    pytest.param(f"?code={CODE}&code=other&state={STATE}", id="lb_04-two codes"),
    pytest.param(f"?code={CODE}&state={STATE}&state={STATE}", id="lb_04-two states"),
    pytest.param(f"?code={CODE}&state={STATE}&iss=a&iss=b", id="lb_04-two issuers"),
    pytest.param(f"?code={CODE}&error=no&state={STATE}", id="lb_04-code and error"),
    pytest.param(f"?code=%ff&state={STATE}", id="lb_23-not UTF-8"),
    pytest.param(f"?code=a%00b&state={STATE}", id="lb_23-NUL"),
    pytest.param(f"?state={STATE}", id="no code"),
    pytest.param(f"?access_token=t&state={STATE}", id="lb_26-implicit"),
    pytest.param(f"?code={CODE}&id_token=t&state={STATE}", id="lb_26-hybrid"),
    pytest.param("", id="nothing at all"),
]


@pytest.mark.parametrize("query", STRAYS)
def test_lb_01_02_04_23_26_an_answer_to_something_else_is_turned_away(query: str) -> None:
    """It gets a 400, the terminal is told, and the right answer still ends the login."""
    with Waiting() as login:
        assert status_of(login.get(query)) == 400
        assert login.is_waiting
        assert "still waiting" in login.console.text
        assert ends_well(login)


def test_lb_01_the_terminal_hears_of_strays_once() -> None:
    """However many come, one line says so."""
    with Waiting() as login:
        for _ in range(5):
            login.get("?code=x&state=y")
        assert login.console.text.count("Ignored") == 1


@pytest.mark.parametrize(
    "target",
    [
        "/favicon.ico",
        "/",
        "/Callback",
        "/callback/",
        "//callback",
        "/callback/../callback",
        "/%63allback",
        "/callback%3Fcode=1",
        "/callback;x",
        "/callback#x",
        "http://127.0.0.1/callback",
        "*",
    ],
)
def test_lb_05_every_other_path_is_not_found(target: str) -> None:
    """A favicon, a prefetch or a path that only looks right is a 404 and settles nothing."""
    with Waiting() as login:
        assert status_of(login.send(login.head(f"{target}{ANSWER}"))) == 404
        assert ends_well(login)


def test_lb_06_idle_connections_delay_nobody() -> None:
    """Many sockets that say nothing, or half a line: the answer is taken at once."""
    with Waiting() as login, ExitStack() as idle:
        for number in range(40):
            one = idle.enter_context(login.connect())
            one.sendall(b"GET /callb"[: number % 10])
        began = time.monotonic()
        assert ends_well(login)
        assert time.monotonic() - began < at_once()


def test_lb_06_a_browser_may_connect_before_it_asks() -> None:
    """A connection that was opened early and sends its request in pieces is served."""
    with Waiting() as login, login.connect() as early:
        request = login.head(f"/callback{ANSWER}")
        for part in (request[:7], request[7:30], request[30:]):
            time.sleep(0.05)
            early.sendall(part)
        assert login.response().code == CODE
        login.finish()
        assert status_of(received(early)) == 200


def test_lb_06_a_connection_that_says_nothing_is_closed() -> None:
    """A few seconds, and it is shown out; the login goes on."""
    with Waiting() as login, login.connect() as idle:
        began = time.monotonic()
        assert received(idle) == b""
        assert 2 < time.monotonic() - began < 7 + at_once()
        assert login.is_waiting


def test_lb_08_long_lines_many_headers_and_large_bodies() -> None:
    """They are refused by name, their bodies stay unread, and memory does not grow."""
    with Waiting() as login:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        long_line = login.head("/callback?code=" + "x" * 70_000)
        many = login.head("/callback", *(f"X-{number}: 1" for number in range(200)))
        large = login.head("/callback", "X: " + "y" * 200_000)
        post = login.head("/callback", "Content-Length: 100000000", method="POST")
        statuses = [status_of(login.send(one)) for one in (long_line, many, large, post)]
        assert statuses == [414, 431, 431, 405]
        with login.connect() as flood:
            flood.sendall(post)
            with pytest.raises(OSError):  # noqa: PT011, PT012 - which one is the system's business
                for _ in range(100):
                    flood.sendall(b"z" * 1_000_000)
        unit = 1 if sys.platform == "darwin" else 1024
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
        assert grown < 20_000_000
        assert ends_well(login)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "get", "DELETE"])
def test_lb_10_only_get_is_allowed(method: str) -> None:
    """Another method is a 405, consumes no code, and no header invites another origin."""
    with Waiting() as login:
        asked = ("Origin: https://evil.example", "Access-Control-Request-Private-Network: true")
        reply = login.send(login.head(f"/callback{ANSWER}", *asked, method=method))
        assert status_of(reply) == 405
        assert b"Allow: GET" in reply
        assert b"access-control" not in reply.lower()
        assert method != "HEAD" or reply.endswith(b"\r\n\r\n")
        assert ends_well(login)


@pytest.mark.parametrize(
    "host, status",
    [
        (["evil.example"], 421),
        (["evil.example:{port}"], 421),
        (["127.0.0.1"], 421),
        (["localhost"], 421),
        (["localhost:1"], 421),
        (["localhost.:{port}"], 421),
        (["127.0.0.1:{port}.evil.example"], 421),
        ([], 400),
        (["127.0.0.1:{port}", "evil.example"], 400),
    ],
)
def test_host_must_name_this_listener(host: list[str], status: int) -> None:
    """A page that rebound its own name to 127.0.0.1 is not served."""
    with Waiting() as login:
        named = "".join(f"Host: {one.format(port=login.port)}\r\n" for one in host)
        request = f"GET /callback{ANSWER} HTTP/1.1\r\n{named}\r\n"
        assert status_of(login.send(request.encode())) == status
        assert ends_well(login)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_b22_each_name_of_this_machine_brings_the_answer(name: str) -> None:
    """What forwards the port may call us by another of them; nobody can rebind those."""
    with Waiting() as login:
        request = f"GET /callback{ANSWER} HTTP/1.1\r\nHost: {name}:{login.port}\r\n\r\n"
        with login.connect() as browser:
            browser.sendall(request.encode())
            assert login.response().code == CODE


@pytest.mark.parametrize("query, is_quoted", [(ANSWER, True), ("?code=x&state=other", False)])
def test_b22_an_answer_under_a_foreign_name_is_quoted(query: str, *, is_quoted: bool) -> None:
    """It is not taken, but the person learns of it; without our state nobody does."""
    with Waiting() as login:
        request = f"GET /callback{query} HTTP/1.1\r\nHost: x-1.app.example\r\n\r\n"
        assert status_of(login.send(request.encode())) == 421
        assert ("sent to 'x-1.app.example'" in login.console.text) is is_quoted
        assert CODE not in login.console.text
        assert ends_well(login)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET /callback",
        b"GET  /callback HTTP/1.1",
        b"GET /callback SPDY/3",
        b"\x16\x03\x01",
        b"GET /\xff HTTP/1.1",
    ],
)
def test_what_is_no_http_is_turned_away(line: bytes) -> None:
    """A TLS hello, an HTTP/0.9 line or noise is a 400, and no crash."""
    with Waiting() as login:
        host = f"Host: {login.authority}".encode()
        assert status_of(login.send(line + b"\r\n" + host + b"\r\n\r\n")) == 400
        assert ends_well(login)


def test_lb_12_the_uri_is_the_one_listened_on() -> None:
    """Byte for byte what `start` was given, with the port that is really open."""
    with Waiting("http://127.0.0.1/some/Path?x=1") as login:
        assert login.uri == f"http://127.0.0.1:{login.port}/some/Path?x=1"
        with login.connect() as browser:
            browser.sendall(login.head(f"/some/Path?x=1&{ANSWER[1:]}"))
            assert login.response().redirect_uri == login.uri


def test_lb_16_localhost_answers_on_both_stacks() -> None:
    """An application registered with `localhost` is reached at ::1 and at 127.0.0.1."""
    with Waiting("http://localhost/callback") as login:
        assert login.authority == f"localhost:{login.port}"
        for address in ("127.0.0.1", "::1"):
            with socket.create_connection((address, login.port), timeout=BOUND_SECONDS) as visitor:
                visitor.sendall(login.head("/elsewhere"))
                assert status_of(received(visitor)) == 404


def test_lb_18_the_code_leaves_the_address_bar() -> None:
    """The page takes the query out of its address, with a script that its own policy allows."""
    with Waiting() as login, login.connect() as browser:
        browser.sendall(login.head(f"/callback{ANSWER}"))
        login.response()
        login.finish()
        reply = received(browser).decode()
        assert 'history.replaceState(null,"",location.pathname)' in reply
        assert CODE not in reply
        assert STATE not in reply


def test_lb_20_nobody_comes() -> None:
    """The wait ends at its time with AUTH_CALLBACK_TIMEOUT, and the port is closed."""
    began = time.monotonic()
    with Waiting(timeout=0.5) as login:
        with pytest.raises(LoginFailed) as caught:
            login.response()
        assert caught.value.code == CALLBACK_TIMEOUT
        assert 0.4 < time.monotonic() - began < 0.5 + at_once()
        assert refuses(login.sockname)


def test_lb_20_the_timeout_quotes_what_came_instead() -> None:
    """An error that was not for this login may still explain why the right answer never came."""
    with Waiting(timeout=1) as login:
        login.get("?error=unauthorized_client&error_description=x")
        with pytest.raises(LoginFailed, match="unauthorized_client"):
            login.response()


def test_lb_20_what_comes_again_and_again_is_quoted_once() -> None:
    """A tab that reloads hides no other reason, and a flood of them fills no memory."""
    with Waiting(timeout=2) as login:
        for state in "abc":
            login.get(f"?state={state}&code=x")
        for error in ("unauthorized_client", *"de"):
            login.get(f"?error={error}")
        with pytest.raises(LoginFailed, match="unauthorized_client") as caught:
            login.response()
    assert caught.value.message.count("doesn't belong to this login") == 3


def test_lb_22_the_page_waits_for_the_outcome() -> None:
    """Nothing is shown before the tokens are stored; then the page says what is true."""
    with Waiting() as login, login.connect() as browser:
        browser.sendall(login.head(f"/callback{ANSWER}"))
        login.response()
        browser.settimeout(0.3)
        with pytest.raises(TimeoutError):
            browser.recv(1)
        browser.settimeout(BOUND_SECONDS)
        login.finish(success=False, message="The <keyring> is locked.")
        reply = received(browser)
        assert status_of(reply) == 400
        assert b"The &lt;keyring&gt; is locked." in reply
        assert b"success" not in reply.lower()
        assert b"logged in" not in reply.lower()


def test_lb_22_a_refusal_is_shown_as_one() -> None:
    """The server's no, with the right state, ends the login, and the page says so."""
    with Waiting() as login:
        reply = login.get(f"?error=access_denied&state={STATE}")
        with pytest.raises(LoginFailed, match="declined the request in the browser"):
            login.response()
        assert status_of(reply) == 400
        assert b"You declined the request in the browser." in reply


@pytest.fixture
def held() -> Iterator[tuple[HeldBrowser, socket.socket, Listener]]:
    """Give a browser that is held for a moment only, its end of the connection, the listener."""
    ours, browser = socket.socketpair()
    with browser, contextlib.closing(listen(["http://127.0.0.1/callback"])) as listener:
        yield HeldBrowser(ours, listener, seconds=0.1), browser, listener


def ask(listener: Listener, target: str) -> socket.socket:
    """Return a connection that has asked the listener for *target*."""
    connection = socket.create_connection(("127.0.0.1", listener.port), BOUND_SECONDS)
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{listener.port}\r\n\r\n".encode())
    return connection


def test_lb_22_a_browser_is_not_held_for_ever(
    held: tuple[HeldBrowser, socket.socket, Listener],
) -> None:
    """It is told that the login is being finished, and comes back for the outcome by itself."""
    holder, browser, listener = held
    shown = received(browser)
    assert b"Finishing your login..." in shown
    assert b"logged in" not in shown
    again = re.search(rb"\r\nRefresh: 1; url=(/callback\?[\w-]{20,})\r\n", shown)
    assert again is not None
    with ask(listener, "/callback?x") as stray, ask(listener, again[1].decode()) as back:
        assert status_of(received(stray)) == 400
        holder.tell(pages.outcome("todo", success=True))
        assert b"You're logged in" in received(back)


def test_lb_22_a_browser_that_does_not_come_back_is_not_waited_for(
    held: tuple[HeldBrowser, socket.socket, Listener],
) -> None:
    """One without refresh headers has the neutral page; the port is given back."""
    holder, browser, listener = held
    assert b"Finishing your login..." in received(browser)
    port = listener.port
    listener.close()
    began = time.monotonic()
    holder.tell(pages.outcome("todo", success=True))
    assert time.monotonic() - began < at_once()
    assert refuses(("127.0.0.1", port))


def test_lb_21_an_interrupt_waits_for_no_browser() -> None:
    """It has been shown that the login is being finished, and would ask again in a second."""
    visits: list[socket.socket] = []

    def start(uri: str) -> AuthorizationRequest:
        port = urlsplit(uri).port
        visits.append(socket.create_connection(("127.0.0.1", port or 0), BOUND_SECONDS))
        head = f"GET /callback{ANSWER} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
        visits[0].sendall(head.encode())
        return request_for(uri)

    before = set(threading.enumerate())
    ui = TerminalUI(Environment("todo", {}), browser=lambda _: True)
    with contextlib.suppress(KeyboardInterrupt), ui:
        ui.wait_for_redirect(start, ["http://127.0.0.1/callback"])
        assert b"Finishing your login..." in received(visits[0])
        raise KeyboardInterrupt
    left = set(threading.enumerate()) - before
    assert left  # what still waits for the browser was not waited for
    for thread in left:
        thread.join()
    visits[0].close()


def test_lb_22_a_browser_that_left_stops_nobody() -> None:
    """Telling the outcome to a closed tab raises nothing."""
    with Waiting() as login:
        with login.connect() as browser:
            browser.sendall(login.head(f"/callback{ANSWER}"))
            login.response()
        login.finish()
    assert not [line for line in login.console.lines if "fail" in line]


@pytest.mark.parametrize(
    "sent, code",
    [
        ("xy%2Fz", "xy/z"),
        ("a+b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%252Fb", "a%2Fb"),
        ("c" * 8192, "c" * 8192),
        ("%C3%A9", "é"),
    ],
)
def test_lb_23_the_code_arrives_as_it_was_meant(sent: str, code: str) -> None:
    """One form-decoding, and every byte of a long code."""
    with Waiting() as login, login.connect() as browser:
        browser.sendall(login.head(f"/callback?code={sent}&state={STATE}"))
        assert login.response().code == code


def test_lb_24_the_connection_is_not_kept() -> None:
    """`Connection: close` is said and done, also to an HTTP/1.1 client that would stay."""
    with Waiting() as login, login.connect() as browser:
        browser.sendall(login.head("/favicon.ico", "Connection: keep-alive"))
        reply = received(browser)
        assert b"Connection: close" in reply


def test_settled_means_closed() -> None:
    """Once the answer is there no other is taken; with the outcome the port is given back."""
    with Waiting() as login, login.connect() as browser:
        browser.sendall(login.head(f"/callback{ANSWER}"))
        login.response()
        with login.connect() as late:
            late.sendall(login.head("/callback?code=another"))
            login.finish()
            assert status_of(received(browser)) == 200
            with contextlib.suppress(ConnectionResetError):
                assert received(late) == b""
        assert refuses(login.sockname)


def test_closing_is_instant() -> None:
    """From the outcome to the end of the login there is no wait for anything."""
    before = set(threading.enumerate())
    with Waiting() as login, login.connect() as browser, login.connect():
        browser.sendall(login.head(f"/callback{ANSWER}"))
        login.response()
        began = time.monotonic()
        login.finish()
        assert time.monotonic() - began < at_once()
        assert set(threading.enumerate()) <= before  # nothing was waited for in vain


def test_nothing_is_left_behind() -> None:
    """No thread and no socket outlives a login."""
    before = set(threading.enumerate())
    with Waiting() as login, login.connect():
        assert ends_well(login)
    gc.collect()  # an unclosed socket is a ResourceWarning, and those are errors
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    "query",
    [
        "?redirect=https://evil.example",
        "?x=%0d%0aSet-Cookie:%20a=b",
        "?x=<script>alert(1)</script>",
    ],
)
def test_ti_06_nothing_is_reflected(query: str) -> None:
    """What a visitor sends is in no header and in no page."""
    with Waiting() as login:
        reply = login.get(query).lower()
        assert b"location:" not in reply
        assert b"set-cookie" not in reply
        assert b"evil" not in reply
        assert b"alert" not in reply


def test_sx_09_no_request_is_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither code nor query is in a log record, on stdout or on stderr."""
    caplog.set_level(logging.DEBUG)
    with Waiting() as login:
        login.get("?code=secret-of-a-stray&state=x")
        assert ends_well(login)
    shown = caplog.text + "".join(capfd.readouterr()) + login.console.text
    assert CODE not in shown
    assert "secret-of-a-stray" not in shown
