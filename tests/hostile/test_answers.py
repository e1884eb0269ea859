"""Answers that come to a login: odd codes, and answers of other servers."""

from __future__ import annotations

import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from click_auth import Auth, AuthError, OAuthProvider
from click_auth.testing import Answer, AuthorizationServer, Client, FakeBrowser
from hostile.world import World, ended

GOOD = {"access_token": "token-of-the-test", "token_type": "Bearer", "expires_in": 3600}
CODES = {
    "slash": "xy/z",
    "plus": "a+b+c",
    "space": "a b",
    "percent": "100%25",
    "looks encoded": "%2F%2B%00",
    "equals and ampersand": "a=b&state=c;d#e?f",
    "unicode": "kód-ключ",
    "8 KiB": "c/+%" * 2048,
}


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_lb_23_any_code_arrives_as_it_was_given(world: World, code: str) -> None:
    """From the server's redirect through a browser and our listener to the token endpoint."""
    world.server.faults.callback["code"] = code
    world.server.faults.hooks["token"] = lambda _request: Answer.json(GOOD)
    world.server.faults.hooks["api"] = lambda _request: Answer.json({"id": "ada"})
    auth = world.auth()
    with auth.override(browser=FakeBrowser()):
        assert auth.login(timeout=30).account.id == "ada"
    (post,) = world.server.posts("token")
    assert post.form["code"] == code


@pytest.mark.parametrize("query", ["code=%ff%fe", "code=a%00b"])
def test_lb_23_what_is_no_text_is_refused(world: World, query: str) -> None:
    """As a process: 400 and no crash, whatever the state is; then the real answer is taken."""
    process = world.start("auth", "login", "--json", BROWSER="true", HOSTILE_STORAGE="plaintext")
    assert process.stderr is not None
    url = next(line for line in process.stderr if '"open_url"' in line).split('"')[7]
    asked = parse_qs(urlsplit(url).query)
    assert status_at(f"{asked['redirect_uri'][0]}?{query}&state={asked['state'][0]}") == 400
    assert not world.server.posts("token")
    FakeBrowser().visit(url)
    done = ended(process)
    assert done.status == 0, done.err
    assert "Traceback" not in done.err


def status_at(url: str) -> int:
    """Return with what status a browser is answered at an address."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@contextmanager
def waiting(auth: Auth, instance: str) -> Iterator[tuple[str, list[object]]]:
    """Log in on a thread; give the address to open, and what became of it after the block."""
    urls: queue.Queue[str] = queue.Queue()
    outcome: list[object] = []

    def log_in() -> None:
        try:
            outcome.append(auth.login(instance=instance, timeout=30))
        except AuthError as error:
            outcome.append(error)

    with auth.override(browser=lambda url: urls.put(url) or True):  # type: ignore[func-returns-value]
        thread = threading.Thread(target=log_in)
        thread.start()
        try:
            yield urls.get(timeout=20), outcome
        finally:
            thread.join(40)


def service(server: AuthorizationServer, path: str) -> OAuthProvider:
    """Return a provider with a redirect path of its own, which its server knows."""
    uri = f"http://127.0.0.1/{path}"
    server.add_client(Client("todo-cli", (uri,)))
    return OAuthProvider(
        client_id="todo-cli",
        issuer=server.issuer,
        redirect_uris=(uri,),
        api_url=server.api_url,
        identify=lambda api: api.get("/me").raise_for_status().json(),
    )


def test_ar_10_an_answer_on_the_path_of_another_issuer(world: World) -> None:
    """Each issuer has a path; an answer on the other one's is no answer, whatever its state."""
    with AuthorizationServer() as other:
        services = {"work": service(world.server, "work"), "home": service(other, "home")}
        auth = Auth("todo", services, storage="plaintext", folder=world.config)
        for name, elsewhere in (("work", "home"), ("home", "work")):
            with waiting(auth, name) as (url, outcome):
                asked = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
                assert urlsplit(asked["redirect_uri"]).path == f"/{name}"
                query = urlencode({"code": "of-the-other", "state": asked["state"]})
                there = asked["redirect_uri"].replace(f"/{name}", f"/{elsewhere}")
                assert status_at(f"{there}?{query}") == 404
                assert outcome == []
                FakeBrowser().visit(url)
            assert not isinstance(outcome[0], AuthError), outcome
        assert {each.account.instance for each in auth.accounts()} == {"work", "home"}
        posts = (*world.server.posts("token"), *other.posts("token"))
        assert [post.form["code"] for post in posts if post.form["code"] == "of-the-other"] == []


def test_ar_10_an_answer_that_names_another_issuer(world: World) -> None:
    """On one path for both, `iss` tells them apart (RFC 9207): no code goes to the wrong one."""
    with AuthorizationServer() as other:
        services = {
            "work": service(world.server, "callback"),
            "home": service(other, "callback"),
        }
        auth = Auth("todo", services, storage="plaintext", folder=world.config)
        with waiting(auth, "work") as (url, outcome):
            asked = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
            answer = {"code": "of-the-other", "state": asked["state"], "iss": other.issuer}
            assert status_at(f"{asked['redirect_uri']}?{urlencode(answer)}") == 400
        assert isinstance(outcome[0], AuthError)
        assert not world.server.posts("token")
        assert not other.posts("token")
        assert auth.accounts() == []
