"""Which stored account applies. The one place that decides, for every command and method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.errors import NOT_AUTHENTICATED, NotLoggedIn

if TYPE_CHECKING:
    from click_auth.core import Core
    from click_auth.records import Record


def chosen_record(core: Core, user: str | None = None, instance: str | None = None) -> Record:
    """Return the record of the account that applies. Raises as `choose` does."""
    record = stored_record(core, user, instance)
    if record is None:
        message = "Not logged in."
        raise NotLoggedIn(message, code=NOT_AUTHENTICATED)
    return record


def stored_record(
    core: Core, user: str | None = None, instance: str | None = None
) -> Record | None:
    """Return the record of the account that applies, or None where nobody is logged in.

    *user* beats `<APP>_ACCOUNT`, which beats the default account, which beats the only one.
    """
    ref = core.environment.account if user is None else user
    if core.settings.legacy is not None:
        core.migrate_once()
    return core.store.record(ref, instance=core.instance_filter(instance))
