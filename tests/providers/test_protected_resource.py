"""A provider that knows the API's address only (RFC 9728): an API and a server on real sockets."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from click_auth import (
    LoginFailed,
    LoginRequest,
    OAuthProvider,
    TokenBundle,
    Unreachable,
)
from click_auth.http.client import Http
from click_auth.oauth.protected_resource import well_known
from click_auth.providers import Binding, ProviderContext
from click_auth.testing import AuthorizationServer
from commands.conftest import Todo
from providers.wire import Scripted, hang, reply, reset, say

URI = "http://127.0.0.1:49152/callback"
WELL_KNOWN = "/.well-known/oauth-protected-resource"
MISSING = reply("<html>not here</html>", 404)


@dataclass
class Api:
    """An API that publishes its metadata, and the server that it names."""

    server: Scripted
    issuer: str
    path: str = "/v1"

    @property
    def url(self) -> str:
        """The address of the API."""
        return self.server.url + self.path

    def document(self, **fields: Any) -> dict[str, Any]:
        """Return its metadata."""
        known = {"resource": self.url, "authorization_servers": [self.issuer]}
        return {**known, "scopes_supported": ["tasks:read", 5, "a b", "tasks:write"], **fields}

    def publish(self, **fields: Any) -> None:
        """Publish its metadata at the well-known place."""
        self.server.on[WELL_KNOWN + self.path] = say(self.document(**fields))

    def challenge(self, status: int = 401, **header: str) -> None:
        """Publish it elsewhere, and answer with a header that may say where."""
        self.server.on["/meta"] = say(self.document())
        self.server.on[self.path] = reply("", status, **header)

    def provider(self, module: str = "httpx", **facts: Any) -> OAuthProvider:
        """Return a provider that knows its address only."""
        made = OAuthProvider(**{"client_id": "todo-cli", "api_url": self.url, **facts})
        return made.with_context(ProviderContext(Http(module)))

    def asked(self) -> int:
        """Return how often its metadata was asked for."""
        return sum(path.startswith(WELL_KNOWN) for path in self.server.paths())


@pytest.fixture
def api(server: Scripted, auth_server: AuthorizationServer) -> Api:
    """An API that has published nothing yet."""
    server.replies = [MISSING]
    return Api(server, auth_server.issuer)


def authorize(made: OAuthProvider) -> dict[str, str]:
    """Begin a login, and return where it goes and what it asks for."""
    url = urlsplit(made.authorize(LoginRequest(redirect_uri=URI)).url)
    fields = {name: values[0] for name, values in parse_qs(url.query).items()}
    return {**fields, "page": f"{url.scheme}://{url.netloc}{url.path}"}


@pytest.mark.parametrize("path", ["", "/v1", "/v1/"])
def test_all_is_known_from_the_address_of_the_api(api: Api, module: str, path: str) -> None:
    """Issuer, default scopes and resource; what cannot be a scope is left out; asked once."""
    api.path = path
    api.publish()
    made = api.provider(module)
    asked = authorize(made)
    assert asked["page"] == f"{api.issuer}/authorize"
    assert (asked["scope"], asked["resource"]) == ("tasks:read tasks:write", api.url)
    authorize(made)
    assert api.server.paths() == [WELL_KNOWN + path]


def test_the_application_knows_its_scopes_better(api: Api) -> None:
    """Those of the API are for applications that name none."""
    api.publish()
    assert authorize(api.provider(scopes=("tasks:read",)))["scope"] == "tasks:read"


@pytest.mark.parametrize(
    "header",
    [
        'Bearer resource_metadata="{url}/meta"',
        'Basic realm="resource_metadata=x", Bearer error="x", Resource_Metadata={url}/meta',
    ],
)
def test_a_401_says_where_the_metadata_is(api: Api, module: str, header: str) -> None:
    """Where there is none at the well-known place; the API is asked without a credential."""
    api.challenge(WWW_Authenticate=header.format(url=api.server.url))
    made = api.provider(module)
    assert authorize(made)["resource"] == api.url
    authorize(made)
    assert api.server.paths() == [f"{WELL_KNOWN}/v1", "/v1", "/meta"]
    assert not any("authorization" in seen.headers for seen in api.server.seen)


def test_a_slash_is_all_of_a_path(api: Api) -> None:
    """With it or without it is the same address; another path is another one."""
    api.path = ""
    api.publish(resource=f"{api.url}/")
    assert authorize(api.provider())["resource"] == f"{api.url}/"


BAD = [
    ({"resource": "https://evil.example"}, "about another resource: https://evil.example"),
    ({"resource": "{url}/"}, "about another resource"),
    ({"resource": "{url}/v2"}, "about another resource"),
    ({"resource": None}, "about another resource: none"),
    ({"resource": ["x"]}, "about another resource"),
    ({"authorization_servers": None}, "doesn't name an authorization server"),
    ({"authorization_servers": []}, "doesn't name an authorization server"),
    ({"authorization_servers": "https://id.example"}, "doesn't name an authorization server"),
    ({"authorization_servers": [5]}, "authorization_servers is not an http"),
    ({"authorization_servers": ["http://id.example"]}, "authorization_servers is not https"),
    ({"authorization_servers": ["https://u@id.example"]}, "contains a user name"),
    ({"authorization_servers": ["https://id.example?x"]}, "with a query"),
]


@pytest.mark.parametrize("fields, why", BAD)
def test_metadata_that_is_not_to_be_trusted(api: Api, fields: dict[str, Any], why: str) -> None:
    """A clear error, nothing is asked of anybody else, and nothing of it is remembered."""
    if isinstance(fields.get("resource"), str):
        fields = {"resource": fields["resource"].format(url=api.url)}
    api.publish(**fields)
    made = api.provider()
    with pytest.raises(LoginFailed, match=why) as failed:
        authorize(made)
    assert failed.value.code == "AUTH_OAUTH_FAILED"
    assert set(api.server.paths()) == {f"{WELL_KNOWN}/v1"}
    api.publish()
    assert authorize(made)["resource"] == api.url


@pytest.mark.parametrize(
    "status, header",
    [
        (200, 'Bearer resource_metadata="{url}/meta"'),
        (401, 'Bearer realm="resource_metadata={url}/meta"'),
        (401, 'Bearer resource_metadata="http://evil.example/meta"'),
        (401, 'Bearer resource_metadata="/meta"'),
        (302, "Bearer"),
        (401, "x" * 60_000),
    ],
)
def test_an_api_that_does_not_say(api: Api, status: int, header: str) -> None:
    """Only a 401 does, with an absolute URL to which one may go; no redirect is followed."""
    said = {"WWW_Authenticate": header.format(url=api.server.url), "Location": "/meta"}
    api.challenge(status, **said)
    with pytest.raises(LoginFailed, match=r"doesn't say who issues|resource_metadata"):
        authorize(api.provider())
    assert "/meta" not in api.server.paths()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply("<html>welcome</html>"), id="TE-01"),
        pytest.param(say([]), id="TE-02"),
        pytest.param(reply('{"resource": "x", "resource": "y"}'), id="TE-07"),
        pytest.param(reply("[" * 100_000), id="TE-09"),
        pytest.param(reply('{"x": ' + "9" * 5000 + "}"), id="TE-09 number"),
        pytest.param(reply("x" * (1 << 21)), id="huge"),
        pytest.param(say({"error": "invalid_grant"}, 400), id="TE-17"),
        pytest.param(say({}, 503), id="TE-11"),
    ],
)
@pytest.mark.parametrize("is_pointed_to", [False, True])
def test_what_is_no_metadata_ends_no_session(
    api: Api, answer: bytes, *, is_pointed_to: bool
) -> None:
    """A typed error, of a refresh too: whatever the API says, the grant is not called dead."""
    place = f"{WELL_KNOWN}/v1"
    if is_pointed_to:
        api.challenge(WWW_Authenticate=f"Bearer resource_metadata={api.server.url}/meta")
        place = "/meta"
    api.server.on[place] = answer
    with pytest.raises((LoginFailed, Unreachable)):
        authorize(api.provider())
    with pytest.raises(Unreachable):
        api.provider().refresh(TokenBundle("old", "r-1"))
    assert api.provider().revoke(TokenBundle("old", "r-1")) is False


def test_te_13_te_14_an_api_that_is_not_there(api: Api, module: str) -> None:
    """One deadline, and it is the network that is blamed."""
    api.server.on[f"{WELL_KNOWN}/v1"] = hang
    with pytest.raises(LoginFailed, match=r"didn't respond within 0\.3 seconds"):
        authorize(api.provider(module, http_timeout=0.3))
    api.server.on[f"{WELL_KNOWN}/v1"] = reset
    with pytest.raises(LoginFailed, match="closed the connection"):
        authorize(api.provider(module))
    gone = OAuthProvider(client_id="x", api_url="http://127.0.0.1:9/v1")
    with pytest.raises(Unreachable, match="can't be reached"):
        gone.authorize(LoginRequest(redirect_uri=URI))


def test_what_such_a_provider_is() -> None:
    """Named by its API, with every way to log in; a secret goes to no server that an API names."""
    made = OAuthProvider(client_id="x", api_url="https://api.todo.example/v1")
    assert made.display_name == "api.todo.example"
    assert made.binding == Binding(None, "x", "https://api.todo.example/v1")
    assert "--device" in made.options
    with pytest.raises(ValueError, match="client_secret"):
        OAuthProvider(client_id="x", client_secret="s", api_url="https://api.todo.example")


class Person:
    """Somebody with a command line for that API."""

    def __init__(self, api: Api, server: AuthorizationServer, tmp_path: Path) -> None:
        self.api = api
        self.cache = tmp_path / "config" / "cache"
        provider = OAuthProvider(
            client_id="todo-cli",
            api_url=api.url,
            identify=lambda client: client.get("/me").raise_for_status().json(),
        )
        self.todo = Todo(server, tmp_path, provider=provider)
        api.server.on[f"{api.path}/me"] = say({"id": "ada"})

    def record(self) -> Any:
        """Return ada's record."""
        return self.todo.auth.context.store.record_of("ada")


