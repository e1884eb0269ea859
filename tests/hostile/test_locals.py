"""No frame through which an error leaves holds a secret as text (SX-02): rich prints them all."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from rich.console import Console
from rich.traceback import Traceback

import click_auth
from click_auth import (
    ApiKeyProvider,
    Auth,
    MemoryTokenStore,
    NotLoggedIn,
    OAuthProvider,
    StorageUnavailable,
    TokenBundle,
    refresh_access_token,
)
from click_auth.commands.login import _token_from_stdin
from click_auth.errors import AuthError
from click_auth.oauth import endpoint as client_auth
from click_auth.testing import FakeBrowser, logged_in
from hostile.canaries import Canaries, echo
from hostile.world import World

OURS = str(Path(click_auth.__file__).parent)
CLIENT_SECRET = "todo-ci-secret"
MISTYPED = "canary-mistyped\ttoken"


def printed(error: BaseException) -> str:
    """Return what rich prints of *error*, every variable of every frame of ours whole."""
    out = io.StringIO()
    shown = Traceback.from_exception(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_length=1000,
        locals_max_string=10_000,
    )
    Console(file=out, width=10_000).print(shown)
    frames = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(OURS):
            frames.append(repr(trace.tb_frame.f_locals))
        trace = trace.tb_next
    assert frames, "no frame of ours"
    return out.getvalue() + "".join(frames)


def raised(ask: Callable[[], object]) -> str:
    """Return what is printed of the error that *ask* ends with."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        ask()
    return printed(caught.value)


def away(world: World) -> None:
    """Cut every connection to the token endpoint."""
    world.server.faults.drop_request["token"] = 9


def ill(world: World) -> None:
    """Let the token endpoint be down."""
    world.server.faults.status["token"] = (503, "maintenance")


def dead(world: World) -> None:
    """End every grant."""
    world.server.revoke_all()


def quoting(world: World) -> None:
    """Let the token endpoint quote what it is asked."""
    world.server.faults.hooks["token"] = echo


FAILURES = [away, ill, dead, quoting]


def confidential(world: World, storage: str = "plaintext", **facts: Any) -> Auth:
    """Return an application with a secret, of which the record file holds its tokens."""
    provider = OAuthProvider(
        client_id="todo-ci",
        client_secret=CLIENT_SECRET,
        token_endpoint_auth_method="client_secret_post",
        authorization_endpoint=world.server.url + "/authorize",
        token_endpoint=world.server.url + "/token",
        revocation_endpoint=world.server.url + "/revoke",
        api_url=world.server.api_url,
        http_timeout=10.0,
        **facts,
    )
    return Auth("todo", provider, storage=storage, folder=world.config)


def ask_api(auth: Auth) -> None:
    """Send a request with the credential."""
    with auth.client() as api:
        api.get("/me")


def ask_with_bearer(auth: Auth) -> None:
    """Do it with a client of one's own."""
    with httpx.Client(auth=auth.bearer(), trust_env=False) as api:
        api.get(f"{auth.context.provider(None).api_url}/me")


def reject(auth: Auth) -> None:
    """Say that the token was refused."""
    auth.access_token(rejected=read(auth))


def reject_in_function(auth: Auth) -> None:
    """Do it through the function."""
    refresh_access_token(auth, rejected=read(auth))


def read(auth: Auth) -> str:
    """Return the token that is stored."""
    record = auth.context.store.record_of("ada")
    assert record is not None
    return auth.context.store.access_token(record) or ""


# What asks for another token, and for how long the one that is stored is good.
RENEWALS: list[tuple[Callable[[Auth], object], float]] = [
    (ask_api, -60.0),
    (ask_api, 3600.0),  # the API refuses it
    (ask_with_bearer, -60.0),
    (ask_with_bearer, 3600.0),
    (Auth.access_token, -60.0),
    (reject, 3600.0),
    (reject_in_function, 3600.0),
    (Auth.refresh, 3600.0),
]


def assert_nothing_seen(world: World, text: str, *more: str) -> None:
    """Fail where a secret of the server's, the client's or of *more* is in *text*."""
    secrets = {
        **Canaries(world).secrets(),
        CLIENT_SECRET: "client secret",
        **dict.fromkeys(more, "given"),
    }
    assert not [name for secret, name in secrets.items() if secret in text]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("ask, expires_in", RENEWALS)
