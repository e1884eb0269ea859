"""Proxies that cannot be used, refuse, are dead or say nothing: named, with their variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from click_auth import Auth, AuthError, OAuthProvider, Unreachable
from click_auth.testing import logged_in
from hostile.world import CLI, World, ended
from login.terminal import Terminal
from providers.wire import Scripted

VARIABLES = [f"{name}_proxy" for name in ("http", "https", "all", "no")]
# What is set, and what the one line says of it.
UNUSABLE = {
    "GNOME's": ({"ALL_PROXY": "socks://127.0.0.1:9/"}, "ALL_PROXY", "socks5://HOST:PORT"),
    "a SOCKS proxy": ({"all_proxy": "socks5://127.0.0.1:9"}, "all_proxy", "httpx[socks]"),
    "no port": ({"HTTPS_PROXY": "proxy.invalid:bad"}, "HTTPS_PROXY", "http://HOST:PORT"),
    "a range": (
        {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "localhost,fd00::/8"},
        "NO_PROXY",
        "single IP addresses",
    ),
}
PASSWORD = "canary-of-the-proxy"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without any."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def remote(folder: Path, **facts: Any) -> Auth:
    """Return an `Auth` of services that are nowhere; their addresses lead through a proxy."""
    provider = OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint="https://id.todo.invalid/authorize",
        token_endpoint="https://id.todo.invalid/token",
        revocation_endpoint="https://id.todo.invalid/revoke",
        api_url="https://api.todo.invalid",
        **facts,
    )
    return Auth("todo", provider, storage="plaintext", folder=folder)


@pytest.mark.parametrize("setting", UNUSABLE)
@pytest.mark.parametrize("command", ["auth login", "me"])
def test_te_33_a_proxy_that_no_client_can_be_made_of(
    world: World, setting: str, command: str
) -> None:
    """As a process: one line that names variable and remedy; nothing is opened, sent or spent."""
    environ, variable, remedy = UNUSABLE[setting]
    world.log_in(HOSTILE_STORAGE="plaintext")
    before, requests = world.record_bytes(), len(world.server.journal)
    done = world.run(*command.split(), HOSTILE_STORAGE="plaintext", **environ)
    assert (done.status, done.out) == (1, "")
    assert variable in done.err
    assert remedy in done.err
    assert "http://127.0.0.1" not in done.err  # no address to open
    assert (world.record_bytes(), len(world.server.journal)) == (before, requests)


@pytest.mark.parametrize("setting", UNUSABLE)
def test_te_33_nothing_is_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """A refresh is `AUTH_BAD_SETTING`, the record as it was; a token that is valid yet is used."""
    auth = remote(tmp_path)
    logged_in(auth)
    before = (tmp_path / "auth.json").read_bytes()
    for name, value in UNUSABLE[setting][0].items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AuthError, match=UNUSABLE[setting][1]) as caught:
        auth.refresh()
    assert (caught.value.code, caught.value.exit_code) == ("AUTH_BAD_SETTING", 1)
    assert (tmp_path / "auth.json").read_bytes() == before
    logged_in(auth, expires_in=30)
    assert auth.access_token(min_ttl=60)
    assert auth.status().state == "unreachable"


def test_te_33_a_logout_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is here is removed; that the server was not told is said, with the variable."""
    auth = remote(tmp_path)
    logged_in(auth)
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9/")
    result = auth.logout()
    assert (result.removed, result.revoked) == (("ada",), False)
    assert "ALL_PROXY" in capsys.readouterr().err
    assert not auth.accounts()


def test_b25_an_application_s_own_mistake_stays_its_own(tmp_path: Path) -> None:
    """What is wrong in its code is not laid on the environment."""
    auth = remote(tmp_path)
    logged_in(auth)
    with pytest.raises(TypeError):
        auth.client(no_such_option=True)
    with pytest.raises(ValueError, match="socks"):
        auth.client(proxy="socks://127.0.0.1:9/")


def test_d3_a_proxy_that_is_dead_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its variable, and not its password; whoever asks."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:{PASSWORD}@127.0.0.1:9")
    auth = remote(tmp_path)
    logged_in(auth)
    for ask in (auth.refresh, lambda: request(auth)):
        with pytest.raises(Unreachable) as caught:
            ask()
        said = caught.value.format_message()
        assert "the proxy http://127.0.0.1:9 of HTTPS_PROXY can't be reached" in said
        assert PASSWORD not in said
        assert caught.value.exit_code == 5


def request(auth: Auth) -> None:
    """Send one request to the API."""
    with auth.client() as api:
        api.get("/tasks")


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required"])
def test_d3_a_proxy_that_refuses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """With what it says."""
    auth = remote(tmp_path)
    logged_in(auth)
    with Scripted([f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()]) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        for ask in (auth.refresh, lambda: request(auth)):
            with pytest.raises(Unreachable) as caught:
                ask()
            said = caught.value.format_message()
            assert f"the proxy {proxy.url} of ALL_PROXY refused to connect to" in said
            assert status in said


def test_l16_a_login_without_a_network_is_no_failed_login(world: World) -> None:
    """As a process: exit 5, and the network is what to look at."""
    proxy = {"HTTPS_PROXY": "http://127.0.0.1:9"}
    done = world.run("auth", "login", HOSTILE_ISSUER="https://id.todo.invalid", **proxy)
    assert done.status == 5
    assert "of HTTPS_PROXY can't be reached" in done.err
    assert "Check the network" in done.err


def test_d19_a_silence_is_explained(world: World) -> None:
    """On a terminal, after some seconds, whom the command waits for; then it goes on."""
    world.server.faults.delay["discovery"] = 5.5
    with Terminal([*CLI, "auth", "login", "--no-browser"], world.environ) as terminal:
        terminal.read_until(f"Waiting for {world.server.issuer.partition('://')[2]}")
        terminal.read_until("/authorize?")


def test_d19_not_without_a_terminal(world: World) -> None:
    """Nobody is there to be told."""
    world.log_in()
    world.server.faults.delay["token"] = 5.0
    done = ended(world.start("auth", "refresh"))
    assert done.status == 0
    assert "Waiting" not in done.err
