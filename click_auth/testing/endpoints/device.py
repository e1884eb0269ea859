"""The device authorization endpoint and its page (RFC 8628)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from click_auth.testing import pages
from click_auth.testing.grants import Grant, whole
from click_auth.testing.messages import Answer, Request
from click_auth.testing.parties import authenticate

if TYPE_CHECKING:
    from click_auth.testing.service import Service


def device_authorization(service: Service, request: Request) -> Answer:
    """Open a device code; a server that approves by itself approves it at once."""
    client = authenticate(request, service.registered)
    grant = Grant(client.client_id, None, request.scopes)
    interval, lifetime = service.device_interval, service.device_lifetime
    device_code, user_code = service.devices.open(grant, interval, lifetime)
    if service.auto_approve:
        hint = service.login_as or request.form.get("login_hint")
        service.devices.decide(user_code, service.user(hint).id)
    page = f"{service.issuer.rstrip('/')}/device"
    return Answer.json(
        {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?{urlencode({'user_code': user_code})}",
            "expires_in": whole(lifetime),
            "interval": whole(interval),
        }
    )


def device_page(service: Service, request: Request) -> Answer:
    """Show the form, or take the decision."""
    if request.method == "GET":
        code = request.query.get("user_code", "")
        return pages.device(code, service.users, service.user(service.login_as))
    approved = request.form.get("decision") == "approve"
    user = service.user(request.form.get("user")).id if approved else None
    if not service.devices.decide(request.form.get("user_code", ""), user):
        return pages.notice("No such code", "The code is wrong, decided already or too old.", 400)
    if not approved:
        return pages.notice("Denied", "The device was not connected.")
    return pages.notice("Connected", "You can close this page and go back to your device.")
