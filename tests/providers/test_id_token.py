from __future__ import annotations

import base64
import hmac
import json
import sys
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from click_auth import (
    AuthError,
    AuthorizationRequest,
    AuthorizationResponse,
    LoginFailed,
    OAuthProvider,
    TokenBundle,
)
from click_auth.http.call import Call, send
from providers.wire import Scripted, provider, reply, say

URI = "http://127.0.0.1:49152/callback"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})
CURVE = ECKey.generate_key("P-256", {"kid": "two"})


def published(*keys: Any) -> bytes:
    """Return the server's answer with its public keys, an odd one among them."""
    known = [key.as_dict(private=False) for key in keys]
    return say({"keys": [{"kty": "no-such"}, {"kty": "RSA", "n": "x"}, 5, *known]})


@pytest.fixture
def issuer(server: Scripted) -> Scripted:
    """Run a server that publishes its metadata and keys."""
    server.on = {
        "/.well-known/oauth-authorization-server": say(
            {
                "issuer": server.url,
                "token_endpoint": f"{server.url}/token",
                "authorization_endpoint": f"{server.url}/authorize",
                "jwks_uri": f"{server.url}/keys",
            }
        ),
        "/.well-known/openid-configuration": reply("", 404),
        "/keys": published(KEY, CURVE),
    }
    return server


def claims(server: Scripted, **changes: Any) -> dict[str, Any]:
    """Return good claims, with *changes*.

    A claim that is `...` is left out, one that is a function is asked with the present moment.
    """
    now = int(time.time())
    good = {
        "iss": server.url,
        "aud": "todo-cli",
        "sub": "ada",
        "exp": now + 600,
        "iat": now,
        "nonce": "the-nonce",
        **changes,
    }
    present = {name: value for name, value in good.items() if value is not ...}
    return {name: value(now) if callable(value) else value for name, value in present.items()}


def signed(content: dict[str, Any], key: Any = KEY, alg: str = "RS256") -> str:
    """Return an ID token."""
    header = {"alg": alg, "kid": key.kid} if key.kid else {"alg": alg}
    return jwt.encode(header, content, key, algorithms=[alg])


def made_for(server: Scripted, module: str = "httpx", **facts: Any) -> OAuthProvider:
    """Return a provider that asks for `openid`."""
    return provider(server, module, issuer=server.url, **{"scopes": ("openid",), **facts})


def log_in(
    server: Scripted, id_token: object, made: OAuthProvider | None = None
) -> tuple[TokenBundle, Any]:
    """Exchange a code for an ID token, and return the tokens and who it is."""
    answer = {"access_token": "x", "token_type": "Bearer", "id_token": id_token}
    server.on["/token"] = say(answer)
    made = made or made_for(server)
    request = AuthorizationRequest("", URI, "s", "v", "the-nonce", ("openid",))
    bundle = made.exchange(request, AuthorizationResponse("c0de", URI))
    return bundle, made.identify(None, bundle)  # type: ignore[arg-type]


def test_a_good_token_names_the_account(issuer: Scripted) -> None:
    """Its subject is the id, and the first of three claims the label; nothing else is kept."""
    token = signed(claims(issuer, email="ada@todo.example", name="Ada", picture="x"))
    bundle, who = log_in(issuer, token)
    assert who == {"id": "ada", "label": "ada@todo.example"}
    assert bundle.id_token == token
    assert token not in repr(bundle)


def test_the_keys_are_asked_for_once(issuer: Scripted) -> None:
    """They are cached beside the metadata."""
    log_in(issuer, signed(claims(issuer)))
    assert issuer.paths().count("/keys") == 1


