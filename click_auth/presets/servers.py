"""Presets of servers that publish what they are: an issuer is nearly all that they need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from click_auth.presets.oddities import LOCALHOST, LOOPBACK, Service, who

if TYPE_CHECKING:
    from click_auth.oauth.provider import OAuthProvider
    from click_auth.presets.oddities import Scopes, Secret

_TENANT_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def google(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Google. Set `api_url` to the API that you call.

    Register a client of the type Desktop app: it has a secret, which is none. `--device` needs a
    client of the type TVs and Limited Input devices. Scopes are named as answers name them, by
    their long names. Every login asks for consent, or there would be no refresh token.
    <https://developers.google.com/identity/protocols/oauth2/native-app>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        issuer="https://accounts.google.com",
        scopes=("openid", "https://www.googleapis.com/auth/userinfo.email"),
        authorize_params={"access_type": "offline", "prompt": "consent"},
        api_url="https://www.googleapis.com",
    )


def microsoft(
    client_id: str,
    *,
    tenant: str,
    scopes: Scopes = None,
    client_secret: Secret = None,
    **changes: Any,
) -> OAuthProvider:
    """Return the provider of Microsoft Entra for *tenant*: an id, a domain, or `common` and so on.

    Register the platform "Mobile and desktop applications" with `http://localhost/callback`, and
    allow public client flows for `--device`. Only a tenant's id names an issuer that can be
    compared: for the others the endpoints are given here. Entra revokes no single grant.
    <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow>
    """
    base = f"https://login.microsoftonline.com/{tenant}"
    whom: dict[str, Any] = {"issuer": f"{base}/v2.0"}
    if not _TENANT_ID.fullmatch(tenant):
        whom = {
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }
    return Service(
        (client_id, client_secret, scopes, changes),
        **whom,
        scopes=("openid", "profile", "offline_access", "https://graph.microsoft.com/User.Read"),
        redirect_uris=("http://localhost/callback",),
        api_url="https://graph.microsoft.com/v1.0/",
        identify=who("me", "id", "userPrincipalName"),
    )


def auth0(
    client_id: str,
    *,
    domain: str,
    audience: str | None = None,
    scopes: Scopes = None,
    client_secret: Secret = None,
    **changes: Any,
) -> OAuthProvider:
    """Return the provider of the Auth0 tenant at *domain*, for the API called *audience*.

    Register a Native application with `LOOPBACK` as callback URLs, the grants Refresh Token and
    Device Code, and Offline Access for the API. Without *audience* the access token is opaque
    and good for userinfo only. `api_url` is the audience, where that is an https URL.
    <https://auth0.com/docs/get-started/authentication-and-authorization-flow>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        issuer=f"https://{domain}/",
        scopes=("openid", "profile", "offline_access"),
        authorize_params={} if audience is None else {"audience": audience},
        redirect_uris=LOOPBACK,
        api_url=audience if (audience or "").startswith("https://") else f"https://{domain}",
    )


def okta(
    client_id: str,
    *,
    domain: str,
    server: str = "default",
    scopes: Scopes = None,
    client_secret: Secret = None,
    **changes: Any,
) -> OAuthProvider:
    """Return the provider of the authorization server *server* at the Okta org *domain*.

    Register a Native Application with `LOCALHOST` as sign-in redirect URIs and the grants
    Authorization Code, Refresh Token and Device Authorization. Set `api_url` to your API.
    <https://developer.okta.com/docs/guides/implement-grant-type/authcodepkce/main/>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        issuer=f"https://{domain}/oauth2/{server}",
        scopes=("openid", "profile", "offline_access"),
        redirect_uris=LOCALHOST,
        api_url=f"https://{domain}",
    )


def keycloak(
    client_id: str,
    *,
    url: str,
    realm: str,
    scopes: Scopes = None,
    client_secret: Secret = None,
    **changes: Any,
) -> OAuthProvider:
    """Return the provider of *realm* at the Keycloak server *url*. Set `api_url` to your API.

    Make a client with "Client authentication" off, "Standard flow" and "OAuth 2.0 Device
    Authorization Grant" on, and the redirect URI `http://127.0.0.1/callback`, good for each port.
    <https://www.keycloak.org/docs/latest/server_admin/#_oidc_clients>
    """
    base = url.rstrip("/")
    return Service(
        (client_id, client_secret, scopes, changes),
        issuer=f"{base}/realms/{realm}",
        scopes=("openid", "offline_access"),
        api_url=base,
    )


def gitlab(
    client_id: str,
    *,
    url: str = "https://gitlab.com",
    scopes: Scopes = None,
    client_secret: Secret = None,
    **changes: Any,
) -> OAuthProvider:
    """Return the provider of GitLab at *url*, yours or theirs.

    Register an application that is not confidential, with `http://127.0.0.1/callback`.
    <https://docs.gitlab.com/api/oauth2/>
    """
    base = url.rstrip("/")
    return Service(
        (client_id, client_secret, scopes, changes),
        issuer=base,
        scopes=("read_user",),
        api_url=f"{base}/api/v4/",
        identify=who("user", "id", "username"),
    )


def salesforce(
    client_id: str,
    *,
    domain: str,
    scopes: Scopes = None,
    client_secret: Secret = None,
    **changes: Any,
) -> OAuthProvider:
    """Return the provider of the Salesforce org at *domain*, `acme.my.salesforce.com` say.

    Make an external client app with the callback URL `http://localhost:1717/OauthRedirect`, PKCE
    required and no secret for the web server flow. Tokens say nothing of their expiry: a 401 is
    answered by a refresh. <https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        issuer=f"https://{domain}",
        scopes=("openid", "api", "refresh_token"),
        redirect_uris=("http://localhost:1717/OauthRedirect",),
        api_url=f"https://{domain}",
    )


def huggingface(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Hugging Face.

    Create a public application in the settings of your account, with the redirect URLs
    `LOCALHOST`. <https://huggingface.co/docs/hub/oauth>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        issuer="https://huggingface.co",
        scopes=("openid", "profile"),
        redirect_uris=LOCALHOST,
        api_url="https://huggingface.co",
    )
