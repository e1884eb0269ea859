"""An account: an identity at a service, which one is meant, and the names its state lies under.

Pure. The names are pinned: they are people's state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from click_auth.console.text import printable
from click_auth.errors import NO_ACCOUNT_SELECTED, UsageError

_TEXTS = ("id", "label", "instance")
_OWN_FIELDS = ("key", *_TEXTS)

_KEPT = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_LONGEST_PLAIN_KEY = 100
_KEPT_OF_A_HASHED_KEY = 80
_IN_KEYS = _KEPT | {"%", "@"}


class Value:
    """What is equal where all its fields are, and shows those of them that are no secrets.

    A dataclass compiles such methods for each class anew, whenever a program starts.
    """

    def __eq__(self, other: object) -> bool:
        return vars(other) == vars(self) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        named = [each.name for each in fields(self) if each.repr]  # type: ignore[arg-type]
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in named)
        return f"{type(self).__qualname__}({shown})"


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Account(Value):
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
        return shown if self.label in (None, self.id) else f"{self.name} ({shown})"

    def to_json(self) -> dict[str, Any]:
        """Return `{"key", "id", "label", "instance", ...}`."""
        own = {"key": self.key, "id": self.id, "label": self.label, "instance": self.instance}
        return {**self.extra, **own}

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, eq=False, repr=False)
class StoredAccount(Value):
    """One account of `Auth.accounts()`; `default` says whether it is the default one."""

    account: Account
    default: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return `{"account", "default"}`."""
        return {"account": self.account.to_json(), "default": self.default}


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


def select_account(
    accounts: Iterable[Account],
    ref: str | None,
    *,
    default: str | None = None,
    instance: str | None = None,
) -> Account | None:
    """Return the account that *ref* means; without a *ref* the default one, else the only one.

    An exact key wins; then ids; then labels, case-folded. *instance* leaves only its accounts.
    Returns None when there is no account at all and none was named. Raises `UsageError`:
    ACCOUNT_NOT_FOUND when *ref* matches none, NO_ACCOUNT_SELECTED when it matches several or
    when there are several and none was named.
    """
    among = [each for each in accounts if instance is None or each.instance == instance]
    if ref is None:
        found = [each for each in among if each.key == default] or among
        if len(found) > 1:
            message = "Several accounts are stored and none is the default."
            hints = [_known(found), "Or set a default with `account use`."]
            raise UsageError(message, code=NO_ACCOUNT_SELECTED, hints=hints)
        return found[0] if found else None
    found = find_matching(among, ref)
    if not found:
        raise UsageError(f"No account {printable(ref, 80)!r}.", hints=[_known(among, "Choose one")])
    if len(found) > 1:
        message = f"{printable(ref, 80)!r} matches several accounts."
        raise UsageError(message, code=NO_ACCOUNT_SELECTED, hints=[_known(found)])
    return found[0]


def find_matching(among: Iterable[Account], ref: str) -> list[Account]:
    """Return every account that *ref* may mean."""
    among, label = list(among), ref.casefold()
    return (
        [each for each in among if each.key == ref]
        or [each for each in among if each.id == ref]
        or [each for each in among if each.label is not None and each.label.casefold() == label]
    )


def _known(among: list[Account], advice: str = "Choose one with --user") -> str:
    if not among:
        return "Not logged in."
    shown = ", ".join(printable(each.key, 60) for each in among[:5])
    return f"{advice}: {shown}{', …' if len(among) > 5 else '.'}"  # noqa: PLR2004


def account_key(account_id: str, instance: str | None = None) -> str:
    """Return the key of an account: its id and, where there is one, `@` and its instance."""
    key = _percent_encoded(account_id)
    return key if instance is None else f"{key}@{_percent_encoded(instance)}"


def is_account_key(key: str) -> bool:
    """Return whether *key* holds only what the key of an account does: it is never a path."""
    return key != "" and _IN_KEYS.issuperset(key)


def slot_name(key: str) -> str:
    """Return the slot of an account's access token, `user-<key>`.

    A key with upper-case letters or over 100 characters is shortened and made unique by a hash:
    credential stores and file systems fold case and bound lengths. So is whatever is no key.
    """
    return f"user-{safe_name(key) if is_account_key(key) else _hashed(key, _percent_encoded(key))}"


def refresh_slot_name(key: str) -> str:
    """Return the slot of an account's refresh token."""
    return f"{slot_name(key)}/refresh"


def safe_name(key: str) -> str:
    """Return *key* as it may stand in the name of a slot or a file, distinct for distinct keys."""
    return key if key == key.lower() and len(key) <= _LONGEST_PLAIN_KEY else _hashed(key, key)


def folder_name(app_name: str) -> str:
    """Return an application's name as it may stand in the name of a folder: never a path."""
    kept = " ".join(map(_percent_encoded, app_name.split(" ")))
    plain = safe_name(kept) if len(kept) > _LONGEST_PLAIN_KEY else kept
    return plain if plain.strip(". ") else _percent_encoded(plain).replace(".", "%2E")


def _hashed(key: str, shown: str) -> str:
    import hashlib  # noqa: PLC0415 - costs 3 ms, for the rare key that needs it

    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{shown[:_KEPT_OF_A_HASHED_KEY].lower()}~{digest}"


def _percent_encoded(text: str) -> str:
    encoded = text.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if chr(byte) in _KEPT else f"%{byte:02X}" for byte in encoded)
