"""The two parties beside a job: its CI system, and the server that trusts that."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

AUDIENCE = "https://api.todo.example"
JOB = "repo:acme/todo:ref:refs/heads/main"
KEY = RSAKey.generate_key(2048, {"kid": "ci"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "ci"})

# What marks a job of each of the CI systems, none of which may leak in from the outside.
MARKS = ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "GOOGLE_CLOUD_PROJECT")


def id_token(key: RSAKey = KEY, **claims: Any) -> str:
    """Return the ID token of a job, signed by its CI system."""
    now = int(time.time())
    usual = {"iss": "https://ci.example", "sub": JOB, "aud": AUDIENCE, "exp": now + 300}
    return jwt.encode({"alg": "RS256", "kid": "ci"}, {**usual, **claims}, key)


class Services(ThreadingHTTPServer):
    """The authorization server that trusts a CI system, and that system's own endpoint."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.forms: list[dict[str, str]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: tuple[int, dict[str, Any]] | None = None
        self.ci_answer: tuple[int, dict[str, Any] | bytes] | None = None

    def exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Return what a server answers that checks signature, audience and expiry (RFC 8693)."""
        self.forms.append(form)
        if self.answer is not None:
            return self.answer
        try:
            token = jwt.decode(form["subject_token"], KEY)
            registry = jwt.JWTClaimsRegistry(
                aud={"essential": True, "value": AUDIENCE}, sub={"essential": True, "value": JOB}
            )
            registry.validate(token.claims)
        except (JoseError, ValueError, KeyError) as problem:
            said = type(problem).__name__ + "\x1b[31m"
            return 400, {"error": "invalid_request", "error_description": f"no trust: {said}"}
        number = len(self.forms)
        return 200, {
            "access_token": f"access-{number}",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 600,
        }

    def issue(self, query: str, authorization: str) -> tuple[int, dict[str, Any] | bytes]:
        """Return what GitHub's endpoint answers, as its documentation describes it."""
        fields = {name: values[0] for name, values in parse_qs(query).items()}
        self.asked.append((authorization, fields))
        if self.ci_answer is not None:
            return self.ci_answer
        return 200, {"count": 1, "value": id_token(aud=fields["audience"])}


class _Handler(BaseHTTPRequestHandler):
    server: Services

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._send(*self.server.exchange(form))

    def do_GET(self) -> None:
        if self.path == "/tasks":
            self._send(200, {"as": self.headers["Authorization"]})
        else:
            query = urlsplit(self.path).query
            self._send(*self.server.issue(query, self.headers["Authorization"]))

    def _send(self, status: int, document: dict[str, Any] | bytes) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class Job:
    """What each CI system gives a job: variables, an endpoint, a program."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, services: Services, folder: Path) -> None:
        self._set = monkeypatch.setenv
        self._services = services
        self._folder = folder

    def github(self) -> None:
        """A job with `permissions: id-token: write`."""
        self._set("GITHUB_ACTIONS", "true")
        self._set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token")
        self._set("ACTIONS_ID_TOKEN_REQUEST_URL", f"{self._services.url}/token?api-version=2.0")

    def gitlab(self) -> None:
        """A job with `id_tokens:`, in the variable that `id` reads."""
        self._set("GITLAB_CI", "true")
        self._set("HTTPS___API_TODO_EXAMPLE_ID_TOKEN", id_token())

    def buildkite(self) -> None:
        """A job beside its agent, a program."""
        self._set("BUILDKITE", "true")
        self._program("buildkite-agent", ["oidc", "request-token", "--audience", AUDIENCE])

    def circleci(self) -> None:
        """A job beside its tool, a program."""
        self._set("CIRCLECI", "true")
        claims = json.dumps({"aud": AUDIENCE})
        self._program("circleci", ["run", "oidc", "get", "--claims", claims, "--root-issuer"])

    def file(self, token: str) -> Path:
        """A file, which Kubernetes and others write and write again."""
        path = self._folder / "token"
        path.write_text(f"{token}\n")
        self._set("TODO_ID_TOKEN_FILE", str(path))
        return path

    def _program(self, name: str, expected: list[str]) -> None:
        path = self._folder / "bin" / name
        path.parent.mkdir()
        path.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"assert sys.argv[1:] == {expected!r}, sys.argv\nprint({id_token()!r})\n"
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        self._set("PATH", os.pathsep.join([str(path.parent), os.environ["PATH"]]))
