from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from click_auth import LoginFailed, LoginRequest, OAuthProvider, TokenBundle
from click_auth.http.client import Http
from click_auth.oauth.device import DeviceCode
from click_auth.oauth.endpoint import EndpointFailed
from click_auth.providers import ProviderContext
from click_auth.testing import AuthorizationServer
from providers.person import Person
from providers.wire import (
    Reply,
    Scripted,
    device_login,
    hang,
    provider,
    reply,
    reset,
    say,
    server_of,
)

CODE = {
    "device_code": "canary-device-code",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://id.todo.example/device",
    "verification_uri_complete": "https://id.todo.example/device?user_code=ABCD-EFGH",
    "expires_in": 600,
    "interval": 5,
}
GOOD = say({"access_token": "x", "token_type": "Bearer"})
HERE = "https://id.todo.example/device_authorization"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        """Return what time it is."""
        return self.now


def by_device(server: Scripted, module: str, **facts: Any) -> OAuthProvider:
    """Return a provider with a device endpoint."""
    url = f"{server.url}/device"
    return provider(server, module, device_authorization_endpoint=url, **facts)


def log_in(
    server: Scripted,
    module: str,
    *polls: Reply,
    person: Person | None = None,
    timeout: float = 3600,
    **code: Any,
) -> tuple[TokenBundle, Clock]:
    """Log in by device; *code* is laid over the server's first answer, *polls* are the others."""
    clock = Clock()
    server.on["/device"] = say({**CODE, **code})
    server.replies = list(polls)
    bundle = device_login(
        server_of(by_device(server, module, scopes=("a", "b"))),
        LoginRequest(device=True, timeout=timeout),
        person or Person(browser=False),
        sleep=clock.sleep,
        monotonic=clock.monotonic,
    )
    return bundle, clock


def say_error(error: str, status: int = 400) -> bytes:
    """Return an OAuth error."""
    return say({"error": error}, status)


PENDING = say_error("authorization_pending")


def test_the_shape_of_the_requests(server: Scripted, module: str) -> None:
    """RFC 8628 sections 3.1 and 3.4; nothing secret in a URL (DF-09)."""
    bundle, clock = log_in(server, module, PENDING, GOOD)
    begin, *polls = server.seen
    assert begin.form == {"client_id": "todo-cli", "scope": "a b"}
    assert [poll.form for poll in polls] == 2 * [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": "canary-device-code",
            "client_id": "todo-cli",
        }
    ]
    assert (bundle.access_token, bundle.scopes) == ("x", ("a", "b"))
    assert clock.slept == [5, 5]


def test_what_the_application_adds_goes_along(server: Scripted, module: str) -> None:
    """Its parameters (Auth0's audience), and the resource (RFC 8707)."""
    server.on = {"/device": say({**CODE, "interval": 1}), "/token": GOOD}
    made = by_device(
        server, module, authorize_params={"audience": "x"}, resource="https://api.todo.example"
    )
    made.login(LoginRequest(device=True), Person(browser=False))
    assert server.seen[0].form == {
        "audience": "x",
        "client_id": "todo-cli",
        "resource": "https://api.todo.example",
    }


