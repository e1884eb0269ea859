"""`Auth.login(ui=...)`: the example of a login without a terminal."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import httpx
import pytest

from click_auth import Auth, LoginFailed, MemoryTokenStore, OAuthProvider
from click_auth.testing import AuthorizationServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "notebook.py"


@pytest.fixture
def auth(auth_server: AuthorizationServer) -> Auth:
    """A `todo` with nobody logged in."""
    provider = OAuthProvider(
        client_id="todo-cli",
        issuer=auth_server.issuer,
        api_url=auth_server.api_url,
        redirect_uris=("http://127.0.0.1:8484/callback",),
    )
    return Auth("todo", provider, store=MemoryTokenStore())


def test_a_notebook_logs_in(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL is shown and opened, the answer pasted, the end told; nothing goes to a terminal."""
    shown: list[str] = []
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)) or True)
    ui: Any = runpy.run_path(str(EXAMPLE))["NotebookUI"]

    def paste(_prompt: str) -> str:
        return str(httpx.get(opened[0]).headers["location"])

    result = auth.login(ui=ui(shown.append, paste))
    assert opened[0] in shown
    assert auth.current_account() == result.account
    assert result.account.title in shown[-1]


def test_a_person_who_pastes_nothing_is_not_logged_in(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is the program's to show."""
    monkeypatch.setattr("webbrowser.open", lambda _url: True)
    ui: Any = runpy.run_path(str(EXAMPLE))["NotebookUI"]
    with pytest.raises(LoginFailed, match="Nothing was pasted"):
        auth.login(ui=ui(lambda _text: None, lambda _prompt: ""))
    assert auth.current_account() is None
