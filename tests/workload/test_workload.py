"""A CI job logs in by its own ID token: nothing is stored, nothing has to be rotated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest
import time_machine

from click_auth import (
    Account,
    Auth,
    AuthError,
    NotLoggedIn,
    OAuthProvider,
    TokenBundle,
    Unreachable,
)
from runner import CliRunner
from workload.parties import AUDIENCE, KEY, OTHER_KEY, Job, Services, id_token

SYSTEMS = ["github", "gitlab", "buildkite", "circleci"]


def run(auth: Auth, *words: str) -> Any:
    """Run `todo auth WORDS` in this process."""
    return CliRunner().invoke(click.Group("todo", commands=[auth.group()]), ["auth", *words])


@pytest.mark.parametrize(
    "system",
    [
        pytest.param(
            each,
            marks=pytest.mark.skipif(
                os.name == "nt" and each in ("buildkite", "circleci"), reason="a POSIX program"
            ),
        )
        for each in SYSTEMS
    ],
)
def test_a_job_calls_the_api_with_nothing_stored(
    auth: Auth, services: Services, job: Job, tmp_path: Path, system: str
) -> None:
    """One exchange for a thousand requests; no file, no keyring, no account."""
    getattr(job, system)()
    with auth.client() as api:
        said = [api.get("/tasks").json()["as"] for _ in range(3)]
    assert said == ["Bearer access-1"] * 3
    (form,) = services.forms
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"
    assert form["subject_token_type"] == "urn:ietf:params:oauth:token-type:id_token"
    assert (form["scope"], form["client_id"]) == ("tasks:read", "todo-cli")
    assert auth.current_account() is None
    assert not (tmp_path / "todo" / "auth.json").exists()


def test_github_is_asked_for_the_audience_of_the_provider(
    auth: Auth, services: Services, job: Job
) -> None:
    """With the job's own request token."""
    job.github()
    assert auth.access_token() == "access-1"
    assert set(map(str, services.asked)) == {
        str(("bearer request-token", {"api-version": "2.0", "audience": AUDIENCE}))
    }


def test_status_says_where_the_token_comes_from(auth: Auth, job: Job) -> None:
    """Source "workload", and no account: nobody knows whose it is."""
    job.gitlab()
    done = run(auth, "status", "--json")
    status = json.loads(done.stdout)
    assert (status["state"], status["source"], status["account"]) == ("ok", "workload", None)
    assert run(auth, "account", "current").exit_code == 2


def test_a_file_is_read_anew_at_each_exchange(auth: Auth, services: Services, job: Job) -> None:
    """Kubernetes writes a new one before the old one ends."""
    later = int(time.time()) + 3600
    first, second = id_token(jti="1"), id_token(jti="2", exp=later)
    path = job.file(first)
    with auth.client() as api, time_machine.travel(time.time()) as clock:
        api.get("/tasks")
        path.write_text(second)
        clock.shift(590)
        assert api.get("/tasks").json()["as"] == "Bearer access-2"
    assert [form["subject_token"] for form in services.forms] == [first, second]


@pytest.mark.parametrize(
    "key, claims, problem",
    [
        (KEY, {"aud": "https://elsewhere.example"}, "InvalidClaimError"),
        (OTHER_KEY, {}, "BadSignatureError"),
        (KEY, {"exp": 1}, "ExpiredTokenError"),
    ],
    ids=["audience", "signature", "expired"],
)
def test_a_token_that_the_server_does_not_trust_is_its_refusal(
    auth: Auth, job: Job, key: Any, claims: dict[str, Any], problem: str
) -> None:
    """Exit 4, in the server's words without their colours, and never the token."""
    token = id_token(key, **claims)
    job.file(token)
    with pytest.raises(NotLoggedIn) as caught:
        auth.access_token()
    said = caught.value.format_message()
    assert "127.0.0.1" in said
    assert f"no trust: {problem}" in said
    assert "This CI job's ID token was rejected" in said
    assert "\x1b" not in said
    assert token not in said


def test_a_server_that_is_down_is_worth_another_try(
    auth: Auth, services: Services, job: Job
) -> None:
    """Exit 5, as at a refresh."""
    services.answer = (503, {})
    job.gitlab()
    with pytest.raises(Unreachable):
        auth.access_token()


