"""An account: an identity at a service, the same for applications, records and the context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from click_auth.account_key import account_key
from click_auth.console.text import printable

_TEXTS = ("id", "label", "instance")
_OWN_FIELDS = ("key", *_TEXTS)


@dataclass(frozen=True, init=False)
class Account:
    """An identity at a service: `id`, `label`, `instance` and, in `extra`, what else it said.

    Equal by value; its hash is that of its key, because `extra` may hold anything.
    """

    id: str
    label: str | None
    instance: str | None
    extra: Mapping[str, Any] = field(repr=False)

    def __init__(
        self,
        id: str,  # noqa: A002 - the field's own name
        label: str | None = None,
        instance: str | None = None,
        extra: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Make an account; *more* are further items of `extra`. Raises ValueError without an id."""
        if not id:
            raise ValueError("id")
        said = {**(extra or {}), **more}
        others = {name: value for name, value in said.items() if name not in _OWN_FIELDS}
        # A frozen dataclass refuses to be set by attribute.
        vars(self).update(id=id, label=label, instance=instance, extra=others)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Account:
        """Return the account that `to_json` wrote; the fields are already trusted."""
        return cls(fields["id"], fields.get("label"), fields.get("instance"), fields)

    @property
    def key(self) -> str:
        """The key, made of `id` and `instance`: it names the account's record, slots and lock."""
        return account_key(self.id, self.instance)

    @property
    def name(self) -> str:
        """What a person calls this account, its label, else its id: one inert line."""
        return printable(self.label or self.id, 120)

    @property
    def title(self) -> str:
        """The name and, where it differs, the id: one inert line for a terminal."""
        shown = printable(self.id, 80)
        return (
            f"{printable(self.label, 120)} ({shown})"
            if self.label not in (None, self.id)
            else shown
        )

    def to_json(self) -> dict[str, Any]:
        """Return `{"key", "id", "label", "instance", ...}`."""
        own = {"key": self.key, "id": self.id, "label": self.label, "instance": self.instance}
        return {**self.extra, **own}

    def __hash__(self) -> int:
        return hash(self.key)


def account_from(fields: object) -> Account:
    """Return the account that *fields* from outside describe; a number becomes its decimal text.

    Raises ValueError with the names of the fields that are wrong, and never their contents.
    """
    if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
        raise ValueError("fields")
    texts = {name: _text(fields.get(name)) for name in _TEXTS}
    wrong = [name for name, text in texts.items() if not isinstance(text, str | None)]
    if wrong:
        raise ValueError(", ".join(wrong))
    return Account.from_json({**fields, **texts})


def _text(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value
