"""django-oauth-toolkit: two metadata documents, rotation that kills the old tokens at once."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from integration.django_provider import TOKEN, DjangoProvider, django_provider
from integration.todo import COMMAND_SECONDS, Todo
from integration.walk import PAGE_SECONDS, Form, walk

ARGUMENTS = {"scopes": ["openid", "tasks"], "authorize_params": {}}
CODE = re.compile(r" +(\w{8})\n")
agree = functools.partial(walk, username="ada")


@pytest.fixture
def provider(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DjangoProvider]:
    """A server of its own for each test; a test may have it set up otherwise."""
    with django_provider(tmp_path, **getattr(request, "param", {})) as running:
        yield running


@pytest.fixture
def ada(todo: Todo) -> Todo:
    """Ada, whose application knows the server by its issuer alone."""
    return todo.having(PROVIDER=json.dumps(ARGUMENTS))


def test_login_refresh_and_logout(ada: Todo, provider: DjangoProvider) -> None:
    """What only one of the two metadata documents knows is found: userinfo and revocation."""
    answer, _ = ada.log_in(agree)
    # The server calls people by the number of their row.
    assert answer["account"]["id"] == "1"
    assert provider.answers("GET /o/userinfo/") == [200]
    first = ada.slot("user-1"), ada.slot("user-1/refresh")
    assert provider.is_active(first[0])

    ada.json("auth", "refresh")
    second = ada.slot("user-1"), ada.slot("user-1/refresh")
    assert not set(first) & set(second)
    assert not provider.is_active(first[0])
    assert ada.run("me").stdout == "ada\n"

    assert ada.json("auth", "logout") == {"ok": True, "removed": ["1"], "revoked": True}
    assert provider.answers("POST /o/revoke_token/") == [200, 200]
    assert not provider.is_active(second[0])
    assert provider.refresh(second[1]).json()["error"] == "invalid_grant"
    assert ada.run("auth", "token").returncode == 4


def test_a_confidential_client(todo: Todo, provider: DjangoProvider) -> None:
    """The secret goes along with the login, the refresh and the revocation."""
    secret = {"client_id": "todo-basic", "client_secret": "todo-basic-secret"}
    person = todo.having(PROVIDER=json.dumps(ARGUMENTS | secret))

    person.log_in(agree)
    person.json("auth", "refresh")
    token = person.run("auth", "token").stdout
    assert person.run("me").stdout == "ada\n"
    assert person.json("auth", "logout")["revoked"] is True
    assert not provider.is_active(token)
    assert provider.answers(TOKEN) == [200, 200]


def test_a_client_that_registers_itself(todo: Todo, provider: DjangoProvider) -> None:
    """Registration, too, is only in the document of RFC 8414; later logins use what it gave.

    Without `openid`: the server gives such a client no key, and fails when it should sign.
    """
    client = {"client_id": None, "client_metadata": {"client_name": "Todo"}, "scopes": ["tasks"]}
    person = todo.having(PROVIDER=json.dumps(ARGUMENTS | client))

    for _ in range(2):
        person.log_in(agree)
        assert person.run("me").stdout == "ada\n"
    assert provider.answers("POST /o/register/") == [201]
    assert person.json("auth", "logout")["revoked"] is True


@pytest.mark.parametrize(
    "provider, words",
    [
        ({"NAMELESS": "yes"}, "You declined the request in the browser."),
        # It promises to name itself, and forgets to when it has to say no.
        ({}, "The response doesn't name its authorization server"),
    ],
    indirect=["provider"],
)
def test_a_refusal_on_the_consent_page(words: str, ada: Todo, provider: DjangoProvider) -> None:
    """Cancel is one line in the terminal, and no token is asked for."""
    with ada.login() as login:
        cancel(login.url)
        code, stdout, stderr = login.finish()

    assert (code, stdout) == (1, "")
    assert f"Error: {words}" in stderr.splitlines()[-1]
    assert provider.answers(TOKEN) == []


def cancel(url: str) -> None:
    """Log in, and press the other button of the consent page: the one without a name."""
    with httpx.Client(follow_redirects=True, timeout=PAGE_SECONDS) as browser:
        page = browser.get(url)
        answers = {"username": "ada", "password": "any"}
        consent = browser.post(page.url, data=form_of(page).fields | answers)
        fields = form_of(consent).fields
        del fields["allow"]
        browser.post(consent.url, data=fields)


def form_of(page: httpx.Response) -> Form:
    """Return the form of *page*."""
    form = Form()
    form.feed(page.text)
    return form


@contextlib.contextmanager
def device_login(person: Todo) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Log in with --device; give the process and the code that it shows."""
    command = [sys.executable, str(person.program), "auth", "login", "--device"]
    with subprocess.Popen(
        command,
        env=dict(person.environment),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")
        try:
            yield process, next(found[1] for line in said if (found := CODE.fullmatch(line)))
        finally:
            process.kill()


@pytest.fixture
def device(todo: Todo, provider: DjangoProvider) -> Todo:
    """Ada at a machine without a browser. No document names the endpoint: it is given by hand."""
    by_hand = {
        "client_id": "todo-device",
        "device_authorization_endpoint": f"{provider.issuer}/device-authorization/",
    }
    return todo.having(PROVIDER=json.dumps(ARGUMENTS | by_hand))


def test_the_device_grant(device: Todo, provider: DjangoProvider) -> None:
    """From the code that the terminal shows to the logout, by way of a refresh."""
    with device_login(device) as (process, code):
        agree(f"{provider.issuer}/device/", user_code=code, action="accept")
        process.communicate(timeout=COMMAND_SECONDS)

    assert process.returncode == 0
    device.json("auth", "refresh")
    assert device.run("me").stdout == "ada\n"
    token = device.slot("user-1")
    assert device.json("auth", "logout")["revoked"] is True
    assert not provider.is_active(token)


def test_a_device_that_is_refused(device: Todo, provider: DjangoProvider) -> None:
    """Deny on the other device ends the wait in the terminal."""
    with device_login(device) as (process, code):
        agree(f"{provider.issuer}/device/", user_code=code, action="deny")
        _, stderr = process.communicate(timeout=COMMAND_SECONDS)

    assert process.returncode == 1
    assert "Error: You declined the request on the other device." in stderr


def test_a_replayed_refresh_token_ends_the_session(ada: Todo, provider: DjangoProvider) -> None:
    """Reuse detection: the newest tokens die with it, and the next command says to log in."""
    ada.log_in(agree)
    stolen = ada.slot("user-1/refresh")
    ada.json("auth", "refresh")

    assert provider.refresh(stolen).json()["error"] == "invalid_grant"

    first, second = ada.run("me"), ada.run("me")
    assert (first.returncode, first.stdout) == (4, "")
    assert (second.returncode, second.stdout) == (4, "")
    assert provider.answers(TOKEN) == [200, 200, 400, 400]


def test_a_token_that_died_early_is_renewed(ada: Todo, provider: DjangoProvider) -> None:
    """A 401 for a token that should still be good: one refresh, one retry, no word."""
    ada.log_in(agree)
    provider.expire()

    done = ada.run("me")

    assert (done.returncode, done.stdout, done.stderr) == (0, "ada\n", "")
    assert provider.answers("GET /o/me") == [401, 200]
    assert provider.answers(TOKEN) == [200, 200]


def test_a_crowd_asks_once_where_the_old_token_dies_at_once(
    ada: Todo, provider: DjangoProvider
) -> None:
    """Nobody of them shows the server a token that another's refresh has killed."""
    ada.log_in(agree)
    ada.expire()
    provider.expire()
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(started(ada, "me")) for _ in range(4)]
        printed = {each.communicate(timeout=COMMAND_SECONDS)[0] for each in crowd}

    assert printed == {"ada\n"}
    assert set(provider.answers("GET /o/me")) == {200}
    assert 400 not in provider.answers(TOKEN)


def started(person: Todo, *arguments: str) -> subprocess.Popen[str]:
    """Start one command and do not wait for it."""
    command = [sys.executable, str(person.program), *arguments]
    return subprocess.Popen(
        command, env=dict(person.environment), stdout=subprocess.PIPE, text=True
    )
