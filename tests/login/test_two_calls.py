"""A login in two calls, `login --no-wait` and `login --resume`, for whoever cannot wait."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import httpx
import keyring
import pytest
import time_machine

from click_auth import Auth, LoginFailed, OAuthProvider, PendingLogin, Unreachable
from click_auth.login.pending import PendingLogins
from click_auth.testing import AuthorizationServer
from runner import CliRunner, Result
from stores.keyrings import Cellar

PROGRAM = Path(__file__).with_name("two_calls_program.py")
NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """Run an authorization server on which a person has to agree."""
    with AuthorizationServer(device_interval=0.05, auto_approve=False) as made:
        yield made


@pytest.fixture
def cellar() -> Iterator[Cellar]:
    """Put a good keyring into this process."""
    before, made = keyring.get_keyring(), Cellar()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


class Todo:
    """`todo` over a folder, as each process makes it anew."""

    def __init__(self, server: AuthorizationServer, folder: Path, **facts: Any) -> None:
        self.server, self.folder = server, folder
        self.facts = {
            "client_id": "todo-cli",
            "issuer": server.issuer,
            "scopes": ("tasks:read", "offline_access"),
            "api_url": server.api_url,
            "identify": lambda api: api.get("/me").raise_for_status().json(),
            **facts,
        }

    def auth(self, storage: str = "plaintext") -> Auth:
        """Return an `Auth` that remembers nothing."""
        return Auth("todo", OAuthProvider(**self.facts), storage=storage, folder=self.folder)

    def run(self, *words: str, stdin: str | None = None) -> Result:
        """Run `todo auth login WORDS`."""
        cli = click.Group("todo", commands=[self.auth().group()])
        return CliRunner().invoke(cli, ["auth", "login", *words], input=stdin, prog_name="todo")

    def begin(self, *words: str) -> dict[str, Any]:
        """Return what `login --no-wait --json` prints."""
        done = self.run("--no-wait", "--json", *words)
        assert done.exit_code == 0, done.output
        (pending,) = json.loads(done.stdout).values()
        return dict(pending)

    @property
    def files(self) -> list[Path]:
        """What is kept of logins that are pending."""
        return sorted((self.folder / "pending").glob("*"))

    def agree(self, url: str, user: str = "ada") -> str:
        """Return the URL that a browser ends on once the person has agreed."""
        self.server.auto_approve = True
        answer = httpx.get(f"{url}&login_hint={user}")
        self.server.auto_approve = False
        return str(answer.headers["location"])


def query_of(pending: dict[str, Any]) -> dict[str, str]:
    """Return what the URL of a login asks the server for."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(pending["url"]).query))


@pytest.fixture
def todo(server: AuthorizationServer, tmp_path: Path) -> Todo:
    """A `todo` with nobody logged in."""
    return Todo(server, tmp_path / "todo")


