"""The names under which an account's state lies. Pure; pinned: they are people's state."""

from __future__ import annotations

_KEPT = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_LONGEST_PLAIN_KEY = 100
_KEPT_OF_A_HASHED_KEY = 80
_IN_KEYS = _KEPT | {"%", "@"}


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
    if key == key.lower() and len(key) <= _LONGEST_PLAIN_KEY:
        return key
    return _hashed(key, key)


def folder_name(app_name: str) -> str:
    """Return an application's name as it may stand in the name of a folder: never a path."""
    kept = "".join(
        character if character in _KEPT or character == " " else _percent_encoded(character)
        for character in app_name
    )
    plain = safe_name(kept) if len(kept) > _LONGEST_PLAIN_KEY else kept
    return plain if plain.strip(". ") else _percent_encoded(plain).replace(".", "%2E")


def _hashed(key: str, shown: str) -> str:
    import hashlib  # noqa: PLC0415 - costs 3 ms, for the rare key that needs it

    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{shown[:_KEPT_OF_A_HASHED_KEY].lower()}~{digest}"


def _percent_encoded(text: str) -> str:
    if _KEPT.issuperset(text):
        return text
    return "".join(
        character
        if character in _KEPT
        else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
        for character in text
    )
