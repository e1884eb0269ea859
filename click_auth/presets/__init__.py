"""Ready providers for named services: `presets.github(client_id)` is an `OAuthProvider`.

Each function takes the client that you registered with the service, and returns a provider whose
oddities are handled. *scopes* default to the least that tells who logged in. *changes* are
arguments of `OAuthProvider` and win over what is written here, endpoints included. No I/O, no
dependency. A docstring says what to register; its link is the service's own page.
"""

from click_auth.presets.servers import auth0 as auth0
from click_auth.presets.servers import gitlab as gitlab
from click_auth.presets.servers import google as google
from click_auth.presets.servers import huggingface as huggingface
from click_auth.presets.servers import keycloak as keycloak
from click_auth.presets.servers import microsoft as microsoft
from click_auth.presets.servers import okta as okta
from click_auth.presets.servers import salesforce as salesforce
from click_auth.presets.services import atlassian as atlassian
from click_auth.presets.services import discord as discord
from click_auth.presets.services import dropbox as dropbox
from click_auth.presets.services import github as github
from click_auth.presets.services import hubspot as hubspot
from click_auth.presets.services import linear as linear
from click_auth.presets.services import notion as notion
from click_auth.presets.services import slack as slack
from click_auth.presets.services import spotify as spotify
from click_auth.presets.services import todoist as todoist
from click_auth.presets.services import twitch as twitch
from click_auth.presets.services import zoom as zoom

# Every function that is imported above.
__all__ = sorted(  # noqa: PLE0605 - as in click_auth itself
    name for name, each in globals().items() if callable(each) and not name.startswith("_")
)
