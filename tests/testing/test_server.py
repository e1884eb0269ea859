from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from click_auth.testing import AuthorizationServer, Request
from testing.visitor import REDIRECT, Visitor


def test_the_journal_knows_every_request(visitor: Visitor, server: AuthorizationServer) -> None:
    """Each entry holds what was sent and how it was answered, in the order of arrival."""
    before = time.monotonic()
    visitor.log_in()
    authorize, exchange = server.journal

    assert (authorize.method, authorize.path, authorize.status) == ("GET", "/authorize", 303)
    assert authorize.query["redirect_uri"] == REDIRECT
    assert (exchange.method, exchange.endpoint, exchange.status) == ("POST", "token", 200)
    assert exchange.form["grant_type"] == "authorization_code"
    assert exchange.headers["content-type"] == "application/x-www-form-urlencoded"
    assert exchange.body.startswith(b"client_id=todo-cli")
    assert before < authorize.at < exchange.at < time.monotonic()


def test_the_journal_can_be_asked(visitor: Visitor, server: AuthorizationServer) -> None:
    """It filters POSTs, waits for requests, prints them and can be emptied."""
    tokens = visitor.log_in()
    visitor.refresh(tokens["refresh_token"])

    assert len(server.posts()) == len(server.posts("token")) == 2
    assert len(server.posts("token", grant_type="refresh_token")) == 1
    assert len(server.journal.wait_for("token", count=2)) == 2
    assert repr(server.journal[1:2]).count("JournalEntry") == 1
    assert tokens["refresh_token"] not in repr(server.journal)
    with pytest.raises(TimeoutError, match="revoke: 0 of 1"):
        server.journal.wait_for("revoke", timeout=0.01)
    server.journal.clear()
    assert len(server.journal) == 0


def test_stopping_is_quick_and_closes_everything(visitor: Visitor) -> None:
    """stop() waits neither for idle connections nor for late answers, and frees the port."""
    server = AuthorizationServer()
    server.start()
    url = urlsplit(server.issuer)
    assert url.port is not None
    idle = socket.create_connection(("127.0.0.1", url.port))
    asked = threading.Event()
    server.faults.hooks["userinfo"] = lambda request: asked.set()
    server.faults.delay_answer["userinfo"] = 60
    waiting = socket.create_connection(("127.0.0.1", url.port))
    waiting.sendall(b"GET /userinfo HTTP/1.1\r\nHost: x\r\n\r\n")
    assert asked.wait(60)
    started = time.monotonic()

    server.stop()

    assert time.monotonic() - started < 30
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", url.port), timeout=60)
    idle.close()
    waiting.close()


def test_a_server_can_go_offline_and_come_back(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """Inside of offline() nobody listens; afterwards address and grants are as they were."""
    tokens, issuer = visitor.log_in(), server.issuer

    with server.offline(), pytest.raises(httpx.ConnectError):
        visitor.refresh(tokens["refresh_token"])

    assert server.issuer == issuer
    assert visitor.refresh(tokens["refresh_token"]).status_code == 200


def test_an_offline_server_keeps_its_port(server: AuthorizationServer) -> None:
    """Nobody else gets it in the meantime, so that the server can come back."""
    with server.offline(), socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", server.port))


def test_the_port_can_be_chosen() -> None:
    """A port that is given is the one that is used."""
    with AuthorizationServer() as first:
        port = urlsplit(first.issuer).port
    assert port is not None
    with AuthorizationServer(port=port) as second:
        assert second.issuer == first.issuer


def test_it_listens_on_loopback_only(server: AuthorizationServer) -> None:
    """The server is nobody else's business."""
    assert server.issuer.startswith("http://127.0.0.1:")
    assert server.api_url.startswith("http://127.0.0.1:")


def test_addresses_are_known_once_it_has_started() -> None:
    """Before start() there is no issuer to speak of."""
    with pytest.raises(RuntimeError, match="not started"):
        _ = AuthorizationServer().issuer


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(
    visitor: Visitor, server: AuthorizationServer, method: str
) -> None:
    """An endpoint names the methods that it takes, and the connection stays usable."""
    answer = visitor.http.request(method, f"{server.issuer}/token")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert visitor.http.get(f"{server.issuer}/nowhere").status_code == 404


def test_many_clients_are_served_at_once(server: AuthorizationServer) -> None:
    """Sixty connections that all wait are answered together."""
    together = threading.Barrier(60)
    limits = httpx.Limits(max_connections=60)
    url = f"{server.issuer}/.well-known/openid-configuration"

    def wait(request: Request) -> None:
        together.wait(60)

    server.faults.hooks["discovery"] = wait

    with (
        httpx.Client(trust_env=False, limits=limits, timeout=60) as http,
        ThreadPoolExecutor(60) as pool,
    ):
        answers = list(pool.map(lambda _: http.get(url).status_code, range(60)))

    assert answers == [200] * 60


def test_it_is_a_program_too() -> None:
    """`python -m click_auth.testing` prints its addresses and ends with a signal, in peace."""
    command = [sys.executable, "-m", "click_auth.testing", "--access-token-lifetime", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name, issuer = process.stdout.readline().split()
        second = process.stdout.readline().split()
        document = httpx.get(
            f"{issuer}/.well-known/openid-configuration", trust_env=False, timeout=60
        ).json()
        process.send_signal(signal.SIGTERM if os.name == "posix" else signal.CTRL_C_EVENT)

        assert process.wait(60) == 0
    assert (name, document["issuer"]) == ("issuer", issuer)
    assert second == ["api_url", f"{issuer}/api"]