@pytest.mark.parametrize(
    "environ, lacks",
    [
        ({"GITHUB_ACTIONS": "true"}, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        ({"GITLAB_CI": "true"}, "HTTPS___API_TODO_EXAMPLE_ID_TOKEN"),
        ({"BUILDKITE": "true"}, "Buildkite agent"),
        ({"CIRCLECI": "true"}, "circleci"),
    ],
)
def test_a_job_that_gets_no_id_token_is_told_what_it_lacks(
    auth: Auth, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], lacks: str
) -> None:
    """It falls through to the store; where nobody is logged in there, the error says why."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NotLoggedIn, match="Not logged in") as caught:
        auth.access_token()
    assert lacks in caught.value.format_message()
    auth.store.set_bundle(Account("ada"), TokenBundle("stored"), promote_default=True)
    assert auth.access_token() == "stored"


def test_a_ci_system_that_answers_oddly_is_named(auth: Auth, services: Services, job: Job) -> None:
    """That side refused, not the server; what it answered is not quoted."""
    services.ci_answer = (500, {"secret": "canary"})
    job.github()
    with pytest.raises(NotLoggedIn) as caught:
        auth.access_token()
    said = caught.value.format_message()
    assert "GitHub" in said
    assert "500" in said
    assert "canary" not in said
    assert not services.forms


def test_a_ci_system_whose_answer_is_no_text_is_no_crash(
    auth: Auth, services: Services, job: Job
) -> None:
    """The page of a proxy may be in any encoding; the job falls through to the store."""
    services.ci_answer = (502, "Passerelle indisponible, réessayez".encode("latin-1"))
    job.github()
    with pytest.raises(NotLoggedIn) as caught:
        auth.access_token()
    assert "This CI job got no ID token" in caught.value.format_message()


def test_an_explicit_account_and_the_variables_come_first(
    auth: Auth, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--user`, `TODO_TOKEN`, the client of CI, then the job's identity, then the store."""
    auth.store.set_bundle(Account("ada"), TokenBundle("stored"), promote_default=True)
    job.gitlab()
    assert auth.access_token().startswith("access-")
    assert auth.access_token("ada") == "stored"
    monkeypatch.setenv("TODO_TOKEN", "from-variable")
    assert auth.access_token() == "from-variable"


@pytest.mark.parametrize("content", [None, "", "two\nlines", "\x00"])
def test_a_file_without_a_token_is_a_setting_that_makes_no_sense(
    auth: Auth, job: Job, content: str | None
) -> None:
    """The variable is named, and nothing is sent."""
    path = job.file(content or "")
    if content is None:
        path.unlink()
    with pytest.raises(AuthError, match="TODO_ID_TOKEN_FILE") as caught:
        auth.access_token()
    assert caught.value.code == "AUTH_BAD_SETTING"


def test_a_provider_without_an_audience_asks_no_ci_system() -> None:
    """Nor does it load anything for that: nobody pays for what is not used."""
    script = """
import sys
from click_auth import Auth, OAuthProvider
provider = OAuthProvider(client_id="x", authorization_endpoint="https://i.example/a",
                         token_endpoint="https://i.example/t", api_url="https://a.example")
auth = Auth("todo", provider)
ours = {"id", "urllib3", "click_auth.oauth.workload"}
print(auth.access_token(), sorted(ours & set(sys.modules)))
"""
    environ = {**os.environ, "GITHUB_ACTIONS": "true", "TODO_TOKEN": "x"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "x []\n"


def test_the_package_that_finds_the_token_may_be_missing(auth: Auth, tmp_path: Path) -> None:
    """The error says which extra to install."""
    script = """
import sys
sys.modules["id"] = None
from click_auth import Auth, OAuthProvider, NotLoggedIn
provider = OAuthProvider(client_id="x", authorization_endpoint="https://i.example/a",
    token_endpoint="https://i.example/t", api_url="https://a.example", workload_audience="a")
try:
    Auth("todo", provider, storage="plaintext").access_token()
except NotLoggedIn as error:
    print(error.format_message())
"""
    environ = {**os.environ, "GITLAB_CI": "true", "TODO_CONFIG_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True
    )
    assert "click-auth[ci]" in done.stdout


def test_a_function_of_addresses_need_not_know_a_default_one(tmp_path: Path) -> None:
    """It is not asked for one before somebody logs in there."""

    def make(instance: str | None) -> OAuthProvider:
        return OAuthProvider(
            client_id="x",
            authorization_endpoint=instance + "/authorize",  # type: ignore[operator]
            token_endpoint=instance + "/token",  # type: ignore[operator]
        )

    auth = Auth("todo", make, storage="plaintext", folder=tmp_path)
    with pytest.raises(NotLoggedIn, match="Not logged in"):
        auth.access_token()
