"""A whole login with parts that nobody here wrote: browser, authorization server, keyring."""

from __future__ import annotations

import json
from pathlib import Path

from integration.chromium import approve, fresh_page, photograph, refuse
from integration.provider import RunningProvider
from integration.todo import Todo


def test_a_login_lives_from_the_browser_to_the_revocation(
    todo: Todo, provider: RunningProvider, screenshots: Path
) -> None:
    """Login, keyring, a new process, an API call, logout; the provider confirms each end."""
    with todo.login("--json") as login, fresh_page() as page:
        approve(page, login.url, "ada")
        photograph(page, screenshots, "success")
        requests = page.evaluate("performance.getEntriesByType('resource').map(e => e.name)")
        code, stdout, stderr = login.finish()

    assert code == 0, stderr
    answer = json.loads(stdout)
    assert answer["stored_in"] == "system"
    assert answer["account"]["id"] == "ada"
    assert not [name for name in requests if "127.0.0.1" not in name]

    access, refresh = todo.slot("user-ada"), todo.slot("user-ada/refresh")
    token = todo.run("auth", "token")
    assert token.stdout == access
    assert provider.is_active(access)
    assert provider.is_active(refresh)
    on_disk = "".join(
        path.read_text(encoding="utf-8")
        for path in (todo.folder / "session" / "config").rglob("*")
        if path.is_file()
    )
    assert access not in on_disk
    assert refresh not in on_disk

    assert todo.run("me").stdout == "ada\n"
    assert todo.json("auth", "status")["state"] == "ok"

    assert todo.json("auth", "logout") == {"ok": True, "removed": ["ada"], "revoked": True}
    assert not provider.is_active(access)
    assert provider.refresh(refresh).json()["error"] == "invalid_grant"
    assert (todo.slot("user-ada"), todo.slot("user-ada/refresh")) == ("", "")
    assert todo.run("auth", "token").returncode == 4


def test_a_refusal_in_the_browser_ends_the_login_with_one_line(
    todo: Todo, provider: RunningProvider, screenshots: Path
) -> None:
    """Cancel at the provider: the page says so, the terminal too, and nothing is stored."""
    with todo.login() as login, fresh_page() as page:
        refuse(page, login.url)
        photograph(page, screenshots, "failure")
        code, stdout, stderr = login.finish()

    assert code == 1
    assert stdout == ""
    last = stderr.splitlines()[-1]
    assert last.startswith("Error: You declined the request in the browser. Nothing was stored.")
    assert provider.answers("POST /token") == []
    assert todo.run("auth", "status").returncode == 4
