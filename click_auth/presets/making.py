"""How a preset is made of what it knows and what the application says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.oauth.provider import OAuthProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx

    Secret = str | Callable[[], str] | None
    Scopes = Sequence[str] | None

#: The ports of the redirect URIs to register where a service compares them whole.
PORTS = (8484, 8485, 8486)

LOCALHOST = tuple(f"http://localhost:{port}/callback" for port in PORTS)
LOOPBACK = tuple(f"http://127.0.0.1:{port}/callback" for port in PORTS)


def made(
    given: tuple[str, Secret, Scopes, Mapping[str, Any]],
    *,
    cls: type[OAuthProvider] = OAuthProvider,
    **facts: Any,
) -> OAuthProvider:
    """Return a provider made of a preset's *facts* and what the application has *given*.

    That is the client id and secret, the scopes or None, and arguments of `OAuthProvider`, which
    win over the facts.
    """
    client_id, client_secret, scopes, changes = given
    said = {} if scopes is None else {"scopes": tuple(scopes)}
    client = {"client_id": client_id, "client_secret": client_secret}
    return cls(**{**facts, **client, **said, **changes})


def who(
    path: str, id_field: str, label_field: str, method: str = "GET"
) -> Callable[[httpx.Client], Mapping[str, Any]]:
    """Return an `identify=` that reads two fields of what the API says at *path*."""

    def identify(api: httpx.Client) -> dict[str, Any]:
        person = api.request(method, path).raise_for_status().json()
        return {"id": person[id_field], "label": person.get(label_field)}

    return identify
