"""Which stored account applies, and whether one does. For every command and method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.account import select_account
from click_auth.binding import check_usable
from click_auth.errors import NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.context import Context
    from click_auth.record import Record


def overriding(
    context: Context, user: str | None = None, instance: str | None = None
) -> str | None:
    """Return the name of the variable that applies instead of every stored account, or None."""
    variable = None if user is not None else _token_variable(context)
    if variable is None or not context.takes_tokens(instance):
        return None
    return variable


def _token_variable(context: Context) -> str | None:
    environment = context.environment
    if environment.token is not None:
        return environment.token_env
    return None if environment.client_credentials is None else environment.name("CLIENT_ID")


def chosen_record(context: Context, user: str | None = None, instance: str | None = None) -> Record:
    """Return the record of the account that applies, whose credential may be used.

    Raises as `choose` does, and `NotLoggedIn` where it belongs to another server or client, or
    its session is known to be dead.
    """
    record = existing_record(context, user, instance)
    check_usable(context, record)
    return record


def existing_record(
    context: Context, user: str | None = None, instance: str | None = None
) -> Record:
    """Return the record of the account that applies, be its credential of any use or not."""
    record = stored_record(context, user, instance)
    if record is None:
        raise NotLoggedIn(" ".join(("Not logged in.", *_passed_over(context, instance))))
    return record


def stored_record(
    context: Context, user: str | None = None, instance: str | None = None
) -> Record | None:
    """Return the record of the account that applies, or None where nobody is logged in.

    *user* beats `<APP>_ACCOUNT`, which beats the default account, which beats the only one of
    the instance in question.
    """
    ref = context.environment.account if user is None else user
    if context.settings.legacy is not None:
        context.migrate_once()
    named = context.instance_filter(instance)
    if ref is None and named is None and context.services.homes:
        return _at_home(context, context.services.homes)
    return context.store.record(ref, instance=named)


def _at_home(context: Context, homes: tuple[str | None, ...]) -> Record | None:
    """Return the record of the default account, else of the only one of the default service."""
    store, default = context.store, context.store.default()
    record = None if default is None else store.record_of(default)
    if record is not None:
        return record
    only = select_account((each for each in store.listing()[0] if each.instance in homes), None)
    return None if only is None else store.record_of(only.key)


def _passed_over(context: Context, instance: str | None) -> Iterator[str]:
    """Yield a sentence for each credential that is there and does not count."""
    environment, name, variable = (
        context.environment,
        context.environment.name,
        _token_variable(context),
    )
    if variable is not None and overriding(context, None, instance) is None:
        yield f"{variable} counts for another service unless {name('TOKEN_INSTANCE')} names this."
    elif environment.value("CLIENT_ID") and environment.client_credentials is None:
        yield f"{name('CLIENT_ID')} counts only together with {name('CLIENT_SECRET')}."
    others = context.store.listing()[0] if context.services.has_instances else ()
    if others:
        yield f"Name one with --user: {', '.join(each.key for each in others[:5])}."
