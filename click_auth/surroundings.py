"""What the providers of one application are lent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.providers.surroundings import Surroundings
from click_auth.stores.cache import FolderCache

if TYPE_CHECKING:
    from click_auth.core import Core


def surroundings_of(core: Core) -> Surroundings:
    """Return the HTTP, the discovery cache and the registered clients of *core*. No I/O."""
    return Surroundings(core.http, FolderCache(core.folder / "cache"), core.store.registrations())