def test_keys_that_are_published_elsewhere_by_now(issuer: Scripted) -> None:
    """One login fails; the next looks where the server says today, and caches what it finds."""
    issuer.on["/former"] = reply("", 410)
    made, endpoints = made_for(issuer), ("token", "authorization")
    former = {f"{name}_endpoint": f"{issuer.url}/{name}" for name in endpoints}
    former = {**former, "issuer": issuer.url, "jwks_uri": f"{issuer.url}/former"}
    made.context.cache.save(issuer.url, former)
    with pytest.raises(LoginFailed, match="410"):
        log_in(issuer, signed(claims(issuer)), made)
    for _ in range(2):
        assert log_in(issuer, signed(claims(issuer)), made)[1]["id"] == "ada"
    assert [issuer.paths().count(path) for path in ("/former", "/keys")] == [1, 1]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "https://evil.example"}, id="id_01_iss"),
        pytest.param({"iss": ...}, id="id_01_no_iss"),
        pytest.param({"aud": "other"}, id="id_02_aud"),
        pytest.param({"aud": ...}, id="id_02_no_aud"),
        pytest.param({"aud": []}, id="id_02_empty"),
        pytest.param({"aud": ["todo-cli", "other"]}, id="id_02_no_azp"),
        pytest.param({"aud": ["todo-cli", "other"], "azp": "other"}, id="id_02_azp_of_many"),
        pytest.param({"azp": "other"}, id="id_02_azp"),
        pytest.param({"exp": ...}, id="id_03_no_exp"),
        pytest.param({"exp": 1}, id="id_03_past"),
        pytest.param({"exp": lambda now: now - 301}, id="id_03_just_past"),
        pytest.param({"exp": "soon"}, id="id_03_text"),
        pytest.param({"exp": True}, id="id_03_bool"),
        pytest.param({"exp": 10**400}, id="id_03_huge"),
        pytest.param({"iat": ...}, id="id_03_no_iat"),
        pytest.param({"iat": lambda now: now - 7 * 86400}, id="id_03_week"),
        pytest.param({"iat": lambda now: now + 86400}, id="id_03_future"),
        pytest.param({"sub": ...}, id="id_03_no_sub"),
        pytest.param({"sub": ""}, id="id_03_empty_sub"),
        pytest.param({"sub": 5}, id="id_03_sub_number"),
        pytest.param({"nonce": ...}, id="id_04_no_nonce"),
        pytest.param({"nonce": "other"}, id="id_04_nonce"),
        pytest.param({"nonce": 5}, id="id_04_nonce_number"),
    ],
)
def test_id_claims_that_are_wrong(issuer: Scripted, changes: dict[str, Any]) -> None:
    """Nothing is stored, and the message says which."""
    with pytest.raises(LoginFailed, match="ID token was refused") as failed:
        log_in(issuer, signed(claims(issuer, **changes)))
    assert failed.value.code == "AUTH_TOKEN_EXCHANGE_FAILED"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["todo-cli"]},
        {"aud": ["other", "todo-cli"], "azp": "todo-cli"},
        {"azp": "todo-cli"},
        {"exp": lambda now: now - 200, "iat": lambda now: now - 200},
        {"iat": lambda now: now + 200.5},
    ],
)
def test_id_02_03_claims_that_are_right(issuer: Scripted, changes: dict[str, Any]) -> None:
    """A list that has us in it, and clocks that are five minutes apart."""
    assert log_in(issuer, signed(claims(issuer, **changes)))[1] == {"id": "ada"}


def test_id_08_other_algorithms_are_fine(issuer: Scripted) -> None:
    """Whatever the server signs with, as long as it is a signature."""
    assert log_in(issuer, signed(claims(issuer), CURVE, "ES256"))[1] == {"id": "ada"}


