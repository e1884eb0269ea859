"""Where credentials live: a record file for the facts of an account, a vault for its secrets.

The guards of the pytest plugin stand here, since it sets them in every test run and nothing else is
to be loaded for that. Each is asked before a contact; what it raises passes through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSE_KEYRING = "CLICK_AUTH_REFUSE_KEYRING"
"""Names the variable that is 1 where no keyring may be touched: in a test's child process."""

REFUSE_RECORDS = "CLICK_AUTH_REFUSE_RECORDS"
"""Names the variable with the beginnings of paths where no test may touch records."""

REFUSAL = "{} is set: a test was about to touch {}; isolated_auth(auth) keeps it away"

keyring_guard: Callable[[str], None] | None = None
record_guard: Callable[[str], None] | None = None