@pytest.mark.parametrize("name", ["verification_uri", "verification_uri_complete"])
@pytest.mark.parametrize(
    "uri",
    [
        *("javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "vscode://x", "--flag"),
        *("http://evil.example/device", "https://user@id.example/", "https://id.example/\x1b[31m"),
        *(
            "https://id.example/ x",
            "",
            5,
            ["https://id.example"],
            "//id.example",
            "https://id.exämple",
        ),
    ],
)
def test_df_01_a_page_that_must_not_be_opened(
    server: Scripted, module: str, name: str, uri: Any
) -> None:
    """The login is refused, nothing is opened, and nothing of it is printed."""
    person = Person()
    with pytest.raises(LoginFailed) as failed:
        log_in(server, module, GOOD, person=person, **{name: uri})
    assert failed.value.code == "AUTH_OAUTH_FAILED"
    assert (person.opened, person.events) == ([], [])
    assert uri == "" or str(uri) not in failed.value.format_message()


def test_df_02_12_the_code_is_shown_before_a_page_opens(server: Scripted, module: str) -> None:
    """With the plain address, and a word to those who did not start this."""

    class Watched(Person):
        def open_page(self, url: str) -> bool:
            """Look at what was said before."""
            _, text, fields = self.events[0]
            assert "ABCD-EFGH" in text
            assert "https://id.todo.example/device " in text
            assert "Only continue if you started this" in text
            assert fields["verification_uri_complete"] == url
            return super().open_page(url)

    person = Watched()
    log_in(server, module, GOOD, person=person)
    assert person.opened == [CODE["verification_uri_complete"]]


def test_df_02_a_code_is_shown_inertly(server: Scripted, module: str) -> None:
    """A terminal obeys nothing in it."""
    person = Person(browser=False)
    log_in(server, module, GOOD, person=person, user_code="AB\x1b[31m\nCD")
    assert "AB [31m CD" in person.events[0][1]


def test_a_terminal_shows_a_picture_of_the_address(
    server: Scripted, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the extra is there and the address is not too long for it, after the code."""
    seen = []
    for complete in (CODE["verification_uri_complete"], "https://id.todo.example/" + "x" * 3000):
        person = Person(browser=False)
        log_in(server, module, GOOD, person=person, verification_uri_complete=complete)
        seen.append([name for name, _, _ in person.events])
    monkeypatch.setitem(sys.modules, "segno", None)
    person = Person(browser=False)
    log_in(server, module, GOOD, person=person)
    seen.append([name for name, _, _ in person.events])
    assert seen == [["device_code", "qr_code"], ["device_code"], ["device_code"]]


@pytest.mark.parametrize("size, shown", [((24, 80), True), ((20, 80), False), ((24, 20), False)])
def test_d17_a_picture_never_pushes_the_code_away(
    server: Scripted,
    module: str,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    shown: bool,
) -> None:
    """It is left out where the terminal cannot show both at once."""
    for name, number in zip(("LINES", "COLUMNS"), size, strict=True):
        monkeypatch.setenv(name, str(number))
    for person in (Person(browser=False), Person()):
        log_in(server, module, GOOD, person=person)
        is_shown = "qr_code" in [name for name, _, _ in person.events]
        assert is_shown is (shown and not person.has_browser)  # the page's lines come after it


@pytest.mark.parametrize("request_browser, person_browser", [(False, True), (True, False)])
def test_without_a_browser_nothing_is_opened(
    server: Scripted,
    module: str,
    request_browser: bool,
    person_browser: bool,
) -> None:
    """Neither against the person's wish nor in vain."""
    person = Person(browser=person_browser)
    server.on["/device"] = say(CODE)
    server.replies = [GOOD]
    clock = Clock()
    device_login(
        server_of(by_device(server, module)),
        LoginRequest(device=True, browser=request_browser),
        person,
        sleep=clock.sleep,
        monotonic=clock.monotonic,
    )
    assert person.opened == []


@pytest.mark.parametrize(
    "interval, slept",
    [(0, 1), (0.2, 1), (-1, 5), ("7", 7), ("x", 5), (None, 5), (True, 5), ([], 5), (9, 9)],
)
def test_df_03_the_interval(server: Scripted, module: str, interval: object, slept: float) -> None:
    """At least a second, five where the server does not say it well."""
    assert log_in(server, module, GOOD, interval=interval)[1].slept == [slept]


def test_df_03_no_interval(server: Scripted, module: str) -> None:
    """RFC 8628 section 3.2: five seconds."""
    assert DeviceCode.of({**CODE, "interval": None}, HERE).interval == 5
    with pytest.raises(LoginFailed, match="wasn't entered in time"):
        log_in(server, module, GOOD, interval=1e9)


@pytest.mark.parametrize(
    "error, code, message",
    [
        ("access_denied", "AUTH_OAUTH_FAILED", "You declined"),
        ("expired_token", "AUTH_CALLBACK_TIMEOUT", "wasn't entered in time"),
        ("invalid_grant", "AUTH_TOKEN_EXCHANGE_FAILED", "invalid_grant"),
        ("no_such_error", "AUTH_TOKEN_EXCHANGE_FAILED", "no_such_error"),
    ],
)
def test_df_05_errors_that_end_the_login(
    server: Scripted, module: str, error: str, code: str, message: str
) -> None:
    """At once."""
    with pytest.raises(LoginFailed, match=message) as failed:
        log_in(server, module, PENDING, say_error(error), GOOD)
    assert failed.value.code == code
    assert len(server.seen) == 3


def test_df_05_slow_down_is_for_good(server: Scripted, module: str) -> None:
    """Five seconds more, for this poll and all that follow (RFC 8628 section 3.5)."""
    slow = say_error("slow_down")
    assert log_in(server, module, slow, PENDING, slow, GOOD)[1].slept == [5, 10, 10, 15]


def test_df_05_a10_slow_down_says_how_slow(server: Scripted, module: str) -> None:
    """GitHub sends the new interval along: never faster than told, for all polls that follow."""
    slow = say({"error": "slow_down", "interval": 9})
    less = say({"error": "slow_down", "interval": "2"})
    odd = say({"error": "slow_down", "interval": [7]})
    _, clock = log_in(server, module, slow, PENDING, less, odd, GOOD, interval=1)
    assert clock.slept == [1, 9, 9, 14, 19]


@pytest.mark.parametrize(
    "granted, reason",
    [
        ({"token_type": "mac"}, "not of type Bearer"),
        ({"access_token": "a\nb"}, "no usable access token"),
        ({"access_token": None}, "no usable access token"),
        ({"scope": 5}, "invalid scopes"),
        ({"error": {"code": "x"}}, "an error and status 20"),
    ],
)
@pytest.mark.parametrize("status", [200, 201])
def test_df_05_a9_b8_tokens_that_cannot_be_used_end_the_login(
    server: Scripted, module: str, granted: dict[str, Any], reason: str, status: int
) -> None:
    """With their own reason: the code is used up, and the next poll would tell another story."""
    answer = {"access_token": "x", "token_type": "Bearer", **granted}
    with pytest.raises(LoginFailed, match=reason) as failed:
        log_in(server, module, PENDING, say(answer, status), say_error("invalid_grant"))
    assert failed.value.code == "AUTH_TOKEN_EXCHANGE_FAILED"
    assert len(server.seen) == 3


def test_df_05_a9_an_object_that_cannot_be_read_ends_it_too(server: Scripted, module: str) -> None:
    """It says things twice, but it has granted."""
    twice = reply('{"access_token": "x", "token_type": "Bearer", "token_type": "Bearer"}')
    with pytest.raises(LoginFailed, match="with duplicate keys"):
        log_in(server, module, twice, say_error("invalid_grant"))


@pytest.mark.parametrize("often, speaks_of_clock", [(1, False), (2, True)])
def test_df_11_a_server_that_is_asked_too_often_is_no_riddle(
    server: Scripted, module: str, often: int, speaks_of_clock: bool
) -> None:
    """Who waits as long as they are told to, and is still too fast, has a fast clock."""
    answers = [say_error("slow_down")] * often + [say_error("expired_token")]
    with pytest.raises(LoginFailed, match="wasn't entered in time") as failed:
        log_in(server, module, *answers)
    assert ("clock" in " ".join(failed.value.hints)) is speaks_of_clock


@pytest.mark.parametrize("status", [200, 400, 403, 428])
def test_df_05_the_code_decides_not_the_status(server: Scripted, module: str, status: int) -> None:
    """GitHub says it with 200, Google with 428."""
    pending = say_error("authorization_pending", status)
    assert log_in(server, module, pending, GOOD)[0].access_token == "x"


def test_df_06_pending_for_ever(server: Scripted, module: str) -> None:
    """It ends when the code does, with one message."""
    with pytest.raises(LoginFailed, match="wasn't entered in time") as failed:
        log_in(server, module, PENDING, expires_in=60)
    assert failed.value.code == "AUTH_CALLBACK_TIMEOUT"
    assert len(server.seen) == 1 + 11


def test_df_06_no_longer_than_the_person_would_wait(server: Scripted, module: str) -> None:
    """`--timeout` holds here too."""
    with pytest.raises(LoginFailed, match="wasn't entered in time"):
        log_in(server, module, PENDING, timeout=21)
    assert len(server.seen) == 1 + 4


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(reset, id="reset"),
        pytest.param(reply("<html>", 502), id="502"),
        pytest.param(reply("slow down", 429), id="429"),
        pytest.param(say({}, 400), id="no error"),
        pytest.param(reply("", 200), id="empty"),
        pytest.param(say_error("temporarily_unavailable", 503), id="503"),
    ],
)
def test_df_07_trouble_passes(server: Scripted, module: str, trouble: Reply) -> None:
    """The person is still on the page: polling goes on, a little slower each time."""
    bundle, clock = log_in(server, module, trouble, trouble, PENDING, trouble, GOOD)
    assert bundle.access_token == "x"
    assert clock.slept == [5, 10, 10, 5, 10]