def encoded(part: object) -> str:
    """Return a part of a token."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def confused(content: dict[str, Any]) -> str:
    """Return a token that is signed with the public key, as if that were a secret."""
    head = f"{encoded({'alg': 'HS256', 'kid': 'one'})}.{encoded(content)}"
    public = KEY.as_pem(private=False)
    return f"{head}.{encoded(hmac.digest(public, head.encode(), 'sha256'))}"


def test_id_08_no_signature_is_no_token(issuer: Scripted) -> None:
    """Neither `none`, nor HS256 with the public key, nor another's key, nor a changed payload."""
    content = claims(issuer)
    head, _, signature = signed(content).split(".")
    changed = f"{head}.{encoded({**content, 'sub': 'eve'})}.{signature}"
    unsigned = f"{encoded({'alg': 'none'})}.{encoded(content)}."
    for token in (unsigned, confused(content), signed(content, OTHER), changed):
        with pytest.raises(LoginFailed, match="signature is not the server's"):
            log_in(issuer, token)


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c", "....", "é.é.é"])
def test_id_05_a_malformed_token_that_was_asked_for(issuer: Scripted, token: str) -> None:
    """A typed error, which quotes nothing of it."""
    with pytest.raises(LoginFailed, match="ID token was refused"):
        log_in(issuer, token)


def test_id_05_an_opaque_token_that_nobody_asked_for(issuer: Scripted) -> None:
    """It is ignored, and its keys are not fetched."""
    issuer.on["/token"] = say({"access_token": "x", "token_type": "Bearer", "id_token": "opaque"})
    made = made_for(issuer, scopes=())
    request = AuthorizationRequest("", URI, "s", "v")
    bundle = made.exchange(request, AuthorizationResponse("c0de", URI))
    assert made.identify(None, bundle) == {"id": "default"}  # type: ignore[arg-type]
    assert "/keys" not in issuer.paths()


@pytest.mark.parametrize("id_token", [None, "", 5, {}])
def test_a_server_that_gives_none(issuer: Scripted, id_token: object) -> None:
    """Then it names nobody, and there is one account."""
    assert log_in(issuer, id_token)[1] == {"id": "default"}


def test_a_new_key_is_fetched(issuer: Scripted) -> None:
    """Servers rotate their keys; our copy may be older."""
    made = made_for(issuer)
    log_in(issuer, signed(claims(issuer)), made)
    issuer.on["/keys"] = published(OTHER)
    assert log_in(issuer, signed(claims(issuer), OTHER), made)[1] == {"id": "ada"}
    assert issuer.paths().count("/keys") == 2


def test_a_clock_that_is_wrong_does_no_harm(issuer: Scripted) -> None:
    """The server's `Date` says what time it is there."""
    from email.utils import formatdate

    ahead = time.time() + 86400
    token = signed(claims(issuer, iat=int(ahead), exp=int(ahead) + 60))
    answer = {"access_token": "x", "token_type": "Bearer", "id_token": token}
    issuer.on["/token"] = say(answer, Date=formatdate(ahead, usegmt=True))
    issuer.on["/keys"] = published(KEY).replace(
        b"Connection: close",
        b"Connection: close\r\nDate: " + formatdate(ahead, usegmt=True).encode(),
    )
    made = made_for(issuer)
    request = AuthorizationRequest("", URI, "s", "v", "the-nonce", ("openid",))
    assert made.exchange(request, AuthorizationResponse("c0de", URI)).id_token == token


@pytest.mark.parametrize("days, whose", [(-365, "its own"), (-1, "another")])
def test_s11_no_date_revives_an_expired_token(issuer: Scripted, days: int, whose: str) -> None:
    """Neither one that is a year off, nor that of another server."""
    from email.utils import formatdate

    past = time.time() + days * 86400
    answer = say({}, Date=formatdate(past, usegmt=True))
    token = signed(claims(issuer, iat=int(past), exp=int(past) + 60))
    made = made_for(issuer)
    if whose == "its own":
        issuer.on["/keys"] = published(KEY).replace(
            b"Connection: close",
            b"Connection: close\r\nDate: " + formatdate(past, usegmt=True).encode(),
        )
    with Scripted([answer]) as other:
        send(made.http, Call(other.url), 60)
        with pytest.raises(LoginFailed, match="is this machine's clock right"):
            log_in(issuer, token, made)


