"""HTTP as the library speaks it: clients, proxies, certificates, transports."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSE_NETWORK = "CLICK_AUTH_REFUSE_NETWORK"
"""Names the variable that is 1 where no other machine may be reached: in a test's child process."""


def _refuse(host: str) -> None:
    raise AssertionError(f"no test may reach {host}: isolated_auth(auth, server=auth_server)")


network_guard: Callable[[str], None] | None = (
    _refuse if os.environ.get(REFUSE_NETWORK) == "1" else None
)
"""Called with the name of another machine before it is reached; the pytest plugin refuses there."""
