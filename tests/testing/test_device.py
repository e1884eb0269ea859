from __future__ import annotations

import pytest

from click_auth.testing import AuthorizationServer, FakeBrowser
from testing.visitor import Visitor

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture
def server(server: AuthorizationServer) -> AuthorizationServer:
    """Wait for a person, at no pace in particular."""
    server.auto_approve = False
    server.device_interval = 0
    return server


def start(visitor: Visitor) -> dict[str, str]:
    """Ask for a device code."""
    answer: dict[str, str] = visitor.post("device_authorization", scope="tasks:read").json()
    return answer


def poll(visitor: Visitor, device: dict[str, str]) -> dict[str, str]:
    """Ask for its tokens."""
    form = {"grant_type": GRANT, "device_code": device["device_code"]}
    answer: dict[str, str] = visitor.post("token", **form).json()
    return answer


def test_the_answer_says_where_to_go(visitor: Visitor, server: AuthorizationServer) -> None:
    """A device code comes with a user code, addresses, a lifetime and a pace (RFC 8628 3.2)."""
    server.device_interval = 5
    device = start(visitor)

    assert device["verification_uri"] == f"{server.issuer}/device"
    assert device["verification_uri_complete"].endswith(f"?user_code={device['user_code']}")
    assert (device["expires_in"], device["interval"]) == (600, 5)


def test_a_server_that_approves_by_itself_approves_devices(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """With auto_approve the first poll yields tokens, and they are good once."""
    server.auto_approve = True
    device = start(visitor)

    tokens = poll(visitor, device)

    assert tokens["scope"] == "tasks:read"
    assert visitor.api("/me", tokens["access_token"]).status_code == 200
    assert poll(visitor, device)["error"] == "invalid_grant"


def test_polls_wait_for_the_decision(visitor: Visitor, server: AuthorizationServer) -> None:
    """Until somebody decides a poll is pending; then it yields tokens or access_denied."""
    approved, denied = start(visitor), start(visitor)

    assert poll(visitor, approved)["error"] == "authorization_pending"
    assert server.approve_device(approved["user_code"].lower(), "bob")
    assert server.deny_device()
    assert not server.approve_device()
    assert visitor.api("/me", poll(visitor, approved)["access_token"]).json()["id"] == "bob"
    assert poll(visitor, denied)["error"] == "access_denied"


def test_polling_too_fast_is_slowed_down(visitor: Visitor, server: AuthorizationServer) -> None:
    """A poll before the interval is over is told so, and the interval grows (RFC 8628 3.5)."""
    server.device_interval = 600
    device = start(visitor)
    server.approve_device()

    assert "access_token" in poll(visitor, device)
    late = start(visitor)
    assert poll(visitor, late)["error"] == "authorization_pending"
    assert poll(visitor, late)["error"] == "slow_down"
    server.grants.devices[late["device_code"]].polled_at -= 601  # more than was asked at first
    assert poll(visitor, late)["error_description"] == "wait 610 seconds between polls"


def test_a_device_code_expires(visitor: Visitor) -> None:
    """A poll after its time is expired_token, and nobody can approve any more."""
    with AuthorizationServer(auto_approve=False, device_lifetime=0, device_interval=0) as server:
        late = Visitor(server, visitor.http)
        device = start(late)

        assert poll(late, device)["error"] == "expired_token"
        assert not server.approve_device()


def test_ordered_errors_come_in_turn(visitor: Visitor, server: AuthorizationServer) -> None:
    """faults.device_errors answers polls, one each, before the real answer."""
    device = start(visitor)
    server.approve_device()
    server.faults.device_errors += ["slow_down", "authorization_pending"]

    answers = [poll(visitor, device) for _ in range(3)]

    assert [each.get("error") for each in answers] == ["slow_down", "authorization_pending", None]


@pytest.mark.parametrize("deny", [False, True])
def test_the_page_takes_a_decision(
    visitor: Visitor, server: AuthorizationServer, *, deny: bool
) -> None:
    """The device page knows the code of the complete address and takes the decision."""
    device = start(visitor)
    browser = FakeBrowser(deny=deny)

    browser.visit(device["verification_uri_complete"])

    assert "Connected" in browser.pages[-1] or deny
    assert ("error" in poll(visitor, device)) is deny


def test_the_page_takes_a_typed_code(visitor: Visitor, server: AuthorizationServer) -> None:
    """The code may be typed, in lower case and without the dash; a wrong one is refused."""
    device = start(visitor)
    typed = device["user_code"].lower().replace("-", "")

    wrong = visitor.http.post(device["verification_uri"], data={"user_code": "XXXX-XXXX"})
    FakeBrowser(fields={"user_code": typed}).visit(device["verification_uri"])

    assert wrong.status_code == 400
    assert "access_token" in poll(visitor, device)


def test_an_unknown_device_code_is_invalid(visitor: Visitor) -> None:
    """A code that was never issued, or none at all, is refused."""
    assert poll(visitor, {"device_code": "unknown"})["error"] == "invalid_grant"
    assert visitor.post("token", grant_type=GRANT).json()["error"] == "invalid_request"
