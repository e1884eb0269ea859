from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from click_auth import LoginFailed
from click_auth.console import console
from click_auth.environment import Environment
from click_auth.errors import PORT_BIND_FAILED
from click_auth.login.loopback import listen
from click_auth.login.ui import TerminalUI
from login.waiting import Recorder, refuses, request_for, unused_port


@pytest.fixture
def busy() -> Iterator[int]:
    """A port of 127.0.0.1 that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


class OneFamily:
    """Stands in for a host that has one IP version only: binding in the other one fails."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, absent: int, code: int, times: int = 1000
    ) -> None:
        real, failures = socket.socket, iter(range(times))

        class Socket(real):  # type: ignore[misc, valid-type]
            def bind(self, address: tuple[str, int]) -> None:
                if self.family == absent and next(failures, None) is not None:
                    raise OSError(code, "stands for a missing IP version")
                super().bind(address)

        monkeypatch.setattr(socket, "socket", Socket)


@pytest.mark.parametrize("uri", ["http://127.0.0.1/callback", "http://[::1]/callback"])
def test_lb_11_only_the_address_itself_is_bound(uri: str) -> None:
    """Never all interfaces: the socket is bound to the literal in the redirect URI."""
    with closing(listen([uri])) as listener:
        (one,) = listener.sockets
        assert one.getsockname()[0] in uri
        assert listener.redirect_uri == uri.replace("/callback", f":{listener.port}/callback")


def test_lb_11_localhost_is_two_loopback_sockets() -> None:
    """One port, both literals, nothing else."""
    with closing(listen(["http://localhost/callback"])) as listener:
        addresses = [one.getsockname()[:2] for one in listener.sockets]
        assert addresses == [("127.0.0.1", listener.port), ("::1", listener.port)]


def test_lb_13_the_next_port_is_tried_when_one_is_busy(busy: int) -> None:
    """Registered ports are tried in their order."""
    other = unused_port()
    uris = [f"http://127.0.0.1:{port}/cb" for port in (busy, other)]
    with closing(listen(uris)) as listener:
        assert listener.redirect_uri == uris[1]


def test_lb_13_no_free_port_is_an_error_that_names_them(busy: int) -> None:
    """AUTH_PORT_BIND_FAILED says which ports, why, and what helps."""
    with pytest.raises(LoginFailed) as caught:
        listen([f"http://127.0.0.1:{busy}/callback", f"http://localhost:{busy}/callback"])
    assert caught.value.code == PORT_BIND_FAILED
    assert f"127.0.0.1 port {busy} (in use), localhost port {busy} (in use)" in str(caught.value)
    assert "Free the port." in caught.value.hints


def test_d9_the_option_for_another_port_is_named_where_there_is_one(busy: int) -> None:
    """Ports that were registered leave the person no choice, so their login has no such option."""
    for uri, port, is_named in (
        ("http://127.0.0.1/callback", busy, True),
        (f"http://127.0.0.1:{busy}/callback", None, False),
    ):
        with pytest.raises(LoginFailed) as caught:
            listen([uri], port)
        assert ("--callback-port" in caught.value.format_message()) is is_named


def test_lb_13_no_page_is_opened_without_a_port(busy: int) -> None:
    """The browser is not bothered when nobody would hear its answer."""
    opened: list[str] = []

    def browser(url: str) -> bool:
        opened.append(url)
        return True

    ui = TerminalUI(Environment("todo", {}), browser=browser)
    with console.use_console(Recorder()) as heard, pytest.raises(LoginFailed), ui:
        ui.wait_for_redirect(request_for, ["http://127.0.0.1/callback"], callback_port=busy)
    assert not opened
    assert isinstance(heard, Recorder)
    assert not heard.lines


@pytest.mark.parametrize("uri", ["http://127.0.0.1/cb", "http://127.0.0.1:8123/cb"])
def test_lb_13_callback_port_replaces_the_port(uri: str) -> None:
    """Also one that was registered: the person knows better, or the server will say so."""
    port = unused_port()
    with closing(listen([uri], port)) as listener:
        assert listener.redirect_uri == f"http://127.0.0.1:{port}/cb"


def test_lb_13_a_busy_callback_port_is_not_moved_elsewhere(busy: int) -> None:
    """Neither to another port nor to another address: the person forwarded just this one."""
    with pytest.raises(LoginFailed, match=str(busy)):
        listen(["http://127.0.0.1/callback"], busy)


@pytest.mark.parametrize("port", [-1, 0, 65536, 70000])
def test_lb_13_impossible_callback_ports(port: int) -> None:
    """They are refused with the range that there is."""
    with pytest.raises(LoginFailed, match=str(port)) as caught:
        listen(["http://127.0.0.1/callback"], port)
    assert (caught.value.code, "65535" in caught.value.hints[0]) == (PORT_BIND_FAILED, True)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:70000/callback",
        "http://127.0.0.1:abc/callback",
        "https://127.0.0.1/callback",
        "http://0.0.0.0/callback",
        "http://app.example/callback",
        "http://localhost.evil.example/callback",
        "http://user@127.0.0.1/callback",
        "http://127.0.0.1/callback#part",
        "http://[::1/callback",
        "urn:ietf:wg:oauth:2.0:oob",
        "",
    ],
)
def test_lb_13_what_is_no_loopback_redirect_is_refused(uri: str) -> None:
    """A setting that cannot work is one clear line before anything is opened."""
    with pytest.raises(LoginFailed, match="http URL on a loopback address") as caught:
        listen([uri])
    assert caught.value.code == PORT_BIND_FAILED


