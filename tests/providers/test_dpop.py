from __future__ import annotations

import base64
import hashlib
import json
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from click_auth import (
    Account,
    Auth,
    AuthorizationResponse,
    LoginFailed,
    LoginRequest,
    OAuthProvider,
    TokenBundle,
    Unreachable,
)
from click_auth.http.call import Call, send
from click_auth.http.client import Http
from click_auth.providers import InMemory, ProviderContext
from providers.wire import Scripted, Seen, provider, reply, say

URI = "http://127.0.0.1:49152/callback"
BINDS = {"client_metadata": {"dpop_bound_access_tokens": True}}
GOOD = say({"access_token": "canary-access", "token_type": "DPoP", "refresh_token": "r"})
NONCE = say({"error": "use_dpop_nonce"}, 400, DPoP_Nonce="n-1")


def proven(request: Seen, url: str, method: str = "POST") -> dict[str, Any]:
    """Return the claims of the proof on a request, after checking it as a server does."""
    proof = request.headers["dpop"]
    padded = proof.split(".")[0] + "=="
    header = json.loads(base64.urlsafe_b64decode(padded))
    assert (header["typ"], header["alg"]) == ("dpop+jwt", "ES256")
    assert "d" not in header["jwk"]
    claims = jwt.decode(proof, ECKey.import_key(header["jwk"]), ["ES256"]).claims
    assert (claims["htm"], claims["htu"]) == (method, url)
    assert abs(claims["iat"] - time.time()) < 60
    return {**claims, "jwk": header["jwk"]}


def log_in(made: OAuthProvider) -> TokenBundle:
    """Exchange a code."""
    request = made.authorize(LoginRequest(redirect_uri=URI))
    return made.exchange(request, AuthorizationResponse("the-code", URI))


def test_tokens_are_bound_to_a_key(server: Scripted, module: str) -> None:
    """Each token request proves it, with a new proof by the same key; the code is bound too."""
    server.replies = [GOOD]
    made = provider(server, module, **BINDS)
    request = made.authorize(LoginRequest(redirect_uri=URI))
    bundle = made.exchange(request, AuthorizationResponse("the-code", URI))
    made.refresh(bundle)
    first, second = (proven(each, f"{server.url}/token") for each in server.seen)
    assert bundle.token_type == "DPoP"
    assert first["jwk"] == second["jwk"]
    assert first["jti"] != second["jti"]
    fields = parse_qs(urlsplit(request.url).query)
    assert fields["dpop_jkt"] == [ECKey.import_key(first["jwk"]).thumbprint()]


def test_md_06_a_bearer_token_is_not_taken_instead(server: Scripted, module: str) -> None:
    """A token that anybody could use is discarded."""
    server.replies = [say({"access_token": "x", "token_type": "Bearer"})]
    made = provider(server, module, **BINDS)
    with pytest.raises(LoginFailed, match="not of type DPoP"):
        log_in(made)
    with pytest.raises(Unreachable, match="not of type DPoP"):
        made.refresh(TokenBundle("a", "r"))


def test_md_06_a_nonce_is_answered_once(server: Scripted, module: str) -> None:
    """The server that wants one gets it, in one more request, and in those after."""
    server.replies = [NONCE, GOOD]
    made = provider(server, module, **BINDS)
    bundle = log_in(made)
    made.refresh(bundle)
    claims = [proven(each, f"{server.url}/token") for each in server.seen]
    assert [claim.get("nonce") for claim in claims] == [None, "n-1", "n-1"]


def test_md_06_a_server_that_is_never_content(server: Scripted, module: str) -> None:
    """Two requests, then it is an error."""
    server.replies = [NONCE]
    with pytest.raises(LoginFailed, match="use_dpop_nonce"):
        log_in(provider(server, module, **BINDS))
    assert len(server.seen) == 2


def test_a_request_to_the_api_is_proven(server: Scripted, module: str) -> None:
    """Without the query, with a hash of the token (RFC 9449 section 4.2)."""
    made = provider(server, module, **BINDS)
    request = httpx.Request("GET", "https://api.todo.example/tasks?done=false")
    made.apply(request, TokenBundle("canary-access"))
    seen = Seen("GET", "", dict(request.headers), b"")
    claims = proven(seen, "https://api.todo.example/tasks", "GET")
    digest = hashlib.sha256(b"canary-access").digest()
    assert request.headers["authorization"] == "DPoP canary-access"
    assert claims["ath"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "url",
    [
        'https://api.todo.example/tasks?filter={"a":"b|c"}',
        "https://ada:pw@api.todo.example/tasks",
        "https://api.todo.example/tasks/a|b",
    ],
)
def test_a_request_to_whatever_url_the_api_has_is_proven(server: Scripted, url: str) -> None:
    """What an application asks may be written as no endpoint of a server is, a nonce's too.

    The proof is for the path that is sent: some versions of httpx encode more of it than others.
    """
    made = provider(server, **BINDS)
    request = httpx.Request("GET", url)
    path = request.url.raw_path.decode().partition("?")[0]
    target = f"https://api.todo.example{path}"
    made.apply(request, TokenBundle("canary-access"))
    proven(Seen("GET", "", dict(request.headers), b""), target, "GET")
    challenge = httpx.Response(401, headers={"dpop-nonce": "n-1"}, request=request)
    assert made.is_challenge(challenge)
    made.apply(request, TokenBundle("canary-access"))
    claims = proven(Seen("GET", "", dict(request.headers), b""), target, "GET")
    assert claims["nonce"] == "n-1"


