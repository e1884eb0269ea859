from __future__ import annotations

import httpx
import pytest

from click_auth.testing import AuthorizationServer
from testing.visitor import REDIRECT, Visitor, query_of


@pytest.mark.parametrize("path", ["", "/tenants/one"])
@pytest.mark.parametrize(
    "place",
    [
        "/.well-known/oauth-authorization-server{path}",
        "/.well-known/openid-configuration{path}",
        "{path}/.well-known/openid-configuration",
    ],
)
def test_metadata_is_wherever_clients_look(path: str, place: str) -> None:
    """Each well-known address, with the issuer's path in either place, has the same document."""
    with AuthorizationServer(path=path) as server, httpx.Client(trust_env=False) as http:
        origin = server.issuer.removesuffix(path)
        document = http.get(origin + place.format(path=path)).json()

        assert document["issuer"] == server.issuer
        assert document["token_endpoint"] == f"{server.issuer}/token"
        assert document["authorization_response_iss_parameter_supported"] is True
        assert Visitor(server, http).log_in()["token_type"] == "Bearer"


def test_an_endpoint_belongs_to_its_issuer() -> None:
    """With a path in the issuer the endpoints are beneath it and nowhere else."""
    with AuthorizationServer(path="/one") as server, httpx.Client(trust_env=False) as http:
        assert http.get(f"{server.issuer}/token").status_code == 405
        assert http.get(server.issuer.removesuffix("/one") + "/token").status_code == 404


def test_a_public_client_can_register(visitor: Visitor, server: AuthorizationServer) -> None:
    """Registration without a secret yields a client that can log in (RFC 7591 3.2.1)."""
    wanted = {
        "client_name": "todo",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "none",
    }

    answer = visitor.http.post(f"{server.issuer}/register", json=wanted)
    document = answer.json()

    assert answer.status_code == 201
    assert document["client_name"] == "todo"
    assert "client_secret" not in document
    code = query_of(visitor.authorize(client_id=document["client_id"]))["code"]
    assert visitor.exchange(code, client_id=document["client_id"]).status_code == 200


@pytest.mark.parametrize("lifetime, status", [(None, 200), (3600.0, 200), (-1.0, 401)])
def test_a_registered_secret_may_expire(
    visitor: Visitor, lifetime: float | None, status: int
) -> None:
    """A secret says when it expires, 0 for never, and is refused afterwards."""
    wanted = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_post"}
    with AuthorizationServer(client_secret_lifetime=lifetime) as server:
        client = visitor.http.post(f"{server.issuer}/register", json=wanted).json()
        form = {
            "grant_type": "client_credentials",
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
        }
        answer = visitor.http.post(f"{server.issuer}/token", data=form)

    assert (client["client_secret_expires_at"] == 0) is (lifetime is None)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "wanted, error",
    [
        ({}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://evil.example/callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [5]}, "invalid_redirect_uri"),
        (
            {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "private_key_jwt"},
            "invalid_client_metadata",
        ),
        ([], "invalid_request"),
    ],
)
def test_a_bad_registration_is_refused(
    visitor: Visitor, server: AuthorizationServer, wanted: object, error: str
) -> None:
    """Redirect URIs must be https or loopback http, and the rest known (RFC 7591 3.2.2)."""
    answer = visitor.http.post(f"{server.issuer}/register", json=wanted)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_registration_that_is_not_json_is_refused(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """A body that does not parse is invalid_request."""
    answer = visitor.http.post(f"{server.issuer}/register", content=b"{")

    assert answer.json()["error"] == "invalid_request"
