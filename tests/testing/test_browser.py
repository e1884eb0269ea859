from __future__ import annotations

import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from click_auth.testing import Answer, AuthorizationServer, FakeBrowser
from testing.visitor import VERIFIER, challenge_of


class Callback(HTTPServer):
    """Where a login ends: keeps the paths that it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paths: list[str] = []

    @property
    def uri(self) -> str:
        """Return the redirect URI."""
        return f"http://127.0.0.1:{self.server_port}/callback"

    def result(self) -> dict[str, list[str]]:
        """Return the parameters of the last request."""
        return parse_qs(urlsplit(self.paths[-1]).query)


class _Handler(BaseHTTPRequestHandler):
    server: Callback

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        found = self.path.startswith("/callback?")
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(b"<form><button>not to be pressed</button></form>")


@pytest.fixture
def callback() -> Iterator[Callback]:
    """Listen as a login does."""
    with Callback() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def address(server: AuthorizationServer, callback: Callback) -> str:
    """Return the address that a login opens."""
    challenge = f"code_challenge={challenge_of(VERIFIER)}&code_challenge_method=S256"
    client = f"client_id=todo-cli&redirect_uri={callback.uri}"
    return f"{server.issuer}/authorize?response_type=code&state=s&{client}&{challenge}"


def test_it_follows_a_login_to_the_callback(
    server: AuthorizationServer, callback: Callback
) -> None:
    """It returns at once, then follows redirects to the callback, and says what it saw."""
    browser = FakeBrowser()

    assert browser(address(server, callback)) is True
    assert browser.wait(60)
    assert callback.result()["state"] == ["s"]
    assert browser.visited[0] == address(server, callback)
    assert browser.visited[1].startswith(callback.uri)
    assert browser.pages == ["<form><button>not to be pressed</button></form>"]
    assert browser.errors == []


@pytest.mark.parametrize("deny, expected", [(False, "code"), (True, "error")])
def test_it_presses_the_button(
    server: AuthorizationServer, callback: Callback, *, deny: bool, expected: str
) -> None:
    """On a consent page it says yes, or with deny no."""
    server.auto_approve = False

    FakeBrowser(deny=deny).visit(address(server, callback))

    assert expected in callback.result()


def test_it_can_choose_on_the_page(server: AuthorizationServer, callback: Callback) -> None:
    """Named fields fill what a page has of them."""
    server.auto_approve = False

    FakeBrowser(fields={"user": "bob", "unknown": "x"}).visit(address(server, callback))

    assert server.posts("authorize")[0].form["user"] == "bob"
    assert "unknown" not in server.posts("authorize")[0].form


def test_it_can_come_by_before(server: AuthorizationServer, callback: Callback) -> None:
    """`before` paths are asked of the callback server first, and do no harm to the visit."""
    before = ["/favicon.ico", "/callback?code=x&state=wrong"]

    FakeBrowser(before=before).visit(address(server, callback))

    assert callback.paths[:2] == before
    assert "code" in callback.result()


def test_it_can_do_nothing(server: AuthorizationServer, callback: Callback) -> None:
    """With never it opens and nobody comes; with opens=False it says that it cannot."""
    idle, broken = FakeBrowser(never=True), FakeBrowser(opens=False)

    assert (idle("http://127.0.0.1/"), broken("http://127.0.0.1/")) == (True, False)
    assert (idle.visited, broken.visited) == (["http://127.0.0.1/"], [])
    assert callback.paths == []


def test_what_goes_wrong_is_kept(server: AuthorizationServer) -> None:
    """Errors end the visit and nothing else."""
    browser = FakeBrowser()
    url = server.issuer
    with server.offline():
        browser(url)
        assert browser.wait(60)
    browser("file:///etc/hostname")
    assert browser.wait(60)

    assert len(browser.errors) == 2
    assert browser.pages == []


def test_a_late_visitor_can_be_waited_for(server: AuthorizationServer) -> None:
    """A delay puts the visit off; wait says whether it has ended."""
    may_go = threading.Event()
    server.faults.hooks["unknown"] = lambda request: None if may_go.wait(60) else Answer(500)
    browser, started = FakeBrowser(delay=0.2), time.monotonic()
    browser(f"{server.issuer}/nowhere")

    assert browser.wait(0.01) is False
    may_go.set()
    assert browser.wait(60) is True
    assert time.monotonic() - started >= 0.2


def test_a_route_leads_elsewhere(server: AuthorizationServer) -> None:
    """A route sends each address to another one."""
    browser = FakeBrowser(route=lambda url: url.replace("https://id.todo.example", server.issuer))

    browser.visit("https://id.todo.example/device?user_code=X")

    assert browser.visited[0] == "https://id.todo.example/device?user_code=X"
    assert "No such code" in browser.pages[-1]


def test_deny_needs_a_button(server: AuthorizationServer) -> None:
    """A page on which nobody can say no is an error."""
    from click_auth.testing.browser import Form

    form = Form('<form action="/x"><input name="a" value="1"><input type="submit"></form>')

    assert form.press(deny=False) == {}
    assert form.fields == {"a": "1"}
    with pytest.raises(ValueError, match="no button"):
        form.press(deny=True)


def test_it_is_a_program_for_browser_too(server: AuthorizationServer, callback: Callback) -> None:
    """The command for $BROWSER visits the address and ends with 0, or with 1 and the reason."""
    server.auto_approve = False

    def run(url: str) -> subprocess.CompletedProcess[str]:
        command = [word.replace("%s", url) for word in shlex.split(FakeBrowser.command("--deny"))]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)

    assert run(address(server, callback)).returncode == 0
    assert callback.result()["error"] == ["access_denied"]
    failed = run("file:///etc/hostname")
    assert (failed.returncode, "unknown url type" in failed.stderr) == (1, True)
