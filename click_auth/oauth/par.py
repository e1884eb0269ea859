"""Pushed authorization requests (RFC 9126): the parameters go to the server, not to the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.oauth.token_response import usable_token
from click_auth.tokens import Hidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.oauth.server import Server

ENDPOINT = "pushed_authorization_request_endpoint"


def push(server: Server, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that stand for *parameters* in the URL. Raises `EndpointFailed`."""
    pushed = server.as_client(
        lambda each: server.post(
            ENDPOINT, Hidden({**parameters, "client_id": each.client_id}), each
        )
    )
    request_uri = usable_token(pushed.document.get("request_uri"), "request_uri")
    return {"client_id": server.client.client_id, "request_uri": request_uri}
