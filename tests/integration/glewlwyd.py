"""Debian's glewlwyd as a child process: the strictest of the servers here.

It is set up through its own administration API, and its login page is a program for a browser that
speaks to its own API: the people here speak to that too.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from integration.machine import HERE, command
from integration.processes import child
from integration.signing import rsa_pair
from integration.walk import PAGE_SECONDS
from login.waiting import unused_port

# What the package would fill a database with when it is configured by hand.
SCHEMA = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
ADMINISTRATOR = {"username": "admin", "password": "password"}
ADA = {"username": "ada", "password": "only for tests"}
DEVICE_INTERVAL = 1
PLUGIN: dict[str, Any] = {
    "jwt-type": "rsa",
    "jwt-key-size": "256",
    "jwks-show": True,
    "subject-type": "public",
    "access-token-duration": 3600,
    "refresh-token-duration": 86400,
    "code-duration": 600,
    "refresh-token-rolling": True,
    "refresh-token-one-use": "always",
    "allow-non-oidc": True,
    "auth-type-code-enabled": True,
    "auth-type-client-enabled": True,
    "auth-type-device-enabled": True,
    "auth-type-refresh-enabled": True,
    "auth-type-token-enabled": False,
    "auth-type-password-enabled": False,
    "pkce-allowed": True,
    "pkce-required": True,
    "introspection-revocation-allowed": True,
    "introspection-revocation-allow-target-client": True,
    "device-authorization-expiration": 600,
    "device-authorization-interval": DEVICE_INTERVAL,
    "name-claim": "mandatory",
}
PUBLIC = {"client_id": "todo-cli"}
CONFIDENTIAL = {"client_id": "todo-basic", "client_secret": "todo-basic-secret"}
METHODS = ["client_secret_basic", "client_secret_post"]
# Only a client that may act for itself may revoke its tokens.
GRANTS = ["code", "refresh_token", "device_authorization", "client_credentials"]


@dataclass(frozen=True)
class Glewlwyd:
    """The server at `issuer`, whose clients may come back to `redirect_uri` and nowhere else."""

    issuer: str
    redirect_uri: str

    @property
    def api(self) -> str:
        """Where its own pages send what people do."""
        return self.issuer.removesuffix("/oidc")

    @contextlib.contextmanager
    def session(self, who: dict[str, str]) -> Iterator[httpx.Client]:
        """Give the browser of somebody who has logged in."""
        with httpx.Client(base_url=self.api, timeout=PAGE_SECONDS) as browser:
            browser.post("/auth/", json=who).raise_for_status()
            yield browser

    def authorize(self, url: str) -> None:
        """Visit an authorization request as Ada who agrees, and follow it back to the program."""
        client = httpx.URL(url).params["client_id"]
        with self.session(ADA) as browser:
            # Nobody is sent back before the person has agreed: to the login page only.
            page = browser.get(url)
            assert page.headers["Location"].startswith(f"{self.api.removesuffix('api')}login.html")
            browser.get(page.headers["Location"]).raise_for_status()
            consent = browser.put(f"/auth/grant/{client}/", json={"scope": "openid"})
            consent.raise_for_status()
            # How its login page says that the person is done.
            back = browser.get(f"{url}&g_continue")
            httpx.get(back.headers["Location"], timeout=PAGE_SECONDS)

    def allow_device(self, user_code: str, client: str) -> None:
        """Enter the code that a device shows, as Ada who agrees."""
        page = f"{self.issuer}/device?code={user_code}"
        with self.session(ADA) as browser:
            browser.put(f"/auth/grant/{client}/", json={"scope": "openid"}).raise_for_status()
            done = browser.get(f"{page}&g_continue")
        assert done.headers["Location"].endswith("prompt=deviceComplete")

    def slow_devices_down(self, seconds: int) -> None:
        """Have the server answer `slow_down` to who asks more often than every *seconds*."""
        with self.session(ADMINISTRATOR) as administrator:
            plugin = administrator.get("/mod/plugin/oidc").raise_for_status().json()
            plugin["parameters"]["device-authorization-interval"] = seconds
            administrator.put("/mod/plugin/oidc", json=plugin).raise_for_status()
            administrator.put("/mod/plugin/oidc/reset", json={}).raise_for_status()

    def honours(self, token: str) -> bool:
        """Return whether an access token still opens its userinfo."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{self.issuer}/userinfo", headers=headers, timeout=PAGE_SECONDS)
        return answer.status_code == httpx.codes.OK

    def is_active(self, token: str) -> bool:
        """Return whether the server still honours a token of the confidential client."""
        client = (CONFIDENTIAL["client_id"], CONFIDENTIAL["client_secret"])
        url, data = f"{self.issuer}/introspect", {"token": token}
        answer = httpx.post(url, auth=client, data=data, timeout=PAGE_SECONDS)
        return bool(answer.raise_for_status().json()["active"])

    def refresh(self, token: str) -> httpx.Response:
        """Try to use a refresh token of the public client."""
        fields = {"grant_type": "refresh_token", "refresh_token": token, **PUBLIC}
        return httpx.post(f"{self.issuer}/token", data=fields, timeout=PAGE_SECONDS)


@contextlib.contextmanager
def glewlwyd(folder: Path) -> Iterator[Glewlwyd]:
    """Run the server, with Ada and two clients."""
    program = command("glewlwyd", "glewlwyd")
    database, settings, port = folder / "glewlwyd.db", folder / "glewlwyd.conf", unused_port()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript(SCHEMA.read_text(encoding="utf-8"))
    template = (HERE / "glewlwyd.conf").read_text(encoding="utf-8")
    settings.write_text(template.format(port=port, database=database), encoding="utf-8")
    issuer = f"http://127.0.0.1:{port}/api/oidc"
    server = Glewlwyd(issuer, f"http://127.0.0.1:{unused_port()}/callback")
    with child(
        [program, f"--config-file={settings}"],
        env={"PATH": os.environ["PATH"]},
        log=folder / "glewlwyd.log",
        ready=lambda: answers(f"http://127.0.0.1:{port}/config"),
    ):
        fill(server)
        yield server


def answers(url: str) -> bool:
    """Return whether somebody listens there."""
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def fill(server: Glewlwyd) -> None:
    """Have an OpenID issuer, one person, and the clients, as an administrator would."""
    private, public = rsa_pair()
    parameters = {**PLUGIN, "iss": server.issuer, "key": private, "cert": public}
    plugin = {"module": "oidc", "name": "oidc", "display_name": "OpenID", "order_rank": 0}
    common = {"enabled": True, "redirect_uri": [server.redirect_uri], "scope": ["openid"]}
    public_client = {**PUBLIC, "confidential": False, "authorization_type": GRANTS[:3]}
    confidential = {**CONFIDENTIAL, "confidential": True, "authorization_type": GRANTS}
    with server.session(ADMINISTRATOR) as administrator:
        for path, body in (
            ("/mod/plugin/", plugin | {"parameters": parameters}),
            ("/user/", {**ADA, "name": "Ada", "scope": ["openid", "g_profile"]}),
            ("/client/", common | public_client),
            ("/client/", common | confidential | {"token_endpoint_auth_method": METHODS}),
        ):
            administrator.post(path, json=body).raise_for_status()
