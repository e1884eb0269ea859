"""`auth git-credential`: git's helper protocol, for our hosts over https and for no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from children.conftest import TOKEN, Todo
from click_auth import (
    Account,
    Auth,
    MemoryTokenStore,
    OAuthProvider,
    TokenBundle,
    attach_git_credential,
)
from click_auth.testing import AuthorizationServer, FakeBrowser
from runner import CliRunner


@pytest.fixture
def helper(auth_server: AuthorizationServer) -> Callable[..., Any]:
    """Return what runs a helper for git.todo.example in this process, Ada being logged in."""
    provider = OAuthProvider(
        client_id="todo-cli",
        issuer=auth_server.issuer,
        api_url=auth_server.api_url,
        scopes=("tasks:read", "offline_access"),
    )
    auth = Auth("todo", provider, store=MemoryTokenStore())
    group = attach_git_credential(auth, hosts=["git.todo.example"])(click.Group("auth"))
    with auth.override(browser=FakeBrowser()):
        auth.login()
    return lambda *words, stdin: CliRunner().invoke(group, ["git-credential", *words], input=stdin)


def asked(protocol: str = "https", host: str = "git.todo.example", *more: str) -> str:
    """Return what git writes to a helper."""
    return "\n".join([f"protocol={protocol}", f"host={host}", *more, "", ""])


def test_git_gets_the_token_as_a_password(todo: Todo) -> None:
    """With its expiry, so that git does not keep it longer than it is good."""
    done = todo.run("git-credential", "get", stdin=asked())
    assert done.stdout.splitlines() == [
        "username=oauth2",
        f"password={TOKEN}",
        f"password_expiry_utc={todo.expires_at}",
    ]


def test_git_gets_the_name_that_it_asks_for(todo: Todo) -> None:
    """A name in the URL is the server's, not one of our accounts."""
    done = todo.run(
        "git-credential", "get", stdin=asked("https", "git.todo.example", "username=me")
    )
    assert done.stdout.startswith("username=me\n")


@pytest.mark.parametrize(
    "protocol, host, is_answered",
    [
        ("https", "GIT.todo.example:443", True),
        ("https", "code.todo.example:8443", True),
        ("https", "code.todo.example", False),
        ("https", "evil.example", False),
        ("https", "git.todo.example.evil.example", False),
        ("https", "evil.example#git.todo.example", False),
        ("https", "git.todo.example@evil.example", False),
        ("https", "git.todo.example:8443", False),
        ("https", "plain.todo.example", False),
        ("http", "git.todo.example", False),
        ("http", "plain.todo.example", False),
        ("ssh", "git.todo.example", False),
        ("", "", False),
    ],
)
def test_only_our_hosts_are_answered(
    todo: Todo, protocol: str, host: str, is_answered: bool
) -> None:
    """Another one gets silence, exit 0: git asks its next helper."""
    done = todo.run("git-credential", "get", stdin=asked(protocol, host))
    assert (TOKEN in done.stdout) is is_answered
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) is is_answered


@pytest.mark.parametrize("operation", ["store", "erase", "something-new"])
def test_what_is_no_question_changes_nothing(todo: Todo, operation: str) -> None:
    """Nothing is printed, nothing is forgotten."""
    before = (todo.folder / "auth.json").read_bytes()
    told = asked("https", "git.todo.example", "username=oauth2", f"password={TOKEN}")
    done = todo.run("git-credential", operation, stdin=told)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (todo.folder / "auth.json").read_bytes() == before


@pytest.mark.parametrize("stdin", ["", "\n", "nonsense", "=\n=\n", "host=\nprotocol=https\n" * 200])
def test_odd_questions_are_answered_by_silence(todo: Todo, stdin: str) -> None:
    """Git is not the only program that can start a helper."""
    done = todo.run("git-credential", "get", stdin=stdin)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_path_may_be_in_any_encoding(helper: Callable[..., Any]) -> None:
    """Git passes bytes on; neither path nor name decides whether the token is given."""
    question = asked("https", "git.todo.example", "path=dépôt.git", "username=zoé")
    done = helper("get", stdin=question.encode("latin-1"))
    assert done.exit_code == 0, done.output
    assert "password=" in done.stdout


def test_nobody_logged_in_is_said_to_the_person(todo: Todo) -> None:
    """On stderr, which git shows; git then asks for a password itself."""
    none = str(todo.folder / "none")
    done = todo.run("git-credential", "get", stdin=asked(), TODO_CONFIG_DIR=none)
    assert (done.returncode, done.stdout) == (4, "")
    assert "todo auth login" in done.stderr


@pytest.mark.parametrize("host, is_answered", [("api.test.example", True), ("api.example", False)])
def test_a_token_goes_to_the_service_of_its_account(
    tmp_path: Path, host: str, is_answered: bool
) -> None:
    """The default account is one of the test service; the other service never sees its token."""
    services = {
        name: OAuthProvider(
            client_id="todo-cli",
            authorization_endpoint=f"https://id.{domain}/authorize",
            token_endpoint=f"https://id.{domain}/token",
            api_url=f"https://api.{domain}",
        )
        for name, domain in {"prod": "example", "test": "test.example"}.items()
    }
    auth = Auth("todo", services, storage="plaintext", folder=tmp_path / "todo")
    ada = Account("ada", instance="test")
    auth.store.set_bundle(ada, TokenBundle("of-test"), promote_default=True)
    group = attach_git_credential(auth)(click.Group("auth"))
    done = CliRunner().invoke(group, ["git-credential", "get"], input=asked("https", host))
    assert done.exit_code == 0
    assert ("password=of-test\n" in done.stdout) is is_answered
    assert bool(done.output) is is_answered


def test_a_token_that_git_was_refused_is_not_given_again(
    helper: Callable[..., Any], auth_server: AuthorizationServer
) -> None:
    """`erase` names it: one refresh, and the next question is answered with another one."""
    first = helper("get", stdin=asked()).stdout.splitlines()[1]
    for _ in range(2):  # git says so again where the first answer came from its cache
        done = helper("erase", stdin=asked("https", "git.todo.example", first))
        assert (done.exit_code, done.output) == (0, "")
    second = helper("get", stdin=asked()).stdout.splitlines()[1]
    assert [each.partition("=")[0] for each in (first, second)] == ["password", "password"]
    assert first != second
    assert len(auth_server.posts("token", grant_type="refresh_token")) == 1