def test_an_agents_whole_story(todo: Todo, server: AuthorizationServer) -> None:
    """Start, show the person the URL and the code, poll, go on with the work."""
    pending = todo.begin()
    assert pending["kind"] == "device"
    assert pending["url"].startswith(server.issuer)
    assert pending["resume"] == f"todo auth login --resume {pending['id']}"
    assert datetime.fromisoformat(pending["expires_at"].replace("Z", "+00:00")) > NOW

    words = pending["resume"].split()[3:]
    waiting = todo.run(*words, "--timeout", "0", "--json")
    assert waiting.exit_code == 5
    assert json.loads(waiting.stderr.splitlines()[-1])["error"]["code"] == "AUTH_LOGIN_PENDING"
    assert pending["user_code"] in waiting.stderr
    assert "Wait at least" in waiting.stderr  # a server that is asked too often never says yes

    assert server.approve_device(pending["user_code"])
    done = todo.run(*words, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["account"]["id"] == "ada"
    assert todo.files == []
    with todo.auth().client() as api:
        assert api.get("/me").json()["id"] == "ada"


def test_a_login_in_a_browser_elsewhere(todo: Todo) -> None:
    """The person opens the URL anywhere, and pastes the one that their browser ends on."""
    pending = todo.begin("--no-device")
    assert (pending["kind"], pending["user_code"]) == ("redirect", None)
    redirect_uri = urllib.parse.parse_qs(urllib.parse.urlsplit(pending["url"]).query)[
        "redirect_uri"
    ]
    with pytest.raises(httpx.ConnectError):  # nothing listens
        httpx.get(redirect_uri[0])
    answer = todo.agree(pending["url"])
    done = todo.run("--resume", stdin=f"{answer}\n")
    assert done.exit_code == 0, done.output
    assert "ada" in done.stderr
    assert todo.files == []


@pytest.mark.parametrize(
    "pasted",
    ["", "\n", "no URL\nat all\n", "https://elsewhere.example/?code=abcdefgh&state=wrong\n"],
)
def test_a_wrong_paste_leaves_the_login_pending(todo: Todo, pasted: str) -> None:
    """Exit 5, and the next paste may be the right one."""
    pending = todo.begin("--no-device")
    done = todo.run("--resume", pending["id"], stdin=pasted)
    assert done.exit_code == 5, done.output
    answer = todo.agree(pending["url"])
    assert todo.run("--resume", pending["id"], stdin=answer).exit_code == 0


def test_a_refusal_ends_it(todo: Todo, server: AuthorizationServer) -> None:
    """On the device or in the browser: exit 1, nothing stays behind."""
    by_device, by_browser = todo.begin(), todo.begin("--no-device")
    assert server.deny_device(by_device["user_code"])
    assert todo.run("--resume", by_device["id"]).exit_code == 1
    query = query_of(by_browser)
    said = {"error": "access_denied", "state": query["state"], "iss": server.issuer}
    no = f"{query['redirect_uri']}?{urllib.parse.urlencode(said)}"
    assert todo.run("--resume", by_browser["id"], stdin=no).exit_code == 1
    assert todo.files == []


def test_several_wait_side_by_side(todo: Todo, server: AuthorizationServer) -> None:
    """Each by its name; without one the command says which there are."""
    first, second = todo.begin(), todo.begin("--user", "bob")
    unnamed = todo.run("--resume", "--timeout", "0")
    assert unnamed.exit_code == 1
    assert first["id"] in unnamed.stderr
    assert second["id"] in unnamed.stderr
    assert server.approve_device(second["user_code"], "bob")
    assert server.approve_device(first["user_code"], "ada")
    assert todo.run("--resume", second["id"]).exit_code == 0
    assert todo.run("--resume").exit_code == 0
    assert [each.account.id for each in todo.auth().accounts()] == ["bob", "ada"]


def test_somebody_else_who_logs_in_is_refused(todo: Todo, server: AuthorizationServer) -> None:
    """`--user` of the first call holds in the second."""
    pending = todo.begin("--user", "ada")
    assert server.approve_device(pending["user_code"], "bob")
    done = todo.run("--resume")
    assert done.exit_code == 1
    assert "not ada" in done.stderr
    assert todo.auth().accounts() == []


@pytest.mark.parametrize("name", ["", "abcdefghjkmn", "../../etc/passwd", "x" * 500, "ÄÖÜ"])
def test_what_is_not_pending_is_said(todo: Todo, name: str) -> None:
    """A name that nobody gave, or none where nothing waits: exit 1 and one line."""
    done = todo.run("--resume", name) if name else todo.run("--resume")
    assert done.exit_code == 1
    assert "pending" in done.stderr


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"version": 2}', b"\xff", b'{"version": 1, "id": "other"}']
)
def test_a_file_that_is_not_ours_is_refused(todo: Todo, content: bytes) -> None:
    """Whatever somebody has written there: one line, exit 1, and it is left as it is."""
    todo.begin()
    (path,) = todo.files
    path.write_bytes(content)
    done = todo.run("--resume")
    assert done.exit_code == 1
    assert path.read_bytes() == content


