"""Ready providers for named services: `presets.github(client_id)` is an `OAuthProvider`.

Each function takes the client that you registered with the service, and returns a provider whose
oddities are handled. *scopes* default to the least that tells who logged in. *changes* are
arguments of `OAuthProvider` and win over what is written here, endpoints included. No I/O, no
dependency. A docstring says what to register; its link is the service's own page.
"""

from click_auth.presets.servers import (
    auth0,
    gitlab,
    google,
    huggingface,
    keycloak,
    microsoft,
    okta,
    salesforce,
)
from click_auth.presets.services import (
    atlassian,
    discord,
    dropbox,
    github,
    hubspot,
    linear,
    notion,
    slack,
    spotify,
    todoist,
    twitch,
    zoom,
)

__all__ = [
    "atlassian",
    "auth0",
    "discord",
    "dropbox",
    "github",
    "gitlab",
    "google",
    "hubspot",
    "huggingface",
    "keycloak",
    "linear",
    "microsoft",
    "notion",
    "okta",
    "salesforce",
    "slack",
    "spotify",
    "todoist",
    "twitch",
    "zoom",
]
