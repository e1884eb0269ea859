"""What the providers of one application are lent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.errors import AuthError
from click_auth.providers.surroundings import Surroundings
from click_auth.stores.cache import FolderCache

if TYPE_CHECKING:
    from click_auth.core import Core


def surroundings_of(core: Core) -> Surroundings:
    """Return the HTTP, the discovery cache and the registered clients of *core*. No I/O.

    Where there is no home folder nothing is remembered between processes, in silence: whoever
    needs it to be asks the store, which complains.
    """
    try:
        cache = FolderCache(core.folder / "cache", trusted=lambda: core.http.trusted)
        return Surroundings(core.http, cache, core.store.registrations())
    except AuthError:
        return Surroundings(core.http)
