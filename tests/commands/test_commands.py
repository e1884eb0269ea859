"""What the commands print, where they print it, and what they exit with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from click_auth import Account, TokenBundle, attach_status
from click_auth.testing import logged_in
from commands.conftest import Todo

ADA = {"key": "ada", "id": "ada", "label": "ada@todo.example", "instance": None}


def test_login_and_all_that_follows(todo: Todo) -> None:
    """Log in, look, use, renew, log out: each says on stderr what it did, and data on stdout."""
    done = todo.run("auth", "login")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "Logged in as ada@todo.example (ada), now the default account." in done.stderr
    status = todo.run("auth", "status")
    assert (status.exit_code, status.stderr) == (0, "")
    assert "ada@todo.example (ada)  ok  (default)" in status.stdout
    token = todo.run("auth", "token")
    assert token.stdout == todo.auth.access_token()
    renewed = todo.run("auth", "refresh")
    assert renewed.stdout == ""
    assert "Refreshed the token of ada@todo.example (ada)" in renewed.stderr
    assert todo.run("auth", "token").stdout != token.stdout
    out = todo.run("auth", "logout")
    assert (out.exit_code, out.stdout) == (0, "")
    assert out.stderr == "Logged out: ada.\nNo account is in use.\n"
    assert not todo.server.family_alive("ada")
    assert todo.run("auth", "logout").exit_code == 0


def test_json_shapes(todo: Todo) -> None:
    """The objects of `--json`, as programs rely on them."""
    assert json.loads(todo.run("auth", "login", "--json").stdout) == {
        "account": {**ADA, "email": "ada@todo.example", "name": "Ada Lovelace"}
        if "email" in _account(todo)
        else _account(todo),
        "stored_in": "custom",
        "default": True,
    }
    status = json.loads(todo.run("auth", "status", "--json").stdout)
    assert set(status) == {
        *("state", "account", "default", "source", "expires_at", "refreshable", "scopes"),
    }
    assert (status["state"], status["default"], status["refreshable"]) == ("ok", True, True)
    assert status["account"].items() >= ADA.items()
    every = json.loads(todo.run("auth", "status", "--all", "--json").stdout)
    assert [each["account"]["key"] for each in every["accounts"]] == ["ada"]
    token = json.loads(todo.run("auth", "token", "--json").stdout)
    assert set(token) == {"access_token", "token_type", "expires_at", "account"}
    assert token["token_type"] == "Bearer"
    refreshed = json.loads(todo.run("auth", "refresh", "--json").stdout)
    assert set(refreshed) == {"account", "expires_at"}
    listed = json.loads(todo.run("auth", "account", "list", "--json").stdout)
    assert (listed["default"], listed["accounts"][0]["default"]) == ("ada", True)
    assert set(json.loads(todo.run("auth", "account", "use", "ada", "--json").stdout)) == {
        "account"
    }
    assert set(json.loads(todo.run("auth", "account", "current", "--json").stdout)) == {"account"}
    out = json.loads(todo.run("auth", "logout", "--json").stdout)
    assert out == {"ok": True, "removed": ["ada"], "revoked": True}


def _account(todo: Todo) -> dict[str, Any]:
    account = todo.auth.current_account()
    assert account is not None
    return account.to_json()


def test_ndjson_is_one_object_a_line(todo: Todo) -> None:
    """Where there are several, `--ndjson` prints each on a line of its own."""
    logged_in(todo.auth, "ada", server=todo.server)
    logged_in(todo.auth, "bob", server=todo.server)
    lines = todo.run("auth", "account", "list", "--ndjson").stdout.splitlines()
    assert [json.loads(line)["account"]["id"] for line in lines] == ["ada", "bob"]
    lines = todo.run("auth", "status", "--all", "--offline", "--ndjson").stdout.splitlines()
    assert [json.loads(line)["default"] for line in lines] == [False, True]


@pytest.mark.parametrize(
    "arguments",
    [("token",), ("refresh",), ("account", "current"), ("token", "--stored")],
    ids=" ".join,
)
def test_sx_06_nobody_logged_in_is_exit_4(todo: Todo, arguments: tuple[str, ...]) -> None:
    """Nobody logged in: nothing on stdout, one line on stderr with the way out, exit code 4."""
    result = todo.run("auth", *arguments)
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == "Error: Not logged in. Run `todo auth login`.\n"
    as_json = todo.run("auth", *arguments, "--json")
    assert (as_json.exit_code, as_json.stdout) == (4, "")
    assert json.loads(as_json.stderr) == {
        "error": {
            "code": "NOT_AUTHENTICATED",
            "message": "Not logged in.",
            "hints": ["Run `todo auth login`."],
        }
    }


def test_state_none_is_told_on_stdout(todo: Todo) -> None:
    """`status` with nobody logged in is an answer, with exit code 4."""
    result = todo.run("auth", "status")
    assert (result.exit_code, result.stdout) == (4, "Not logged in. Run `todo auth login`.\n")
    assert json.loads(todo.run("auth", "status", "--json").stdout)["state"] == "none"


def test_states_and_exit_codes(todo: Todo) -> None:
    """Refused, dead and unreachable are told apart."""
    logged_in(todo.auth, server=todo.server)
    todo.server.faults.status["api"] = (401, "{}")
    assert todo.run("auth", "status").exit_code == 4
    assert _state(todo) == "invalid"
    todo.server.faults.status["api"] = (503, "{}")
    assert todo.run("auth", "status").exit_code == 5
    assert _state(todo) == "unreachable"
    todo.server.faults.clear()
    todo.server.revoke_all()
    assert todo.run("auth", "status").exit_code == 4
    assert _state(todo) == "expired"
    assert todo.run("auth", "status", "--offline").exit_code == 4


def test_status_of_all_says_what_applies_where_no_account_is_stored(todo: Todo) -> None:
    """A token of the environment is shown and decides, and nobody is told that they are not in."""
    nobody = todo.run("auth", "status", "--all", "--offline")
    assert (nobody.exit_code, nobody.stdout) == (4, "Not logged in. Run `todo auth login`.\n")
    by_variable = todo.run("auth", "status", "--all", "--offline", TODO_TOKEN="t")
    assert by_variable.exit_code == 0
    assert by_variable.stdout.startswith("Token from the environment  ok\n")
    as_json = todo.run("auth", "status", "--all", "--offline", "--json", TODO_TOKEN="t")
    assert json.loads(as_json.stdout) == {"accounts": []}


def test_status_of_all_leaves_the_words_to_the_application(todo: Todo) -> None:
    """Where it renders nothing, nothing is printed of an account that is there."""
    logged_in(todo.auth, server=todo.server)
    attach_status(todo.auth, "who", render_text=lambda _: None)(todo.group)
    assert todo.run("auth", "who", "--all", "--offline").stdout == ""


def test_status_of_all_fails_where_the_only_record_is_damaged(
    make_todo: Callable[..., Todo], tmp_path: Path
) -> None:
    """Nothing is on stdout beside the error."""
    todo = make_todo(store=None, storage="plaintext")
    todo.run("auth", "login")
    file = tmp_path / "config" / "auth.json"
    root = json.loads(file.read_text())
    root["accounts"]["ada"]["generation"] = "x"
    file.write_text(json.dumps(root))
    done = todo.run("auth", "status", "--all")
    assert (done.exit_code, done.stdout) == (6, "")
    assert "is damaged" in done.stderr


@pytest.mark.parametrize("ended", ["at the API", "at the server"])
def test_status_of_a_dead_session_says_the_way_out(todo: Todo, ended: str) -> None:
    """As every other command does; a token that was just rejected is promised to nobody."""
    logged_in(todo.auth, server=todo.server)
    if ended == "at the API":
        todo.server.faults.status["api"] = (401, "{}")
    else:
        todo.server.revoke_all()
    shown = todo.run("auth", "status").stdout
    assert "todo auth login" in shown
    assert "expires in" not in shown


def _state(todo: Todo, *arguments: str) -> str:
    return str(json.loads(todo.run("auth", "status", "--json", *arguments).stdout)["state"])


def test_kr_14_status_offline_asks_nobody(todo: Todo) -> None:
    """Offline, the records say it all: no request is sent."""
    logged_in(todo.auth, server=todo.server, expires_in=-5)
    before = len(todo.server.journal)
    assert _state(todo, "--offline") == "ok"
    assert len(todo.server.journal) == before


def test_environment_token_is_told_everywhere(todo: Todo) -> None:
    """While `TODO_TOKEN` is set it wins, is shown as the source, and login and logout say so."""
    token = str(todo.server.issue()["access_token"])
    status = json.loads(todo.run("auth", "status", "--json", TODO_TOKEN=token).stdout)
    assert (status["state"], status["source"], status["account"]) == ("ok", "env", None)
    assert todo.run("auth", "token", TODO_TOKEN=token).stdout == token
    login = todo.run("auth", "login", TODO_TOKEN=token)
    assert "TODO_TOKEN is set and takes precedence" in login.stderr
    stored = todo.run("auth", "token", "--stored", TODO_TOKEN=token)
    assert stored.stdout not in ("", token)
    assert todo.run("auth", "token", "--user", "ada", TODO_TOKEN=token).stdout == stored.stdout
    logout = todo.run("auth", "logout", TODO_TOKEN=token)
    assert "TODO_TOKEN is still set" in logout.stderr


@pytest.mark.parametrize("token", ["a b", "a\nb", "ü", "a\x00b"])
def test_te_19_environment_token_with_odd_characters(todo: Todo, token: str) -> None:
    """A token that would forge headers or lines is refused, whoever sets it."""
    result = todo.run("auth", "token", TODO_TOKEN=token)
    assert (result.exit_code, result.stdout) == (4, "")


def test_which_account(todo: Todo) -> None:
    """`--user`, then `TODO_ACCOUNT`, then the default, then the only one; else say which."""
    logged_in(todo.auth, "ada", server=todo.server)
    logged_in(todo.auth, "bob", server=todo.server)
    assert _current(todo) == "bob"
    assert _current(todo, TODO_ACCOUNT="ada") == "ada"
    assert _current(todo, "--user", "BOB@todo.example", TODO_ACCOUNT="ada") == "bob"
    todo.run("auth", "account", "use", "ada")
    assert _current(todo) == "ada"
    missing = todo.run("auth", "account", "current", "--user", "eve")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "No account 'eve'." in missing.stderr
    removed = todo.run("auth", "account", "remove", "ada", "--json")
    assert json.loads(removed.stdout)["removed"] == ["ada"]
    assert _current(todo) == "bob"


def _current(todo: Todo, *arguments: str, **environ: str) -> str:
    result = todo.run("auth", "account", "current", "--json", *arguments, **environ)
    return str(json.loads(result.stdout)["account"]["id"])


def test_label_that_means_several(todo: Todo) -> None:
    """A label that two accounts share is no answer; their keys are."""
    for account_id in ("1", "2"):
        account = Account(id=account_id, label="Ada")
        todo.auth.store.set_bundle(account, TokenBundle("t" + account_id))
    result = todo.run("auth", "token", "--user", "ada")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "several accounts. Choose one with --user: 1, 2." in result.stderr
    assert todo.run("auth", "token", "--user", "2").stdout == "t2"
    nobody = todo.run("auth", "token")
    assert nobody.exit_code == 2
    envelope = json.loads(todo.run("auth", "token", "--json").stderr)
    assert envelope["error"]["code"] == "NO_ACCOUNT_SELECTED"


@pytest.mark.parametrize("text,code", [("90", 0), ("30m", 0), ("1x", 2), ("", 2)])
def test_min_ttl_is_a_duration(todo: Todo, text: str, code: int) -> None:
    """`--min-ttl` takes seconds, or a number with a unit."""
    logged_in(todo.auth, server=todo.server)
    result = todo.run("auth", "token", "--min-ttl", text)
    assert result.exit_code == code


def test_logout_works_offline(todo: Todo) -> None:
    """A logout without the server removes everything here, and says that the grant may live."""
    logged_in(todo.auth, server=todo.server)
    with todo.server.offline():
        result = todo.run("auth", "logout", "--json")
    assert json.loads(result.stdout) == {"ok": True, "removed": ["ada"], "revoked": False}
    assert "may still be valid" in result.stderr
    assert json.loads(result.stderr.splitlines()[0])["event"] == "warning"
    assert todo.auth.current_account() is None


def test_logout_of_everybody(todo: Todo) -> None:
    """`--all` removes every account; `--no-revoke` tells the server nothing."""
    logged_in(todo.auth, "ada", server=todo.server)
    logged_in(todo.auth, "bob", server=todo.server)
    result = todo.run("auth", "logout", "--all", "--no-revoke", "--json")
    assert json.loads(result.stdout) == {"ok": True, "removed": ["ada", "bob"], "revoked": None}
    assert todo.server.posts("revoke") == []


def test_login_as_somebody_else_is_refused(todo: Todo) -> None:
    """`--user` compares who logged in; a stranger's grant is revoked and nothing is stored."""
    logged_in(todo.auth, "ada", server=todo.server)
    todo.server.login_as = "bob"
    result = todo.run("auth", "login", "--user", "ada")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "You signed in as bob@todo.example, not ada." in result.stderr
    assert todo.server.posts("revoke")
    assert todo.run("auth", "account", "list", "--json").stdout.count('"key"') == 1


