"""Who a credential belongs to, as the service says: the proof, too, that it takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.bearer import client_for
from click_auth.errors import LoginFailed, Unreachable
from click_auth.models import account_from

if TYPE_CHECKING:
    from click_auth.core import Core
    from click_auth.credentials import Credential
    from click_auth.models import Account

_REFUSALS = (401, 403)


class Refused(LoginFailed):
    """The service does not take the credential."""


def identified(core: Core, credential: Credential, instance: str | None) -> Account:
    """Return the account that *credential* belongs to. Blocks.

    Raises `Refused` where the service does not take it, `Unreachable` where it cannot be asked,
    `LoginFailed` where it does not say who it is.
    """
    errors = core.http.module
    with _api_client(core, credential) as client:
        try:
            fields = credential.provider.identify(client, credential.bundle())
        except errors.HTTPStatusError as error:
            raise _refusal(error.response.status_code) from None
        except errors.HTTPError as error:
            message = f"The service cannot be asked who this is ({type(error).__name__})."
            raise Unreachable(message) from None
        except ValueError:
            message = "The service's answer to who this is cannot be read."
            raise LoginFailed(message) from None
    return _account({**fields, "instance": instance})


def _api_client(core: Core, credential: Credential) -> Any:
    if credential.provider.api_url is None:
        return core.http.client()
    return client_for(core, credential, None, (), {})


def _refusal(status: int) -> LoginFailed | Unreachable:
    message = f"The service answered with {status} when asked who this is."
    return Refused(message) if status in _REFUSALS else Unreachable(message)


def _account(fields: dict[str, Any]) -> Account:
    try:
        return account_from(fields)
    except ValueError as error:
        message = f"The service does not say who this is: no usable {error}."
        raise LoginFailed(message) from None
