"""What a client does when servers answer oddly, and when the account changes under it."""

from __future__ import annotations

import httpx
import pytest

from click_auth import ApiKeyProvider, Auth, NotLoggedIn
from click_auth.testing import Answer, AuthorizationServer, logged_in
from hostile.world import World


def test_rf_13_a_401_from_elsewhere_costs_no_refresh(world: World) -> None:
    """Where a redirect led to somebody who never saw the token, that token is not renewed."""
    with AuthorizationServer() as elsewhere:
        elsewhere.faults.status["api"] = (401, "{}")
        world.server.faults.redirect["api"] = f"{elsewhere.api_url}/file"
        auth = world.auth()
        logged_in(auth, server=world.server)
        with auth.client(follow_redirects=True) as api:
            assert [api.get("/me").status_code for _ in range(3)] == [401] * 3
        assert world.server.refresh_count == 0
        assert all("authorization" not in entry.headers for entry in elsewhere.journal)


def test_rf_13_a_401_after_a_redirect_at_home_is_ours(world: World) -> None:
    """A redirect within the origin keeps the token, and a 401 renews it, once."""
    auth = world.auth()
    logged_in(auth, server=world.server)
    world.server.expire_access_tokens()
    world.server.faults.answers["api"] = [Answer.redirect("/api/me", 307)]
    with auth.client(follow_redirects=True) as api:
        assert api.get("/tasks").status_code == 200
    assert world.server.refresh_count == 1


def test_lo_03_a_client_made_before_a_logout_is_no_longer_good(world: World) -> None:
    """A long-running program that first uses its client after a logout has no token to send."""
    auth = world.auth()
    logged_in(auth, server=world.server)
    with auth.client() as api:
        assert world.auth().logout(revoke=False).removed == ("ada",)
        with pytest.raises(NotLoggedIn, match="logged out"):
            api.get("/me")
    assert not [entry for entry in world.server.journal if entry.endpoint == "api"]


def test_the_applications_own_hooks_are_called(world: World) -> None:
    """`event_hooks` in `http_options` reach a client beside those that it is made with."""
    seen: list[str] = []
    hooks = {"request": [lambda request: seen.append("application")]}
    auth = world.auth(http_options={"event_hooks": hooks})
    logged_in(auth, server=world.server)
    own = {"request": [lambda request: seen.append("client")]}
    with auth.client(event_hooks=own) as api:
        api.get("/me")
    assert seen == ["application", "client"]


class TwoHeaders(ApiKeyProvider):
    """A service whose credential is two headers, of which a new token changes one."""

    def apply(self, request: httpx.Request, bundle: object) -> None:
        request.headers["X-Tenant"] = "tenant-secret"
        request.headers["X-Api-Key"] = bundle.access_token  # type: ignore[attr-defined]


class RenewedMeanwhile(TwoHeaders):
    """Somebody else logs in while the first answer, a 401, is on its way."""

    other: Auth

    def is_challenge(self, response: httpx.Response) -> bool:
        """Log in."""
        logged_in(self.other)
        return super().is_challenge(response)


def test_every_header_of_a_credential_stays_at_home_after_a_401(world: World) -> None:
    """The second attempt is as careful about redirects as the first one."""
    with AuthorizationServer() as elsewhere:
        service = RenewedMeanwhile(api_url=world.server.api_url)
        service.other = Auth("todo", service, storage="plaintext", folder=world.config)
        auth = Auth("todo", service, storage="plaintext", folder=world.config)
        logged_in(auth)
        world.server.faults.answers["api"] = [
            Answer(401),
            Answer.redirect(f"{elsewhere.api_url}/file", 307),
        ]

        with auth.client(follow_redirects=True) as api:
            api.get("/me")
        assert len(elsewhere.journal) == 1
        assert not {"x-tenant", "x-api-key"} & set(elsewhere.journal[0].headers)