@pytest.fixture
def person(api: Api, auth_server: AuthorizationServer, tmp_path: Path) -> Person:
    """Somebody who has logged in."""
    api.publish()
    person = Person(api, auth_server, tmp_path)
    result = person.todo.run("auth", "login")
    assert result.exit_code == 0, result.output
    return person


def test_a_fresh_token_needs_no_look_at_the_metadata(person: Person) -> None:
    """The credential is bound to the API's address; a refresh goes to the server it named."""
    record, server = person.record(), person.todo.server
    assert (record.resource, record.issuer) == (person.api.url, server.issuer)
    server.journal.clear()
    person.api.server.seen.clear()
    assert person.todo.run("auth", "token").exit_code == 0
    assert (len(server.journal), person.api.server.paths()) == (0, [])
    assert person.todo.run("auth", "refresh").exit_code == 0
    assert server.posts("token")[0].form["resource"] == person.api.url
    assert person.todo.run("auth", "logout").exit_code == 0
    assert server.posts("revoke")


def test_a_token_is_for_no_other_api(person: Person, tmp_path: Path) -> None:
    """Nor is one that was bound to an issuer only."""
    store = person.todo.auth.context.token_store
    other = OAuthProvider(client_id="todo-cli", api_url=f"{person.api.url}/other")
    todo = Todo(person.todo.server, tmp_path, provider=other, store=store)
    result = todo.run("auth", "token")
    assert result.exit_code == 4
    assert f"logged in at {person.api.url}, not at {person.api.url}/other" in result.stderr
    binding = Binding(person.api.issuer, "todo-cli")
    account = person.record().account
    person.todo.auth.context.store.log_in(account, TokenBundle("a-canary"), binding)
    result = person.todo.run("auth", "token")
    assert result.exit_code == 4
    assert "a-canary" not in result.stderr