def test_df_07_the_server_may_ask_for_more_time(server: Scripted, module: str) -> None:
    """`Retry-After` is honoured."""
    busy = reply("", 503, Retry_After="40")
    assert log_in(server, module, busy, GOOD)[1].slept == [5, 40]


@pytest.mark.parametrize(
    "field, values",
    [
        ("device_code", [None, "", 5, "a\nb"]),
        ("user_code", [None, "", 5, "\x1b"]),
        ("verification_uri", [None, 5]),
        ("expires_in", [None, 0, -1, "soon", True]),
    ],
)
def test_df_08_fields_that_must_be_there(field: str, values: list[object]) -> None:
    """And of the right kind."""
    without = {name: value for name, value in CODE.items() if name != field}
    for document in (without, *({**CODE, field: value} for value in values)):
        with pytest.raises(EndpointFailed) as failed:
            DeviceCode.of(document, HERE)
        assert "canary" not in failed.value.reason


def test_df_08_google_calls_it_a_url() -> None:
    """`verification_url` is an alias."""
    document = {name: value for name, value in CODE.items() if not name.startswith("verif")}
    code = DeviceCode.of({**document, "verification_url": "https://www.google.com/device"}, HERE)
    assert (code.uri, code.complete_uri) == ("https://www.google.com/device", None)


