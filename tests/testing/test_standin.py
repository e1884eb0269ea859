from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
import pytest

from click_auth.testing import AuthorizationServer
from click_auth.testing.isolation import RoutedTransport, StandIn


@dataclass
class Facts:
    """What a provider says of itself."""

    issuer: str | None = "https://id.todo.example/tenant/"
    api_url: str | None = "https://api.todo.example/v2"
    client_id: str | None = "somebody-else"
    client_secret: object = None
    redirect_uris: tuple[str, ...] = ()
    token_endpoint: str | None = None


def test_addresses_lead_to_the_server(server: AuthorizationServer) -> None:
    """The issuer, its well-known addresses and the API lead to the server, others to themselves."""
    route = StandIn(server, Facts())

    led = {
        "https://id.todo.example/tenant/token?a=b": f"{server.url}/token?a=b",
        "https://id.todo.example/.well-known/openid-configuration/tenant": (
            f"{server.url}/.well-known/openid-configuration/tenant"
        ),
        "https://api.todo.example/v2/me": f"{server.api_url}/me",
        "https://api.todo.example/v22/me": "https://api.todo.example/v22/me",
        "https://api.todo.example.evil.example/v2": "https://api.todo.example.evil.example/v2",
    }
    assert {url: route(url) for url in led} == led


def test_endpoints_given_by_hand_lead_to_the_server(server: AuthorizationServer) -> None:
    """A provider without an issuer has its endpoints led one by one."""
    facts = Facts(issuer=None, token_endpoint="https://id.todo.example/oauth/access")

    route = StandIn(server, facts)

    assert route("https://id.todo.example/oauth/access") == f"{server.url}/token"
    assert server.issuer == server.url


def test_the_server_speaks_in_the_issuers_name(server: AuthorizationServer) -> None:
    """Metadata names the issuer and endpoints that the client knows; its client is registered."""
    route = StandIn(server, Facts(client_secret=lambda: "s"))

    transport = RoutedTransport(route)

    with httpx.Client(transport=transport) as http:
        found = http.get("https://id.todo.example/.well-known/oauth-authorization-server/tenant")
        form = {
            "grant_type": "client_credentials",
            "client_id": "somebody-else",
            "client_secret": "s",
        }
        answer = http.post(found.json()["token_endpoint"], data=form)
    assert found.json()["issuer"] == server.issuer == "https://id.todo.example/tenant/"
    assert found.json()["token_endpoint"] == "https://id.todo.example/tenant/token"
    assert answer.status_code == 200


def test_everything_else_is_out_of_reach(server: AuthorizationServer) -> None:
    """A request to any other address fails as one to a host that is not there."""
    transport = RoutedTransport(StandIn(server, Facts(issuer=None, client_id=None)))

    with httpx.Client(transport=transport) as http, pytest.raises(httpx.ConnectError):
        http.get("https://elsewhere.example/")
    with httpx.Client(transport=transport) as http:
        assert http.get("https://api.todo.example/v2/me").status_code == 401


def test_asynchronous_clients_are_led_too(server: AuthorizationServer) -> None:
    """The same transport serves an AsyncClient."""
    transport = RoutedTransport(StandIn(server, Facts()))

    async def ask() -> int:
        async with httpx.AsyncClient(transport=transport) as http:
            return (await http.get("https://api.todo.example/v2/me")).status_code

    assert asyncio.run(ask()) == 401