def test_a_refresh_token_goes_to_no_server_that_the_api_names_later(person: Person) -> None:
    """The token that is valid still serves; the session stays for when the API is itself again."""
    with AuthorizationServer() as other:
        person.api.publish(authorization_servers=[other.issuer])
        shutil.rmtree(person.cache)
        result = person.todo.run("auth", "refresh")
        assert result.exit_code == 4
        assert f"logged in at {person.api.issuer}, not at {other.issuer}" in result.stderr
        assert person.todo.run("auth", "token").exit_code == 0
        assert not other.posts("token")
        result = person.todo.run("auth", "logout")
        assert "Couldn't revoke" in result.stderr
        assert not other.posts("revoke")


def test_a_server_that_is_gone_is_looked_for_anew(person: Person) -> None:
    """At the API, which may name another one by now."""
    server = person.todo.server
    shutil.rmtree(person.cache)
    server.faults.status["discovery"] = (404, "")
    assert person.todo.run("auth", "refresh").exit_code == 5
    server.faults.clear()
    asked = person.api.asked()
    assert person.todo.run("auth", "refresh").exit_code == 0
    assert person.api.asked() == asked + 1


def test_a_login_in_two_calls(api: Api, auth_server: AuthorizationServer, tmp_path: Path) -> None:
    """Bound as one in a single call is."""
    api.publish()
    person = Person(api, auth_server, tmp_path)
    begun = person.todo.run("auth", "login", "--no-wait", "--device", "--json")
    assert json.loads(begun.stdout)["pending"]["kind"] == "device"
    result = person.todo.run("auth", "login", "--resume")
    assert result.exit_code == 0, result.output
    assert person.record().resource == api.url


def test_the_record_file_names_the_api_only_where_it_binds(person: Person) -> None:
    """And what was written is read again."""
    record = person.record()
    stored = record.to_json()
    assert type(record).from_json(stored) == record
    assert stored.pop("resource") == person.api.url
    assert "resource" not in type(record).from_json(stored).to_json()


def test_an_error_leaves_what_is_stored(person: Person) -> None:
    """An API that forgets its metadata is no reason to log in again."""
    shutil.rmtree(person.cache)
    person.api.server.on[f"{WELL_KNOWN}/v1"] = MISSING
    result = person.todo.run("auth", "refresh")
    assert result.exit_code == 5
    assert "doesn't say who issues its tokens" in result.stderr
    assert person.todo.run("auth", "token").exit_code == 0


def test_what_is_remembered_of_another_resource_counts_for_nothing(api: Api) -> None:
    """Whoever put it there: the API itself is asked."""
    api.publish()
    made = api.provider()
    place = well_known(made.api_url or "")
    made.context.cache.save(place, api.document(resource="https://evil.example"))
    assert authorize(made)["resource"] == api.url
    assert api.asked() == 1
