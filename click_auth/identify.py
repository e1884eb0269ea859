"""Who a credential belongs to, as the service says: the proof, too, that it takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from click_auth.account import Account, account_from
from click_auth.api_client import client_for, why
from click_auth.console import console
from click_auth.errors import LoginFailed
from click_auth.http.client import mute_http_loggers
from click_auth.providers.base import unidentified
from click_auth.stores.document import json_bytes

if TYPE_CHECKING:
    from click_auth.context import Context
    from click_auth.credentials import Credential


MOST_BYTES = 64 * 1024
"""How long all that is kept of an account may be, as JSON."""


def identify_account(context: Context, credential: Credential) -> Account:
    """Return the account that *credential* belongs to. Blocks.

    Raises `LoginFailed` where the service does not take it or does not say who it is,
    `Unreachable` where it cannot be asked.
    """
    http, errors, provider = context.http, context.http.module, credential.provider
    is_ours = provider.api_url is not None
    client = client_for(context, credential, None, (), {}) if is_ours else http.client()
    with mute_http_loggers(errors.__name__), client:
        try:
            fields = provider.identify(client, credential.bundle())
        except errors.HTTPStatusError as error:
            status = error.response.status_code
            raise unidentified(status, f"it returned status {status}") from None
        except errors.HTTPError as error:
            raise unidentified(None, why(errors, error, http.proxy_of)) from None
        except ValueError:
            message = "Can't read the server's response about who is logged in."
            raise LoginFailed(message) from None
    return _parse(fields, credential.instance)


def _parse(fields: object, instance: str | None) -> Account:
    problem = "its response is not a JSON object"
    if isinstance(fields, Mapping):
        try:
            return _bounded(account_from({**fields, "instance": instance}))
        except ValueError as error:
            problem = f"no usable {error}"
    raise LoginFailed(f"The server didn't say who is logged in: {problem}.")


def _bounded(account: Account) -> Account:
    """Leave out what else a service says of somebody where it is more than anybody looks at."""
    if len(json_bytes(account.to_json())) <= MOST_BYTES:
        return account
    bare = replace(account, extra={})
    if len(json_bytes(bare.to_json())) > MOST_BYTES:
        raise ValueError("id: it is too long")
    console.current().warn(
        "The server sent too much about this account; only its ID and label are stored."
    )
    return bare