def test_with_token_from_stdin(todo: Todo) -> None:
    """A token on stdin is identified before it is stored; two lines are none."""
    token = str(todo.server.issue("bob")["access_token"])
    result = todo.run("auth", "login", "--with-token", stdin=token + "\n")
    assert result.exit_code == 0, result.stderr
    assert todo.run("auth", "token").stdout == token
    assert token not in result.output
    for wrong in ("", "a\nb", "not-a-token"):
        refused = todo.run("auth", "login", "--with-token", stdin=wrong)
        assert (refused.exit_code, refused.stdout) == (1, "")
    assert todo.run("auth", "token").stdout == token


def test_fewer_scopes_than_asked_for_are_shown(todo: Todo) -> None:
    """What was asked for and not granted is said, and the granted scopes are stored."""
    todo.server.faults.overlay["token"] = {"scope": "tasks:read"}
    result = todo.run("auth", "login", "--scope", "tasks:write")
    assert "Permissions not granted: tasks:write." in result.stderr
    assert json.loads(todo.run("auth", "status", "--json").stdout)["scopes"] == ["tasks:read"]


def test_scopes_add_to_those_already_granted(todo: Todo) -> None:
    """A later login with `--scope` keeps asking for what was granted before."""
    todo.run("auth", "login", "--scope", "extra:one")
    todo.run("auth", "login", "--scope", "extra:two")
    asked = [e for e in todo.server.journal.snapshot() if e.endpoint == "authorize"][-1]
    assert set(asked.query["scope"].split()) == {"tasks:read", "extra:one", "extra:two"}