def test_userinfo_is_asked_with_a_proof(server: Scripted, module: str) -> None:
    """Once more where it wants a nonce of its own."""
    server.on = {"/token": GOOD}
    server.replies = [
        reply("", 401, WWW_Authenticate='DPoP error="use_dpop_nonce"', DPoP_Nonce="n-2"),
        say({"sub": "ada"}),
    ]
    made = provider(server, module, userinfo_endpoint=f"{server.url}/userinfo", **BINDS)
    assert made.identify(None, log_in(made)) == {"id": "ada"}  # type: ignore[arg-type]
    claims = [proven(each, f"{server.url}/userinfo", "GET") for each in server.seen[1:]]
    assert [claim.get("nonce") for claim in claims] == [None, "n-2"]


def test_the_key_is_kept_as_a_clients_secret_is(server: Scripted, module: str) -> None:
    """So another process proves with the same one; it is never shown."""
    server.replies = [GOOD]
    one = provider(server, module, **BINDS)
    log_in(one)
    assert one.context is not None
    other = provider(server, module, **BINDS).with_context(one.context)
    other.refresh(TokenBundle("a", "r"))
    keys = [proven(each, f"{server.url}/token")["jwk"] for each in server.seen]
    assert keys[0] == keys[1]
    kept = one.context.registrations.load(f"dpop {server.url} todo-cli")
    assert kept is not None
    assert json.loads(kept["client_secret"])["d"] not in repr((one, vars(one)))


def test_pushed_requests_are_proven_too(server: Scripted, module: str) -> None:
    """RFC 9449 section 10.1."""
    server.on = {
        "/.well-known/oauth-authorization-server": say(
            {
                "issuer": server.url,
                "authorization_endpoint": f"{server.url}/authorize",
                "token_endpoint": f"{server.url}/token",
                "pushed_authorization_request_endpoint": f"{server.url}/par",
                "require_pushed_authorization_requests": True,
            }
        ),
        "/par": say({"request_uri": "urn:x:1"}, 201),
    }
    made = provider(server, module, issuer=server.url, **BINDS)
    made.authorize(LoginRequest(redirect_uri=URI))
    proven(server.seen[-1], f"{server.url}/par")


def test_others_have_no_key(server: Scripted, module: str) -> None:
    """Nothing of this happens unless the client's metadata says so."""
    server.replies = [say({"access_token": "x", "token_type": "Bearer"})]
    made = provider(server, module)
    log_in(made)
    assert "dpop" not in server.seen[0].headers
    request = httpx.Request("GET", "https://api.todo.example/")
    made.apply(request, TokenBundle("x"))
    assert request.headers["authorization"] == "Bearer x"


def test_s24_of_two_first_logins_one_keeps_its_key(server: Scripted) -> None:
    """Whoever looked before the other had stored it goes on with what is there then."""

    class Crowded(InMemory):
        """Registrations that another login fills after ours has looked."""

        def load(self, name: str, /) -> Any:
            """Return nothing, as before the other one came."""
            del name

    kept = ProviderContext(Http(), registrations=Crowded())
    first, second = (provider(server, **BINDS).with_context(kept) for _ in range(2))
    assert first.prover().thumbprint == second.prover().thumbprint


def test_s11_a_proof_is_dated_by_its_own_servers_clock(server: Scripted) -> None:
    """Or by this machine's, whatever another server says of the time."""
    made = provider(server, **BINDS)
    server.replies = [GOOD]
    ahead = formatdate(time.time() + 7200, usegmt=True)
    with Scripted([say({}, Date=ahead)]) as other:
        send(made.http, Call(other.url), 60)
        assert made.refresh(TokenBundle("a", "r")).access_token == "canary-access"
        proven(server.seen[0], f"{server.url}/token")
        claims = jwt_claims(made.prover().proof("GET", other.url))
    assert claims["iat"] - time.time() == pytest.approx(7200, abs=60)


def jwt_claims(proof: str) -> dict[str, Any]:
    """Return the claims of a proof, unchecked."""
    payload: dict[str, Any] = json.loads(base64.urlsafe_b64decode(proof.split(".")[1] + "=="))
    return payload


def test_a_redirect_within_the_api_is_proven_anew(tmp_path: Path) -> None:
    """A proof is for one URL: with that of the first the API would refuse a good credential."""
    targets = []

    def api(request: httpx.Request) -> httpx.Response:
        targets.append(jwt_claims(request.headers["dpop"])["htu"])
        assert request.headers["authorization"] == "DPoP canary-access"
        if request.url.path == "/tasks":
            return httpx.Response(307, headers={"Location": "/tasks/"})
        return httpx.Response(200 if targets[-1] == str(request.url) else 401)

    issuer, api_url = "https://id.todo.example", "https://api.todo.example"
    bound = OAuthProvider(client_id="todo-cli", issuer=issuer, api_url=api_url, **BINDS)
    auth = Auth("todo", bound, storage="plaintext", folder=tmp_path)
    auth.store.set_bundle(Account("ada"), TokenBundle("canary-access", "r"), promote_default=True)
    transport = httpx.MockTransport(api)
    with auth.client(transport=transport, follow_redirects=True) as client:
        assert client.get("/tasks").status_code == 200
    assert targets == ["https://api.todo.example/tasks", "https://api.todo.example/tasks/"]