def test_s2_a_renewal_that_fails(
    world: World,
    failure: Callable[[World], None],
    ask: Callable[[Auth], object],
    expires_in: float,
) -> None:
    """Ahead of expiry, after a 401, by command: neither token, nor the client's secret."""
    auth = confidential(world)
    logged_in(auth, server=world.server, expires_in=expires_in)
    failure(world)
    world.server.expire_access_tokens()
    assert_nothing_seen(world, raised(lambda: ask(auth)))


class Tired(OAuthProvider):
    """A service that renews nothing any more, in words of its own."""

    def refresh(self, bundle: TokenBundle) -> TokenBundle:
        del bundle
        raise NotLoggedIn("Come back with a new login.", code="AUTH_REFRESH_UNAVAILABLE")


def test_s2_a_provider_that_does_not_renew(world: World) -> None:
    """The token that was looked at once more is in no frame either."""
    provider = Tired(client_id="todo-cli", issuer=world.server.issuer)
    auth = Auth("todo", provider, storage="plaintext", folder=world.config)
    logged_in(auth, server=world.server, expires_in=-60.0)
    text = raised(auth.access_token)
    assert "Come back" in text
    assert_nothing_seen(world, text)


def test_s2_a_pipe_that_holds_no_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was piped in is not told, be it most of a secret."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{MISTYPED}\nand more\n"))
    text = raised(_token_from_stdin)
    assert "Standard input must contain exactly one line" in text
    assert MISTYPED not in text


@pytest.mark.parametrize("failure", [away, ill, quoting])
def test_s2_a_client_of_ci_that_fails(world: World, failure: Callable[[World], None]) -> None:
    """Its secret is text in the environment, and nowhere else."""
    auth = confidential(world)
    environ = {"TODO_CLIENT_ID": "todo-ci", "TODO_CLIENT_SECRET": CLIENT_SECRET}
    failure(world)
    with auth.override(environ=environ):
        assert_nothing_seen(world, raised(auth.access_token))
        assert_nothing_seen(world, raised(lambda: ask_api(auth)))


def test_s2_a_setting_that_cannot_be_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends a call right where the request is ready to be sent."""
    provider = OAuthProvider(
        client_id="todo-ci",
        client_secret=CLIENT_SECRET,
        authorization_endpoint="https://id.todo.invalid/authorize",
        token_endpoint="https://id.todo.invalid/token",
        revocation_endpoint="https://id.todo.invalid/revoke",
        api_url="https://api.todo.invalid",
    )
    auth = Auth("todo", provider, storage="plaintext", folder=world.config)
    tokens = logged_in(auth).bundle
    secrets = [tokens.access_token, tokens.refresh_token or ""]
    environ = {"TODO_CLIENT_ID": "todo-ci", "TODO_CLIENT_SECRET": CLIENT_SECRET}
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9/")
    for ask in (Auth.refresh, reject):
        assert_nothing_seen(world, raised(partial(ask, auth)), *secrets)
    assert_nothing_seen(world, raised(partial(provider.revoke, tokens)), *secrets)
    with auth.override(environ=environ):
        assert_nothing_seen(world, raised(auth.access_token))


@contextlib.contextmanager
def logging_in(world: World, **facts: Any) -> Iterator[Callable[[], object]]:
    """Give a block a login through a browser that agrees."""
    with confidential(world, **facts).override(environ={}, browser=FakeBrowser()) as auth:
        yield lambda: auth.login(timeout=30)


@pytest.mark.parametrize("failure", [away, ill, quoting])
def test_s2_an_exchange_that_fails(world: World, failure: Callable[[World], None]) -> None:
    """Neither code nor verifier, state nor nonce."""
    failure(world)
    with logging_in(world, scopes=("openid",)) as login:
        assert_nothing_seen(world, raised(login))


def test_s2_a_login_that_is_refused_afterwards(world: World) -> None:
    """By the application, which has the tokens in its hand, or by a service that knows nobody."""
    world.server.faults.status["userinfo"] = (401, "{}")
    facts = {"userinfo_endpoint": world.server.url + "/userinfo"}
    with logging_in(world, **facts) as login:
        assert_nothing_seen(world, raised(login))
    world.server.faults.clear()

    def refuse(_context: object) -> None:
        raise AuthError("Not you.")

    with confidential(world).override(environ={}, browser=FakeBrowser()) as auth:
        text = raised(lambda: auth.login(timeout=30, on_login=refuse))
        assert_nothing_seen(world, text)


def test_s2_a_device_login_that_fails(world: World) -> None:
    """Nor the device's code."""
    world.server.faults.device_errors += ["access_denied"]
    facts = {"device_authorization_endpoint": world.server.url + "/device_authorization"}
    with confidential(world, **facts).override(environ={}) as auth:
        assert_nothing_seen(world, raised(lambda: auth.login(device=True, timeout=30)))


