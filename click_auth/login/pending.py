"""Logins in two calls: what one that has begun consists of, and where it waits to be finished.

Its facts lie in `pending/<id>.json`, 0600. Its secrets (a device code; or state, verifier and
nonce) lie where a token would: in the keyring, slot `pending-<id>`, or in that file.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from click_auth.errors import LoginFailed, StorageUnavailable
from click_auth.files import make_private_folder, read_private, replace_private
from click_auth.providers.base import Binding
from click_auth.providers.request import BegunLogin, LoginRequest
from click_auth.record import ENCRYPTED, SYSTEM
from click_auth.tokens import Unpickled, rfc3339, to_posix

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click_auth.stores.account_store import AccountStore

Kind = Literal["device", "redirect"]

VERSION = 1
_IN_VAULT = (SYSTEM, "fallback")
_ID = re.compile(r"[a-z0-9]{12}")
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_PARTS = ("begun", "request", "bound_to")


@dataclass(frozen=True)
class PendingLogin:
    """A login that has begun: show *url* (and *user_code*) to the person, then finish it.

    `resume` is the command line that does so, `expires_at` (UTC) is when it is too late.
    """

    id: str
    kind: Kind
    url: str
    user_code: str | None
    expires_at: datetime
    resume: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the object of `login --no-wait`."""
        return {
            "pending": {
                "id": self.id,
                "kind": self.kind,
                "url": self.url,
                "user_code": self.user_code,
                "expires_at": rfc3339(to_posix(self.expires_at)),
                "resume": self.resume,
            }
        }


@dataclass(frozen=True)
class Pending(Unpickled):
    """All that is needed to finish a login. `expires_at` is in POSIX seconds.

    `bound_to` is what the provider's credentials are bound to.
    """

    id: str
    expires_at: float
    begun: BegunLogin
    request: LoginRequest
    bound_to: Binding
    storage: str | None

    def shown(self, resume: str) -> PendingLogin:
        """Return what is shown of it; *resume* is the command line that finishes it."""
        moment, begun = datetime.fromtimestamp(self.expires_at, timezone.utc), self.begun
        return PendingLogin(self.id, begun.kind, begun.url, begun.user_code, moment, resume)


def new_id() -> str:
    """Return a name for a pending login that nobody has guessed."""
    return "".join(secrets.choice(_LETTERS) for _ in range(12))


class PendingLogins:
    """The pending logins of one application, in *folder*; their secrets as *store* keeps tokens."""

    def __init__(self, folder: Path, store: AccountStore) -> None:
        self._folder = folder / "pending"
        self._store = store

    def save(self, pending: Pending) -> None:
        """Keep *pending*. Raises `StorageUnavailable`."""
        facts = {**asdict(pending), "version": VERSION}
        text = json.dumps(dict(pending.begun.secrets))
        is_hidden = self._hide(pending.id, text)
        policy, has_key = self._store.policy, self._store.cipher is not None
        if not is_hidden and (policy == ENCRYPTED or (policy == "fallback" and has_key)):
            text = self._store.sealer.seal(text, _slot(pending.id))
        facts["begun"]["secrets"] = None if is_hidden else text
        make_private_folder(self._folder)
        replace_private(self._path(pending.id), json.dumps(facts).encode())

    def load(self, pending_id: str) -> Pending:
        """Return a pending login, expired or not.

        Raises `LoginFailed` where there is none of that name, or none that this program wrote.
        """
        content = read_private(self._path(pending_id)) if _ID.fullmatch(pending_id) else None
        if content is None:
            message = "No such pending login. It was finished or has expired."
            raise LoginFailed(message, hints=[LoginFailed.log_in_again])
        found = self._parse(content)
        if found is None or found.id != pending_id:
            message = f"{self._path(pending_id)} is not a pending login that this version can read."
            raise LoginFailed(message, hints=[LoginFailed.log_in_again])
        return found

    def ids(self) -> list[str]:
        """Return the names of all, finished ones not among them."""
        with contextlib.suppress(OSError):
            return sorted(path.stem for path in self._folder.iterdir() if _ID.fullmatch(path.stem))
        return []

    def forget(self, pending_id: str) -> None:
        """Remove a pending login and its secrets, wherever it keeps them. Never raises."""
        is_hidden = self._store.policy in _IN_VAULT
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, StorageUnavailable):
            facts = json.loads(read_private(self._path(pending_id)) or b"")
            is_hidden = facts["begun"]["secrets"] is None  # it began with a policy of its own
        with contextlib.suppress(OSError, StorageUnavailable):
            self._path(pending_id).unlink()
        if is_hidden:
            with contextlib.suppress(StorageUnavailable):
                self._store.vault.delete(_slot(pending_id))

    def each(self) -> Iterator[Pending]:
        """Yield those that can be read."""
        for pending_id in self.ids():
            with contextlib.suppress(LoginFailed, StorageUnavailable):
                yield self.load(pending_id)

    def sweep(self, now: float) -> None:
        """Remove those that have expired *now*. Never raises."""
        for pending in self.each():
            if pending.expires_at <= now:
                self.forget(pending.id)

    def _path(self, pending_id: str) -> Path:
        return self._folder / f"{pending_id}.json"

    def _hide(self, pending_id: str, text: str) -> bool:
        """Put *text* into the keyring; return whether it is there. Raises where it has to be."""
        if self._store.policy not in _IN_VAULT:
            return False
        try:
            self._store.vault.set(_slot(pending_id), text)
        except StorageUnavailable:
            if self._store.policy == SYSTEM:
                raise
            return False
        return True

    def _parse(self, content: bytes) -> Pending | None:
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            facts = json.loads(content)
            if facts.pop("version") != VERSION:
                return None
            begun, request, bound_to = (facts.pop(each) for each in _PARTS)
            text = begun.pop("secrets") or self._store.vault.get(_slot(str(facts["id"])))
            if text and text.startswith("sealed:"):
                text = self._store.sealer.open(text, _slot(str(facts["id"])))
            request |= {name: tuple(request[name]) for name in ("scopes", "granted_scopes")}
            found = Pending(
                **facts,
                begun=BegunLogin(**begun, secrets=json.loads(text or "")),
                request=LoginRequest(**request),
                bound_to=Binding(*bound_to),
            )
            found.shown("")  # which fails for what is no time
            return found
        return None


def _slot(pending_id: str) -> str:
    return f"pending-{pending_id}"