@pytest.mark.parametrize("nothing", [None, ""])
def test_df_08_an_empty_address_is_absent(nothing: str | None) -> None:
    """Then the alias counts."""
    code = DeviceCode.of(
        {**CODE, "verification_uri": nothing, "verification_url": "https://x.example/d"}, HERE
    )
    assert code.uri == "https://x.example/d"


def test_df_09_the_device_code_is_never_shown(server: Scripted, module: str) -> None:
    """Not even where the server quotes it."""
    person = Person()
    said = say({"error": "no", "error_description": "bad canary-device-code"}, 400)
    with pytest.raises(LoginFailed) as failed:
        log_in(server, module, said, person=person)
    assert "canary" not in failed.value.format_message()
    assert "canary" not in repr((person.events, person.opened, DeviceCode.of(CODE, HERE)))


def test_df_10_an_interrupt_ends_a_sleep(server: Scripted, module: str) -> None:
    """Nothing swallows it."""

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    server.on["/device"] = say(CODE)
    with pytest.raises(KeyboardInterrupt):
        device_login(
            server_of(by_device(server, module)),
            LoginRequest(device=True),
            Person(),
            sleep=interrupted,
        )


@pytest.mark.parametrize("answer", [reply("<html>"), reply("", 500), reset, say({"error": "x"})])
def test_a_server_that_gives_no_code(server: Scripted, module: str, answer: Reply) -> None:
    """The login fails before anybody is told anything."""
    server.replies = [answer]
    person = Person()
    with pytest.raises(LoginFailed):
        by_device(server, module).login(LoginRequest(device=True), person)
    assert person.events == []


def test_a_client_that_the_server_forgot_is_registered_at_once(
    server: Scripted, module: str
) -> None:
    """Nobody has done anything yet, so it is tried once more."""
    server.on = {
        "/register": say({"client_id": "new"}, 201),
        "/token": GOOD,
    }
    server.replies = [say_error("invalid_client", 401), say({**CODE, "interval": 1})]
    made = by_device(server, module, client_id=None, registration_endpoint=f"{server.url}/register")
    assert made.login(LoginRequest(device=True), Person(browser=False)).access_token == "x"
    assert server.paths() == ["/register", "/device", "/register", "/device", "/token"]


def test_d18_a_server_without_the_device_grant(server: Scripted, module: str) -> None:
    """What helps is another way to log in; to start again is not."""
    with pytest.raises(LoginFailed, match="doesn't support logging in with a code") as failed:
        provider(server, module).login(LoginRequest(device=True), Person())
    assert "without --device" in failed.value.format_message()
    assert "again" not in failed.value.format_message()
    assert server.seen == []


