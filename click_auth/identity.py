"""Who an account is, in the light form that the core and the hot path use.

`Account` (models.py) is the same in pydantic's form: what applications are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.keys import account_key
from click_auth.text import inert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.models import Account

_OWN_FIELDS = ("key", "id", "label", "instance")


class Identity:
    """An identity at a service: `id`, `label`, `instance` and whatever else the service said."""

    __slots__ = ("extra", "id", "instance", "label")

    def __init__(
        self,
        id: str,  # noqa: A002 - the field's own name
        label: str | None = None,
        instance: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.id: str = id
        self.label: str | None = label
        self.instance: str | None = instance
        self.extra: dict[str, Any] = dict(extra or {})

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Identity:
        """Return the identity that `to_json` wrote; the fields are already trusted."""
        extra = {name: value for name, value in fields.items() if name not in _OWN_FIELDS}
        return cls(fields["id"], fields.get("label"), fields.get("instance"), extra)

    @property
    def key(self) -> str:
        """The account's key: what names its record, its slots and its lock."""
        return account_key(self.id, self.instance)

    @property
    def name(self) -> str:
        """What a person calls this account, its label, else its id: one inert line."""
        return inert(self.label or self.id, 120)

    @property
    def title(self) -> str:
        """The name and, where it differs, the id: one inert line for a terminal."""
        shown = inert(self.id, 80)
        return f"{inert(self.label, 120)} ({shown})" if self.label not in (None, self.id) else shown

    def to_json(self) -> dict[str, Any]:
        """Return `{"key", "id", "label", "instance", ...}`."""
        own = {"key": self.key, "id": self.id, "label": self.label, "instance": self.instance}
        return {**self.extra, **own}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Identity(key={self.key!r}, label={self.label!r})"


def identity_of(account: Account | Identity) -> Identity:
    """Return the light form of *account*."""
    return account if isinstance(account, Identity) else account.identity
