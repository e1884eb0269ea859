"""Presets of services that publish nothing, or have ways of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.presets import oddities
from click_auth.presets.oddities import LOCALHOST, LOOPBACK, Service, who

if TYPE_CHECKING:
    from click_auth.oauth.provider import OAuthProvider
    from click_auth.presets.oddities import Scopes, Secret


def github(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of GitHub, for an OAuth App or a GitHub App.

    Register an app with the callback URL `http://127.0.0.1/callback`; any port then works, and
    "Enable Device Flow" gives `--device`. The web flow wants the client secret even with PKCE: it
    is shipped with your program and protects nothing. An OAuth App's tokens do not expire.
    <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        end_token=oddities.end_github_token,
        authorization_endpoint="https://github.com/login/oauth/authorize",
        token_endpoint="https://github.com/login/oauth/access_token",
        token_endpoint_auth_method="client_secret_post",
        device_authorization_endpoint="https://github.com/login/device/code",
        scopes=("read:user",),
        scope_separator=",",
        api_url="https://api.github.com",
        identify=who("user", "id", "login"),
    )


def todoist(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Todoist, whose tokens do not expire.

    Register an app with one OAuth redirect URL, `http://localhost:8484/callback`. Needs its secret.
    <https://developer.todoist.com/api/v1/#tag/Authorization>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        end_token=oddities.end_todoist_token,
        authorization_endpoint="https://todoist.com/oauth/authorize",
        token_endpoint="https://todoist.com/oauth/access_token",
        token_endpoint_auth_method="client_secret_post",
        scopes=("data:read_write",),
        read_only_scopes=("data:read",),
        scope_separator=",",
        redirect_uris=LOCALHOST[:1],
        api_url="https://api.todoist.com/api/v1/",
        identify=who("user", "id", "email"),
    )


def atlassian(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Atlassian's cloud (Jira, Confluence), OAuth 2.0 (3LO).

    Register an app with the callback URL `http://localhost:8484/callback` and the permission
    "User identity API". Needs its secret. Nothing revokes.
    <https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        authorization_endpoint="https://auth.atlassian.com/authorize",
        token_endpoint="https://auth.atlassian.com/oauth/token",
        token_endpoint_auth_method="client_secret_post",
        scopes=("read:me", "offline_access"),
        authorize_params={"audience": "api.atlassian.com", "prompt": "consent"},
        redirect_uris=LOCALHOST[:1],
        token_response=oddities.read_atlassian,
        api_url="https://api.atlassian.com",
        identify=who("me", "account_id", "email"),
    )


def slack(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Slack for a person's own token (a user token, no bot).

    Enable PKCE for the app, which makes it a public client for good, and register `LOCALHOST`.
    Turn token rotation on for tokens that expire and are refreshed.
    <https://docs.slack.dev/authentication/using-pkce>
    """
    asked = ("users:read",) if scopes is None else tuple(scopes)
    return Service(
        (client_id, client_secret, (), changes),
        end_token=oddities.end_slack_token,
        authorization_endpoint="https://slack.com/oauth/v2/authorize",
        token_endpoint="https://slack.com/api/oauth.v2.access",
        token_endpoint_auth_method="client_secret_post",
        scope_separator=",",
        authorize_params={"user_scope": ",".join(asked)},
        redirect_uris=LOCALHOST,
        token_response=oddities.read_slack,
        api_url="https://slack.com/api/",
        identify=oddities.identify_slack,
    )


