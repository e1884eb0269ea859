"""A complete `auth` command group for any Click CLI.

Names only: each is imported from where it lives when it is first used, so that `import
click_auth` loads click and the standard library and nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from click_auth.account import Account as Account
    from click_auth.account import StoredAccount as StoredAccount
    from click_auth.arguments import LegacyCredential as LegacyCredential
    from click_auth.arguments import PageContext as PageContext
    from click_auth.arguments import PageStyle as PageStyle
    from click_auth.auth import Auth as Auth
    from click_auth.auth import migrate_legacy_auth as migrate_legacy_auth
    from click_auth.auth import refresh_access_token as refresh_access_token
    from click_auth.commands.attach import attach_accounts as attach_accounts
    from click_auth.commands.attach import attach_all as attach_all
    from click_auth.commands.attach import attach_doctor as attach_doctor
    from click_auth.commands.attach import attach_git_credential as attach_git_credential
    from click_auth.commands.attach import attach_login as attach_login
    from click_auth.commands.attach import attach_logout as attach_logout
    from click_auth.commands.attach import attach_refresh as attach_refresh
    from click_auth.commands.attach import attach_run as attach_run
    from click_auth.commands.attach import attach_status as attach_status
    from click_auth.commands.attach import attach_token as attach_token
    from click_auth.doctor.report import Check as Check
    from click_auth.doctor.report import Report as Report
    from click_auth.errors import AuthError as AuthError
    from click_auth.errors import LoginFailed as LoginFailed
    from click_auth.errors import NotLoggedIn as NotLoggedIn
    from click_auth.errors import StorageUnavailable as StorageUnavailable
    from click_auth.errors import StoreUnreachable as StoreUnreachable
    from click_auth.errors import Unreachable as Unreachable
    from click_auth.errors import UsageError as UsageError
    from click_auth.fleets.places import RecordStore as RecordStore
    from click_auth.fleets.places import SecretStore as SecretStore
    from click_auth.fleets.places import StoredRecord as StoredRecord
    from click_auth.fleets.shared_store import SharedTokenStore as SharedTokenStore
    from click_auth.login.results import LoginContext as LoginContext
    from click_auth.login.results import LoginResult as LoginResult
    from click_auth.login.results import PendingLogin as PendingLogin
    from click_auth.logout import LogoutContext as LogoutContext
    from click_auth.logout import LogoutResult as LogoutResult
    from click_auth.migrate import MigrationResult as MigrationResult
    from click_auth.oauth.provider import OAuthProvider as OAuthProvider
    from click_auth.providers import Provider as Provider
    from click_auth.providers.apikey import ApiKeyProvider as ApiKeyProvider
    from click_auth.providers.authorization import AuthorizationRequest as AuthorizationRequest
    from click_auth.providers.authorization import AuthorizationResponse as AuthorizationResponse
    from click_auth.providers.request import LoginRequest as LoginRequest
    from click_auth.providers.request import LoginUI as LoginUI
    from click_auth.record import TokenBundle as TokenBundle
    from click_auth.status import Status as Status
    from click_auth.status import StatusContext as StatusContext
    from click_auth.stores.models import UserRecord as UserRecord
    from click_auth.stores.token_store import KeyringTokenStore as KeyringTokenStore
    from click_auth.stores.token_store import MemoryTokenStore as MemoryTokenStore
    from click_auth.stores.token_store import TokenStore as TokenStore

__version__: str

_HOMES = {
    "account": "Account StoredAccount",
    "arguments": "LegacyCredential PageContext PageStyle",
    "auth": "Auth migrate_legacy_auth refresh_access_token",
    "commands.attach": "attach_accounts attach_all attach_doctor attach_git_credential "
    "attach_login attach_logout attach_refresh attach_run attach_status attach_token",
    "doctor.report": "Check Report",
    "errors": "AuthError LoginFailed NotLoggedIn StorageUnavailable "
    "StoreUnreachable Unreachable UsageError",
    "fleets.places": "RecordStore SecretStore StoredRecord",
    "fleets.shared_store": "SharedTokenStore",
    "login.results": "LoginContext LoginResult PendingLogin",
    "logout": "LogoutContext LogoutResult",
    "migrate": "MigrationResult",
    "stores.models": "UserRecord",
    "providers.apikey": "ApiKeyProvider",
    "providers.authorization": "AuthorizationRequest AuthorizationResponse",
    "providers": "Provider",
    "oauth.provider": "OAuthProvider",
    "providers.request": "LoginRequest LoginUI",
    "record": "TokenBundle",
    "status": "Status StatusContext",
    "stores.token_store": "KeyringTokenStore MemoryTokenStore TokenStore",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - a test holds it and the names above together


def __getattr__(name: str) -> Any:
    home = "_version" if name == "__version__" else _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