def test_lb_13_a_privileged_port_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not listen there is told so (tests often run as root, hence the stand-in)."""
    OneFamily(monkeypatch, socket.AF_INET, errno.EACCES)
    with pytest.raises(LoginFailed, match=r"127\.0\.0\.1 port 80 \(not permitted\)"):
        listen(["http://127.0.0.1:80/callback"])


@pytest.mark.parametrize("code", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
@pytest.mark.parametrize(
    "uri, absent, expected",
    [
        ("http://127.0.0.1/callback", socket.AF_INET, "http://[::1]:{}/callback"),
        ("http://[::1]/callback", socket.AF_INET6, "http://127.0.0.1:{}/callback"),
        ("http://localhost/callback", socket.AF_INET, "http://localhost:{}/callback"),
        ("http://localhost/callback", socket.AF_INET6, "http://localhost:{}/callback"),
    ],
)
def test_lb_15_a_host_with_one_ip_version(
    monkeypatch: pytest.MonkeyPatch, uri: str, absent: int, expected: str, code: int
) -> None:
    """What exists is bound, and the URI says so, in brackets where they are needed."""
    OneFamily(monkeypatch, absent, code)
    with closing(listen([uri])) as listener:
        (one,) = listener.sockets
        assert one.family != absent
        assert listener.redirect_uri == expected.format(listener.port)


def test_lb_15_a_host_with_no_loopback_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets an error that names both, not a listener on something else."""
    OneFamily(monkeypatch, socket.AF_INET, errno.EADDRNOTAVAIL)
    OneFamily(monkeypatch, socket.AF_INET6, errno.EADDRNOTAVAIL)
    with pytest.raises(LoginFailed, match=r"localhost port any .not on this machine"):
        listen(["http://localhost/callback"])
    with pytest.raises(LoginFailed, match=r"127\.0\.0\.1 port any .*, ::1 port any"):
        listen(["http://127.0.0.1/callback"])


def test_lb_16_a_port_that_is_taken_on_one_stack_is_not_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any free port will do, so another one is tried; not for ever."""
    OneFamily(monkeypatch, socket.AF_INET6, errno.EADDRINUSE, times=3)
    with closing(listen(["http://localhost/callback"])) as listener:
        assert len(listener.sockets) == 2
    OneFamily(monkeypatch, socket.AF_INET6, errno.EADDRINUSE)
    with pytest.raises(LoginFailed, match=r"localhost port any .in use"):
        listen(["http://localhost/callback"])


def test_lb_15_a_registered_port_stays_on_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URI that was registered with its port is not silently another one."""
    OneFamily(monkeypatch, socket.AF_INET, errno.EADDRNOTAVAIL)
    with pytest.raises(LoginFailed, match=r"port 8123 \(not on this machine\)"):
        listen(["http://127.0.0.1:8123/callback"])


def test_lb_16_localhost_needs_its_port_on_both_stacks() -> None:
    """A port that somebody else has on ::1 is not free for `localhost`."""
    with ExitStack() as stack:
        other = stack.enter_context(
            socket.create_server(("::1", unused_port()), family=socket.AF_INET6)
        )
        port = other.getsockname()[1]
        with pytest.raises(LoginFailed, match="in use"):
            listen([f"http://localhost:{port}/callback"])
        assert refuses(("127.0.0.1", port))


def test_lb_25_the_port_is_held_from_the_start() -> None:
    """Between learning the port and using it nobody else can take it."""
    with closing(listen(["http://127.0.0.1/callback"])) as listener:
        place = ("127.0.0.1", listener.port)
        with pytest.raises(OSError, match="in use"):
            socket.create_server(place)
        assert not refuses(place)
        assert not any(one.get_inheritable() for one in listener.sockets)
    assert refuses(place)


def test_a_port_can_be_used_again_at_once() -> None:
    """A login right after another one, on the one registered port, does not have to wait."""
    port = unused_port()
    for _ in range(3):
        with closing(listen([f"http://127.0.0.1:{port}/callback"])) as listener:
            visitor = socket.create_connection(("127.0.0.1", port))
            accepted, _ = listener.sockets[0].accept()
            accepted.close()
            visitor.close()


@pytest.mark.parametrize(
    "uri, others",
    [
        ("http://127.0.0.1:8123/cb", set()),
        ("http://[::1]:8123/cb", set()),
        ("http://localhost:8123/cb", set()),
        ("http://127.0.0.2:8123/cb", {"127.0.0.2:8123"}),
    ],
)
def test_b22_a_listener_knows_its_names(uri: str, others: set[str]) -> None:
    """`Host` may be what stands in the redirect URI, or any other name of this machine."""
    try:
        listener = listen([uri])
    except LoginFailed:
        pytest.skip("port 8123 is taken on this machine")
    with closing(listener):
        names = {"127.0.0.1:8123", "localhost:8123", "[::1]:8123"}
        assert listener.authorities == names | others
        assert listener.path == "/cb"