def twitch(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Twitch; its API's requests carry the client id, as it wants.

    A public client logs in by `--device`; the browser wants a confidential one, with its secret
    and the redirect URL `http://localhost:8484/callback`.
    <https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/>
    """
    asked = ("user:read:email",) if scopes is None else tuple(scopes)
    return Service(
        (client_id, client_secret, asked, changes),
        authorization_endpoint="https://id.twitch.tv/oauth2/authorize",
        token_endpoint="https://id.twitch.tv/oauth2/token",
        token_endpoint_auth_method="client_secret_post",
        device_authorization_endpoint="https://id.twitch.tv/oauth2/device",
        revocation_endpoint="https://id.twitch.tv/oauth2/revoke",
        authorize_params={"scopes": " ".join(asked)},  # the device endpoint's name for them
        redirect_uris=LOCALHOST[:1],
        token_response=oddities.read_twitch,
        api_url="https://api.twitch.tv/helix/",
        identify=oddities.identify_twitch,
        api_headers={"Client-Id": client_id},
    )


def spotify(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Spotify. Nothing revokes.

    Register an app with the redirect URI `http://127.0.0.1/callback`; any port then works, and no
    secret is needed. <https://developer.spotify.com/documentation/web-api/tutorials/code-pkce-flow>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        authorization_endpoint="https://accounts.spotify.com/authorize",
        token_endpoint="https://accounts.spotify.com/api/token",
        scopes=("user-read-private",),
        api_url="https://api.spotify.com/v1/",
        identify=who("me", "id", "display_name"),
    )


def dropbox(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Dropbox.

    Register a scoped app with the redirect URIs `LOCALHOST` and "Allow public clients (Implicit
    Grant & PKCE)". <https://developers.dropbox.com/oauth-guide>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        end_token=oddities.end_dropbox_token,
        authorization_endpoint="https://www.dropbox.com/oauth2/authorize",
        token_endpoint="https://api.dropboxapi.com/oauth2/token",
        scopes=("account_info.read",),
        authorize_params={"token_access_type": "offline"},
        redirect_uris=LOCALHOST,
        api_url="https://api.dropboxapi.com/2/",
        identify=who("users/get_current_account", "account_id", "email", "POST"),
    )


def discord(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Discord. One revocation ends all of a person's tokens for the app.

    Register an application with the redirects `LOOPBACK`; "Public Client" needs no secret.
    <https://discord.com/developers/docs/topics/oauth2>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        authorization_endpoint="https://discord.com/oauth2/authorize",
        token_endpoint="https://discord.com/api/oauth2/token",
        revocation_endpoint="https://discord.com/api/oauth2/token/revoke",
        scopes=("identify",),
        redirect_uris=LOOPBACK,
        api_url="https://discord.com/api/v10/",
        identify=who("users/@me", "id", "username"),
    )


def linear(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Linear, whose API is GraphQL at `/graphql`.

    Create an OAuth2 application with the callback URLs `LOCALHOST`; PKCE needs no secret.
    <https://linear.app/developers/oauth-2-0-authentication>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        authorization_endpoint="https://linear.app/oauth/authorize",
        token_endpoint="https://api.linear.app/oauth/token",
        token_endpoint_auth_method="client_secret_post",
        revocation_endpoint="https://api.linear.app/oauth/revoke",
        scopes=("read",),
        scope_separator=",",
        redirect_uris=LOCALHOST,
        api_url="https://api.linear.app",
        identify=oddities.identify_linear,
    )


def notion(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Notion, which knows no scopes; the person picks pages instead.

    Make a public integration with the redirect URI `http://localhost:8484/callback`. Needs its
    secret. <https://developers.notion.com/docs/authorization>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        authorization_endpoint="https://api.notion.com/v1/oauth/authorize",
        token_endpoint="https://api.notion.com/v1/oauth/token",
        revocation_endpoint="https://api.notion.com/v1/oauth/revoke",
        authorize_params={"owner": "user"},
        redirect_uris=LOCALHOST[:1],
        api_url="https://api.notion.com/v1/",
        identify=who("users/me", "id", "name"),
        api_headers={"Notion-Version": "2022-06-28"},
    )


def zoom(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of Zoom, for a General app that its users manage.

    Register the redirect URL `http://localhost:8484/callback`, and "Use App on Device" for
    `--device`. Scopes are those of the app. Needs its secret.
    <https://developers.zoom.us/docs/integrations/oauth/>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        authorization_endpoint="https://zoom.us/oauth/authorize",
        token_endpoint="https://zoom.us/oauth/token",
        device_authorization_endpoint="https://zoom.us/oauth/devicecode",
        revocation_endpoint="https://zoom.us/oauth/revoke",
        redirect_uris=LOCALHOST[:1],
        api_url="https://api.zoom.us/v2/",
        identify=who("users/me", "id", "email"),
    )


def hubspot(
    client_id: str, *, scopes: Scopes = None, client_secret: Secret = None, **changes: Any
) -> OAuthProvider:
    """Return the provider of HubSpot; an account is a portal. Nothing revokes.

    Register `http://localhost:8484/callback` as redirect URL. Needs its secret.
    <https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/oauth>
    """
    return Service(
        (client_id, client_secret, scopes, changes),
        authorization_endpoint="https://app.hubspot.com/oauth/authorize",
        token_endpoint="https://api.hubapi.com/oauth/v3/token",
        token_endpoint_auth_method="client_secret_post",
        scopes=("oauth",),
        redirect_uris=LOCALHOST[:1],
        token_response=oddities.read_hubspot,
        api_url="https://api.hubapi.com",
        identify=who("account-info/v3/details", "portalId", "uiDomain"),
    )
