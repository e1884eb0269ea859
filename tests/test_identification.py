"""Who a credential belongs to, and what a service may say instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from click_auth import ApiKeyProvider, Auth, AuthError, LoginFailed, MemoryTokenStore, Unreachable
from click_auth.errors import Refused


def identify(answer: Callable[[httpx.Request], httpx.Response], function: Any = None) -> Any:
    """Log in with a key at a service that gives this *answer*, and return the account."""
    asked = function or (lambda api: api.get("/me").raise_for_status().json())
    provider = ApiKeyProvider(api_url="https://api.example", identify=asked)
    auth = Auth(
        "todo",
        provider,
        store=MemoryTokenStore(),
        http_options={"transport": httpx.MockTransport(answer)},
    )
    return auth.login(token="the-key", browser=False).account


def test_mapping_with_an_id_is_an_account() -> None:
    """A number is an id, too, and whatever else the service says is kept."""
    account = identify(lambda _: httpx.Response(200, json={"id": 7, "label": "Ada", "plan": "pro"}))
    assert (account.id, account.label, account.key) == ("7", "Ada", "7")
    assert account.extra == {"plan": "pro"}


@pytest.mark.parametrize(
    "status,kind",
    [(401, Refused), (403, Refused), (404, LoginFailed), (500, LoginFailed), (429, LoginFailed)],
)
def test_status_says_what_to_do(status: int, kind: type[AuthError]) -> None:
    """A refusal, an odd answer and a busy service end a login with one line, and no token in it."""
    with pytest.raises(kind) as caught:
        identify(lambda _: httpx.Response(status))
    assert str(status) in caught.value.message
    assert "the-key" not in caught.value.format_message()


def offline(_request: httpx.Request) -> httpx.Response:
    """Fail as a network does."""
    raise httpx.ConnectError("no route")


@pytest.mark.parametrize(
    "answer",
    [
        offline,
        lambda _: httpx.Response(200, text="<html>"),
        lambda _: httpx.Response(200, json=["ada"]),
        lambda _: httpx.Response(200, json={"name": "Ada"}),
        lambda _: httpx.Response(200, json={"id": ""}),
    ],
    ids=["offline", "html", "list", "no id", "empty id"],
)
def test_service_that_does_not_say_who_it_is(answer: Any) -> None:
    """Without an id there is no account, and nothing is stored."""
    with pytest.raises(LoginFailed):
        identify(answer)


def test_errors_of_the_applications_own_pass() -> None:
    """What `identify=` raises on purpose reaches the person as it is."""

    def refuse(_api: httpx.Client) -> dict[str, str]:
        raise Unreachable("Closed on Sundays.")

    with pytest.raises(AuthError, match="Closed on Sundays"):
        identify(lambda _: httpx.Response(200), refuse)


@pytest.mark.parametrize("create_url", [None, "https://keys.example/new"])
def test_m10_a_mistyped_key_is_said_to_be_one(create_url: str | None) -> None:
    """With the page on which a key is made."""
    provider = ApiKeyProvider(
        api_url="https://api.example",
        create_url=create_url,
        identify=lambda api: api.get("/me").raise_for_status().json(),
    )
    options = {"transport": httpx.MockTransport(lambda _: httpx.Response(401))}
    auth = Auth("todo", provider, store=MemoryTokenStore(), http_options=options)
    with pytest.raises(Refused) as caught:
        auth.login(token="mistyped", browser=False)
    assert caught.value.message == "The server rejected this API key (401)."
    assert caught.value.hints == (
        ("Create one at https://keys.example/new.",) if create_url else ()
    )
