"""What the providers of one application are lent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.errors import AuthError
from click_auth.providers.context import ProviderContext
from click_auth.stores.cache import FolderCache

if TYPE_CHECKING:
    from click_auth.context import Context


def provider_context_of(context: Context) -> ProviderContext:
    """Return the HTTP, the discovery cache and the registered clients of *core*. No I/O.

    Where there is no home folder nothing is remembered between processes, in silence: whoever
    needs it to be asks the store, which complains.
    """
    try:
        cache = FolderCache(context.folder / "cache", trusted=lambda: context.http.trusted)
        return ProviderContext(context.http, cache, context.store.registrations())
    except AuthError:
        return ProviderContext(context.http)