def test_id_06_userinfo_names_the_same_account(issuer: Scripted) -> None:
    """What is asked with the token must agree with what came with it (OpenID Connect 5.3.2)."""
    made = made_for(issuer, userinfo_endpoint=f"{issuer.url}/userinfo")
    issuer.on["/userinfo"] = say({"sub": "ada", "preferred_username": "ada.l", "email": "x"})
    assert log_in(issuer, signed(claims(issuer)), made)[1] == {"id": "ada", "label": "ada.l"}
    issuer.on["/userinfo"] = say({"sub": 7})  # a number here, its text there
    assert log_in(issuer, signed(claims(issuer, sub="7")), made)[1] == {"id": "7"}
    for subject in ("eve", None, 7):
        issuer.on["/userinfo"] = say({"sub": subject})
        with pytest.raises(AuthError, match="different accounts"):
            log_in(issuer, signed(claims(issuer)), made)


def test_without_joserfc_nobody_is_named(issuer: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unchecked token names nobody: one account, and userinfo where there is one."""
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "joserfc" else find(name)
    )
    assert log_in(issuer, signed(claims(issuer, sub="eve"), OTHER))[1] == {"id": "default"}
    assert "/keys" not in issuer.paths()


def refresh(server: Scripted, id_token: object) -> TokenBundle:
    """Refresh, and get *id_token* with it."""
    answer = {"access_token": "new", "token_type": "Bearer", "id_token": id_token}
    server.on["/token"] = say(answer)
    return made_for(server).refresh(TokenBundle("a", "r"))


@pytest.mark.parametrize(
    "changes", [{"iss": "accounts.todo.example"}, {"iss": ...}, {"aud": "other"}, {"exp": 1}]
)
def test_id_07_b33_another_spelling_in_a_refresh_loses_no_token(
    issuer: Scripted, changes: dict[str, Any]
) -> None:
    """The access token is taken, and the account is who it was: the subject says so."""
    bundle = refresh(issuer, signed(claims(issuer, **changes)))
    assert bundle.access_token == "new"
    assert made_for(issuer).is_same_account(bundle, "ada")


def test_id_07_a_refresh_does_not_swap_accounts(issuer: Scripted) -> None:
    """Whose token it is can be asked of the provider; keys are not needed for that."""
    made = made_for(issuer)
    bundle = refresh(issuer, signed(claims(issuer)))
    assert made.is_same_account(bundle, "ada")
    assert not made.is_same_account(bundle, "eve")
    assert made.is_same_account(refresh(issuer, "opaque"), "ada")
    assert made.is_same_account(refresh(issuer, None), "ada")
    assert "/keys" not in issuer.paths()


@pytest.mark.parametrize("facts", [{"identify": lambda _: {"id": "ada"}}, {"scopes": ()}])
def test_id_07_b33_an_id_token_that_names_nobody_here(
    issuer: Scripted, facts: dict[str, Any]
) -> None:
    """Is not looked at in a refresh either: accounts go by something else than its subject."""
    stranger = signed(claims(issuer, sub="eve"))
    assert made_for(issuer, **facts).is_same_account(refresh(issuer, stranger), "ada")


def test_te_32_a_userinfo_that_is_no_good_is_not_missed(issuer: Scripted) -> None:
    """Where the ID token has named the account; else it is needed."""
    where = "/.well-known/oauth-authorization-server"
    endpoints = ("token", "authorization", "userinfo")
    document: dict[str, Any] = {f"{name}_endpoint": f"{issuer.url}/{name}" for name in endpoints}
    document |= {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys", "userinfo_endpoint": "/"}
    issuer.on[where] = say(document)
    assert log_in(issuer, signed(claims(issuer)))[1] == {"id": "ada"}
    with pytest.raises(AuthError, match="userinfo_endpoint"):
        log_in(issuer, None)


def test_keys_of_every_kind_are_read() -> None:
    """The helper of this file publishes what it says."""
    assert len(KeySet([KEY, CURVE]).keys) == 2
    assert "joserfc" in sys.modules