@pytest.mark.parametrize("discovered", [False, True])
def test_m3_a_server_that_has_the_device_grant_only(
    server: Scripted, module: str, discovered: bool
) -> None:
    """It is used by itself, a browser at hand or not; none of its options is about redirects."""
    endpoints = {
        "token_endpoint": f"{server.url}/token",
        "device_authorization_endpoint": f"{server.url}/device",
    }
    server.on = {"/device": say({**CODE, "interval": 1}), "/token": GOOD}
    where = "/.well-known/oauth-authorization-server"
    server.on[where] = say({"issuer": server.url, **endpoints})
    facts: dict[str, Any] = {"issuer": server.url} if discovered else endpoints
    made = OAuthProvider(client_id="todo-cli", **facts).with_context(ProviderContext(Http(module)))
    assert ("--callback-port" in made.options) is discovered
    assert "--device" in made.options
    person = Person()
    assert made.login(LoginRequest(), person).access_token == "x"
    assert person.opened == [CODE["verification_uri_complete"]]


def test_m3_te_32_whoever_is_alone_needs_no_authorization_endpoint(
    server: Scripted, module: str
) -> None:
    """A device login does not mind one that is no good."""
    device_endpoint = f"{server.url}/device"
    document = {"issuer": server.url, "token_endpoint": f"{server.url}/token"}
    document |= {"authorization_endpoint": "/", "device_authorization_endpoint": device_endpoint}
    server.on = {"/device": say({**CODE, "interval": 1}), "/token": GOOD}
    server.on["/.well-known/oauth-authorization-server"] = say(document)
    made = provider(server, module, issuer=server.url)
    alone = Person(browser=False, terminal=False)
    assert made.login(LoginRequest(), alone).access_token == "x"
    with pytest.raises(LoginFailed, match="authorization_endpoint"):
        made.login(LoginRequest(), Person())


@pytest.mark.parametrize("name", ["verification_uri", "verification_uri_complete"])
def test_s10_a_page_on_this_machine_is_for_a_server_that_is(name: str) -> None:
    """The person's own services are no business of a server elsewhere."""
    here = {**CODE, name: "http://127.0.0.1:2375/device"}
    assert DeviceCode.of(here, "http://127.0.0.1:8080/device_authorization")
    with pytest.raises(EndpointFailed, match="is on this machine"):
        DeviceCode.of(here, HERE)


Decide = Callable[[AuthorizationServer], bool]


@pytest.mark.parametrize("how", ["asked for", "by itself"])
def test_a_whole_login_by_device(module: str, how: str) -> None:
    """With `--device`, and where there is neither a browser nor a terminal (DF-13)."""
    with AuthorizationServer(device_interval=0.1, auto_approve=False) as server:

        class Elsewhere(Person):
            def event(self, name: str, text: str, **fields: Any) -> None:
                """Approve on another device."""
                super().event(name, text, **fields)
                assert server.approve_device(fields["user_code"])

        made = provider(Scripted(), module, issuer=server.issuer, scopes=("tasks:read",))
        alone = Elsewhere(browser=False, terminal=False)
        bundle = made.login(LoginRequest(device=how == "asked for" or None), alone)
        assert bundle.scopes == ("tasks:read",)
        assert alone.opened == []


def test_df_06_a_server_that_stops_answering(server: Scripted, module: str) -> None:
    """Each poll is bounded, so the whole is."""
    server.on["/device"] = say({**CODE, "interval": 1, "expires_in": 6})
    server.replies = [hang]
    made = by_device(server, module, http_timeout=4)
    with pytest.raises(LoginFailed, match="wasn't entered in time"):
        made.login(LoginRequest(device=True), Person(browser=False))
    assert len(server.seen) <= 2


def test_df_06_the_last_poll_does_not_outlive_the_code_by_a_whole_call(server: Scripted) -> None:
    """A server that hangs at the end costs a few seconds, not its `http_timeout`."""
    server.on["/device"] = say({**CODE, "interval": 1, "expires_in": 2})
    server.replies = [hang]
    made = by_device(server, "httpx", http_timeout=60)
    began = time.monotonic()
    with pytest.raises(LoginFailed, match="wasn't entered in time"):
        made.login(LoginRequest(device=True), Person(browser=False))
    assert time.monotonic() - began < 20