def test_hints_of_the_application(make_todo: Callable[..., Todo]) -> None:
    """`hints=` are appended to every error."""
    todo = make_todo(hints=["Ask in #help."])
    result = todo.run("auth", "token")
    assert result.stderr == "Error: Not logged in. Run `todo auth login`. Ask in #help.\n"


def test_debug_log_shows_no_value(todo: Todo) -> None:
    """`TODO_AUTH_DEBUG=1` shows endpoints and statuses, never a token, a code or a state."""
    import logging

    logger = logging.getLogger("click_auth")
    before = logger.handlers[:], logger.level, logger.propagate
    try:
        plain = todo.run("auth", "login", TODO_AUTH_DEBUG="1")
        as_json = todo.run("auth", "refresh", "--json", TODO_AUTH_DEBUG="1")
    finally:
        logger.handlers[:], level, logger.propagate = before
        logger.setLevel(level)
    assert "/token" in plain.stderr
    assert all(json.loads(line) for line in as_json.stderr.splitlines())
    secrets = {
        value
        for entry in todo.server.journal.snapshot()
        for name, value in entry.form.items()
        if name in ("code", "code_verifier", "refresh_token", "token")
    }
    assert len(secrets) >= 3
    assert not [secret for secret in secrets if secret in plain.output + as_json.output]