def test_s2_a_pushed_request_that_fails(world: World) -> None:
    """What was pushed is in no frame either."""
    metadata = {"require_pushed_authorization_requests": True}
    facts = {"client_metadata": metadata, "scopes": ("openid",)}
    with logging_in(world, **facts) as login:
        assert_nothing_seen(world, raised(login))


def test_s2_a_token_that_is_none() -> None:
    """What a person mistypes may be most of a secret."""
    provider = ApiKeyProvider(api_url="https://api.example")
    auth = Auth("todo", provider, store=MemoryTokenStore())
    assert MISTYPED not in raised(lambda: auth.login(token=MISTYPED))
    with auth.override(environ={"TODO_TOKEN": MISTYPED}):
        assert MISTYPED not in raised(auth.client)
        assert MISTYPED not in raised(auth.access_token)


def test_s2_an_api_that_refuses(world: World) -> None:
    """A 401 that stands, an error status, no answer."""
    auth = confidential(world)
    logged_in(auth, server=world.server)

    def fail(path: str) -> Callable[[], object]:
        def ask() -> None:
            with auth.client() as api:
                api.get(path).raise_for_status()

        return ask

    assert_nothing_seen(world, raised(fail("/nothing")))
    assert_nothing_seen(world, raised(fail("http://127.0.0.1:9/")))
    world.server.faults.status["api"] = (401, "{}")
    assert_nothing_seen(world, raised(fail("/me")))
    with auth.override(environ={"TODO_TOKEN": "canary-of-the-variable"}):
        assert_nothing_seen(world, raised(fail("/me")), "canary-of-the-variable")


class Keyring(KeyringBackend):
    """One in which writing can stop working."""

    priority = 10  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.lies = self.refuses = False

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.refuses:
            raise KeyringLocked("locked")
        self.kept[service, username] = password[: 3 if self.lies else None]

    def delete_password(self, service: str, username: str) -> None:
        self.kept.pop((service, username), None)


@pytest.mark.parametrize("trouble", ["refuses", "lies"])
def test_s2_a_keyring_that_does_not_write(world: World, trouble: str) -> None:
    """Neither what was to be written nor what is there."""
    before, backend = keyring.get_keyring(), Keyring()
    keyring.set_keyring(backend)
    try:
        auth = confidential(world, storage="system")
        logged_in(auth, server=world.server)
        setattr(backend, trouble, True)
        assert_nothing_seen(world, raised(auth.refresh))
        assert_nothing_seen(world, raised(lambda: logged_in(auth, "bob", server=world.server)))
    finally:
        keyring.set_keyring(before)


@pytest.mark.skipif(os.name == "nt", reason="a limit of POSIX's")
def test_s2_a_file_that_cannot_be_written(world: World) -> None:
    """The record file of the policy `plaintext` is full of tokens."""
    import resource

    auth = confidential(world)
    logged_in(auth, server=world.server)
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(StorageUnavailable) as caught:
            logged_in(auth, "bob", server=world.server)
        with pytest.raises(StorageUnavailable) as refreshed:
            auth.refresh()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert_nothing_seen(world, printed(caught.value) + printed(refreshed.value))


def test_s2_the_walk_sees_what_is_there() -> None:
    """A function of ours that is left with a secret in its hands would be found."""
    with pytest.raises(TypeError) as caught:
        client_auth.Client("todo", "secret").authenticated(Careless())  # type: ignore[arg-type]
    assert "canary-of-a-frame" in printed(caught.value)


class Careless:
    """Shows what it holds."""

    def __repr__(self) -> str:
        return "canary-of-a-frame"
