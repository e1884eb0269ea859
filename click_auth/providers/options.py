"""The options that a provider's `login` can offer; `Provider.options` names its own."""

from __future__ import annotations

USER = "--user"
SCOPE = "--scope"
READ_ONLY = "--read-only"
NO_BROWSER = "--no-browser"
DEVICE = "--device"
WITH_TOKEN = "--with-token"  # noqa: S105 - the name of an option
CALLBACK_PORT = "--callback-port"
TIMEOUT = "--timeout"

ALL = frozenset({USER, SCOPE, READ_ONLY, NO_BROWSER, DEVICE, WITH_TOKEN, CALLBACK_PORT, TIMEOUT})
