"""The stored accounts: who is there, and which of them is the default one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.errors import UsageError
from click_auth.results import StoredAccount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click_auth.core import Core
    from click_auth.models import Account


def stored_accounts(core: Core) -> Sequence[StoredAccount]:
    """Return the accounts that are stored. Reads the record file and no secret."""
    identities, default = core.store.listing()
    return [
        StoredAccount(identity, default=identity.key == default)  # type: ignore[arg-type]
        for identity in identities
    ]


def use(core: Core, ref: str) -> Account:
    """Make the account that *ref* means the default one, and return it. Raises `UsageError`."""
    from click_auth.models import Account  # noqa: PLC0415 - pydantic, for those who keep it

    record = core.store.record(ref)
    if record is None:
        raise UsageError(f"There is no account {ref!r} here.")
    core.store.set_default(record.key)
    return Account.of(record.account)