def test_an_expired_one_is_removed(todo: Todo) -> None:
    """At its resume, and where nobody resumes it at the next login's beginning."""
    with time_machine.travel(NOW, tick=False) as clock:
        first = todo.auth().begin_login()
        todo.auth().begin_login(device=False)
        clock.shift(24 * 3600)
        with pytest.raises(LoginFailed, match="expired"):
            todo.auth().finish_login(first)
        assert len(todo.files) == 1
        third = todo.auth().begin_login()
    assert [path.stem for path in todo.files] == [third.id]


def test_a_server_that_says_pending_for_ever_is_asked_until_the_code_expires(
    todo: Todo, server: AuthorizationServer
) -> None:
    """However long the caller would wait: then the login has expired, and is removed (DF-06)."""
    server.device_lifetime = 1.0
    todo.begin()
    server.faults.status["token"] = (400, '{"error": "authorization_pending"}')
    began = time.monotonic()
    with pytest.raises(LoginFailed, match="expired") as caught:
        todo.auth().finish_login(timeout=60)
    assert caught.value.code == "AUTH_CALLBACK_TIMEOUT"
    assert time.monotonic() - began < 5
    assert todo.files == []


def test_another_server_does_not_finish_it(todo: Todo, tmp_path: Path) -> None:
    """The application's configuration changed in between: nothing is sent there, and it stays."""
    todo.begin()
    with AuthorizationServer() as other, pytest.raises(LoginFailed, match="another server"):
        Todo(other, todo.folder).auth().finish_login()
    assert len(todo.files) == 1


@pytest.mark.skipif(os.name == "nt", reason="file modes")
def test_the_file_is_private_and_names_no_secret_to_others(todo: Todo) -> None:
    """0600 in a folder of 0700; what is shown of it holds no secret."""
    pending = todo.auth().begin_login(device=False)
    (path,) = todo.files
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    secrets = json.loads(json.loads(path.read_text())["begun"]["secrets"])
    assert secrets["code_verifier"] not in repr(pending) + json.dumps(pending.to_json())
    assert secrets["state"] in pending.url
    kept = PendingLogins(todo.auth().context).load(pending.id)
    assert secrets["state"] not in repr(pending) + repr(kept)
    assert isinstance(pending, PendingLogin)


def test_two_resumes_at_once_are_one_login(todo: Todo, server: AuthorizationServer) -> None:
    """Two processes: one finishes it, the other adopts what that has stored."""
    pending = todo.begin()
    told = {"ISSUER": server.issuer, "API": server.api_url, "FOLDER": str(todo.folder)}
    environ = {**os.environ, **told}
    both = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), "auth", "login", "--resume", pending["id"], "--json"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    server.journal.wait_for("token", count=2, timeout=60)
    assert server.approve_device(pending["user_code"])
    ended = [(process.communicate(timeout=60), process.returncode) for process in both]
    assert [code for _, code in ended] == [0, 0], ended
    assert {json.loads(out)["account"]["id"] for (out, _), _ in ended} == {"ada"}


def test_who_asks_once_does_not_wait_for_another_process_that_waits(
    todo: Todo, server: AuthorizationServer
) -> None:
    """A person waits for the code, an agent asks with `--timeout 0`: to it the login is pending."""
    pending = todo.begin()
    ended: list[str] = []
    person = threading.Thread(
        target=lambda: ended.append(todo.auth().finish_login(timeout=60).account.id)
    )
    person.start()
    server.journal.wait_for("token", timeout=60)
    with pytest.raises(Unreachable, match="Another process is finishing it") as caught:
        todo.auth().finish_login(timeout=0)
    assert caught.value.code == "AUTH_LOGIN_PENDING"
    assert server.approve_device(pending["user_code"])
    person.join()
    assert ended == ["ada"]


@pytest.mark.parametrize("option, value", [("acr_values", "phr phrh"), ("max_age", "0")])
def test_an_api_that_wants_a_stronger_login_gets_it_in_two_calls(
    todo: Todo, option: str, value: str
) -> None:
    """RFC 9470: strength and age are asked for in a browser, though the server has codes."""
    pending = todo.begin(f"--{option.replace('_', '-')}", value)
    assert pending["kind"] == "redirect"
    assert query_of(pending)[option] == value


