from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from click_auth import OAuthProvider
from click_auth.providers import Binding

ISSUER = "https://id.todo.example"
BY_HAND: dict[str, Any] = {
    "authorization_endpoint": "https://id.todo.example/authorize",
    "token_endpoint": "https://id.todo.example/token",
}


@pytest.mark.parametrize(
    "facts, complaint",
    [
        ({}, "issuer="),
        ({"client_id": "x", "authorization_endpoint": ISSUER}, "token_endpoint="),
        ({"issuer": "http://id.todo.example"}, "issuer is not https"),
        ({"issuer": "https://id.todo.example?x=1"}, "issuer has a query"),
        ({"issuer": "https://id.todo.example#x"}, "issuer has a fragment"),
        ({"issuer": ISSUER, "api_url": "http://api.todo.example"}, "api_url is not https"),
        ({"issuer": ISSUER, "token_endpoint": "http://x.example/t"}, "token_endpoint is not https"),
        ({"issuer": ISSUER, "userinfo_endpoint": "x"}, "userinfo_endpoint is not an http"),
        ({"issuer": ISSUER, "revocation_endpoint": "https://u@x.example"}, "contains a user name"),
        ({"issuer": ISSUER, "resource": "todo"}, "not an absolute URI"),
        ({"issuer": ISSUER, "resource": "https://api.todo.example#x"}, "has a fragment"),
        ({"issuer": ISSUER, "redirect_uris": ()}, "redirect_uris is empty"),
        ({"issuer": ISSUER, "redirect_uris": ("https://todo.example/cb",)}, "loopback"),
        ({"issuer": ISSUER, "redirect_uris": ("urn:ietf:wg:oauth:2.0:oob",)}, "redirect_uris"),
        ({"issuer": ISSUER, "scopes": "read write"}, "scopes must be a sequence"),
        ({"issuer": ISSUER, "scopes": ("read write",)}, "is not one scope"),
        ({"issuer": ISSUER, "scopes": ("a,b",), "scope_separator": ","}, "is not one scope"),
        ({"issuer": ISSUER, "scopes": ("",)}, "is not one scope"),
        ({"issuer": ISSUER, "read_only_scopes": "read"}, "scopes must be a sequence"),
        ({"issuer": ISSUER, "client_secret": "x"}, "no client_id"),
        (
            {
                "issuer": ISSUER,
                "client_id": "x",
                "client_secret": "x",
                "token_endpoint_auth_method": "none",
            },
            "is none",
        ),
        ({"issuer": ISSUER, "token_endpoint_auth_method": "private_key_jwt"}, "must be one of"),
        (BY_HAND, "registration_endpoint="),
        ({"issuer": ISSUER, "http_timeout": 0}, "http_timeout"),
        ({"issuer": ISSUER, "http_timeout": float("nan")}, "http_timeout"),
        ({"issuer": ISSUER, "http_timeout": float("inf")}, "http_timeout"),
    ],
)
def test_facts_that_cannot_be_are_refused(facts: dict[str, Any], complaint: str) -> None:
    """At once, where the application's author sees it, naming the argument."""
    with pytest.raises(ValueError, match=complaint):
        OAuthProvider(**facts)


@pytest.mark.parametrize(
    "name",
    [
        *("state", "code_challenge", "code_challenge_method", "client_id", "redirect_uri", "scope"),
        *("response_type", "response_mode", "nonce", "request", "request_uri", "resource"),
    ],
)
def test_ar_05_what_the_library_says_is_its_own(name: str) -> None:
    """Neither the extra parameters nor the endpoint's query may say it."""
    with pytest.raises(ValueError, match=f"authorize_params sets {name}"):
        OAuthProvider(issuer=ISSUER, authorize_params={name: "x"})
    endpoints: dict[str, Any] = {
        **BY_HAND,
        "authorization_endpoint": f"https://id.todo.example/a?x=1&{name}=x",
    }
    with pytest.raises(ValueError, match=f"authorization_endpoint sets {name}"):
        OAuthProvider(client_id="x", **endpoints)


@pytest.mark.parametrize("name", ["grant_type", "code_verifier", "client_secret", "refresh_token"])
def test_ar_05_at_the_token_endpoint_too(name: str) -> None:
    """A parameter that is ours is not the application's."""
    with pytest.raises(ValueError, match=f"token_params sets {name}"):
        OAuthProvider(issuer=ISSUER, token_params={name: "x"})


@pytest.mark.parametrize(
    "facts, missing",
    [
        ({"issuer": ISSUER, "read_only_scopes": ("r",)}, set()),
        ({"issuer": ISSUER}, {"--read-only"}),
        ({"client_id": "x", **BY_HAND}, {"--read-only", "--device"}),
        (
            {"issuer": ISSUER, "redirect_uris": ("http://localhost:8080/cb",)},
            {"--read-only", "--callback-port"},
        ),
        ({"issuer": ISSUER, "redirect_uris": ("http://[::1]/cb",)}, {"--read-only"}),
    ],
)
def test_a_login_has_the_options_that_make_sense(facts: dict[str, Any], missing: set[str]) -> None:
    """And no others."""
    every = {"--user", "--scope", "--read-only", "--no-browser", "--device", "--with-token"}
    every |= {"--callback-port", "--timeout", "--no-wait", "--resume", "--acr-values", "--max-age"}
    assert OAuthProvider(**facts).options == every - missing


def test_a_credential_belongs_to_an_issuer_and_a_client() -> None:
    """Or, where no issuer is known, to the token endpoint's origin."""
    assert OAuthProvider(client_id="x", issuer=ISSUER).binding == Binding(ISSUER, "x")
    assert OAuthProvider(client_id="x", **BY_HAND).binding == Binding(ISSUER, "x")
    assert OAuthProvider(issuer=ISSUER).binding == Binding(ISSUER, None)


def test_a_person_is_told_the_host() -> None:
    """With its port, where it has one."""
    assert OAuthProvider(issuer="https://id.todo.example:8443/x").display_name == (
        "id.todo.example:8443"
    )


def test_a_secret_may_be_a_function() -> None:
    """It is called when it is needed, not before."""
    calls: list[int] = []

    def secret() -> str:
        calls.append(1)
        return "s3cret"

    made = OAuthProvider(client_id="x", client_secret=secret, issuer=ISSUER)
    assert not calls
    assert made.secret() == "s3cret"


def test_making_a_provider_loads_nothing() -> None:
    """`todo --help` pays for click, a few light modules, and no story."""
    program = """
import click, dataclasses, json, sys
before = set(sys.modules)
from click_auth.oauth.provider import OAuthProvider
OAuthProvider(client_id="todo", issuer="https://id.todo.example", scopes=("a",))
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    loaded = {name for name in json.loads(printed) if not name.startswith("click_auth")}
    assert loaded <= {"__future__", "typing_extensions", "_contextvars", "contextvars"}
    own = {name for name in json.loads(printed) if name.startswith("click_auth.oauth.")}
    assert own == {f"click_auth.oauth.{name}" for name in ("facts", "provider")}