def test_a_device_code_cannot_be_stronger(todo: Todo) -> None:
    """A device grant has no such parameter (RFC 8628): nothing is sent where both are wanted."""
    for options in (["--no-wait"], []):
        done = todo.run("--device", "--acr-values", "phr", *options)
        assert done.exit_code == 2
        assert "browser" in done.stderr
    auth = todo.auth("plaintext")
    for begin in (auth.login, auth.begin_login):
        with pytest.raises(ValueError, match="leave device=True out"):
            begin(device=True, acr_values="phr")
    assert todo.files == []
    assert todo.server.grants.devices == {}


@pytest.mark.parametrize(
    "options",
    [
        *(["--with-token"], ["--callback-port", "8123"], ["--timeout", "300"]),
        *(["--resume"], ["--resume", "x"]),
    ],
)
def test_no_wait_says_what_it_has_no_use_for(todo: Todo, options: list[str]) -> None:
    """Nothing that was typed is passed over in silence, and nothing begins."""
    done = todo.run("--no-wait", *options)
    assert (done.exit_code, f"{options[0]} can't be" in done.stderr) == (2, True), done.stderr
    assert todo.files == []


@pytest.mark.parametrize(
    "options",
    [
        *(["--user", "bob"], ["--scope", "tasks:write"], ["--device"], ["--no-browser"]),
        *(["--with-token"], ["--storage", "plaintext"], ["--max-age", "0"]),
    ],
)
def test_resume_says_what_it_has_no_use_for(todo: Todo, options: list[str]) -> None:
    """What a login is was said when it began; it stays as it is."""
    todo.begin()
    done = todo.run("--resume", *options)
    assert (done.exit_code, f"{options[0]} can't be" in done.stderr) == (2, True), done.stderr
    assert len(todo.files) == 1


@pytest.mark.real_keyring
@pytest.mark.parametrize("policy, own", [("system", None), ("plaintext", "system")])
def test_secrets_wait_in_the_keyring_where_tokens_go_there(
    todo: Todo, server: AuthorizationServer, cellar: Cellar, policy: str, own: str | None
) -> None:
    """Slot `pending-<id>`, emptied when the login ends, whoever chose it; the file has none."""
    pending = todo.auth(policy).begin_login(storage=own)
    slot = f"pending-{pending.id}"
    assert json.loads(cellar.get_password(f"todo/{slot}", slot)).keys() == {"device_code"}
    assert json.loads(todo.files[0].read_text())["begun"]["secrets"] is None
    assert server.approve_device(pending.user_code)
    todo.auth(policy).finish_login(pending.id)
    assert cellar.get_password(f"todo/{slot}", slot) is None


def test_a_program_waits_for_itself(todo: Todo, server: AuthorizationServer) -> None:
    """`begin_login` and `finish_login`, with the timeout of the caller."""
    pending = todo.auth().begin_login(scopes=["tasks:write"])
    with pytest.raises(Unreachable) as caught:
        todo.auth().finish_login(pending, timeout=0.2)
    assert caught.value.code == "AUTH_LOGIN_PENDING"
    timer = threading.Timer(0.2, server.approve_device, [pending.user_code])
    timer.start()
    result = todo.auth().finish_login(pending, timeout=60)
    timer.join()
    assert result.account.id == "ada"
    assert "tasks:write" in (todo.auth().store.active_bundle().scopes or ())  # type: ignore[union-attr]


def test_doctor_lists_them_and_logging_everybody_out_removes_them(todo: Todo) -> None:
    """Read-only the one, thorough the other."""
    ids = sorted(todo.begin()["id"] for _ in range(2))
    (check,) = [each for each in todo.auth().doctor().checks if each.name == "pending logins"]
    assert (check.value, check.verdict) == (", ".join(ids), "ok")
    todo.auth().logout(all=True)
    assert todo.files == []
