"""The pydantic model: what bytes from elsewhere must be before they are trusted."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import pydantic

from click_auth.account import Account, account_from
from click_auth.record import Record, Unpickled

_LATEST = 1e12  # POSIX seconds; beyond it a number is no moment
_MOST_WRITES = 1 << 62


def _account(value: object) -> Account:
    return value if isinstance(value, Account) else account_from(value)


def _moment(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Compared before it is converted: an integer from a file may have more digits than a float.
    return float(value) if 0 <= value <= _LATEST else None


Moment = Annotated["float | None", pydantic.BeforeValidator(_moment)]
"""POSIX seconds; whatever cannot be a moment is "unknown"."""

Generation = Annotated[int, pydantic.Field(ge=0, le=_MOST_WRITES, strict=True)]
"""How often a credential was written."""


Whose = Annotated[
    Account, pydantic.PlainValidator(_account), pydantic.PlainSerializer(Account.to_json)
]
"""An account, or its fields as JSON holds them."""


class UserRecord(Unpickled, pydantic.BaseModel):
    """What the record file holds for one account. Tokens in it are `SecretStr`; not pickled."""

    model_config: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(
        extra="allow", frozen=True, hide_input_in_errors=True
    )

    account: Whose
    generation: Generation = 1
    access_token_expires_at: Moment = None
    refresh_token_expires_at: Moment = None
    access_token_obtained_at: Moment = None
    has_refresh_token: bool | None = None
    rejected_generation: Generation | None = None
    scopes: tuple[str, ...] | None = None
    issuer: str | None = None
    client_id: str | None = None
    resource: str | None = None
    instance: str | None = None
    storage: Literal["system", "encrypted", "plaintext"] = "system"
    backend: str | None = None
    fallback_token: pydantic.SecretStr | None = None
    fallback_refresh_token: pydantic.SecretStr | None = None

    @pydantic.field_validator("instance")
    @classmethod
    def _is_the_accounts(cls, instance: str | None, info: pydantic.ValidationInfo) -> str | None:
        account = info.data.get("account")
        if account is not None and instance != account.instance:
            raise ValueError("it is not that of the account")
        return instance

    def to_record(self) -> Record:
        """Return the core's light form, plaintext tokens revealed."""
        stored = self.model_dump(mode="python")
        for name in ("fallback_token", "fallback_refresh_token"):
            secret = getattr(self, name)
            stored[name] = None if secret is None else secret.get_secret_value()
        return Record.from_json(stored)


def trusted_record(stored: object) -> Record:
    """Return the record in *stored*, fields of a parsed record file.

    Raises ValueError with the names of the fields that are wrong, and never their contents.
    """
    try:
        return UserRecord.model_validate(stored).to_record()
    except pydantic.ValidationError as error:
        places = {".".join(map(str, item["loc"])) or "record" for item in error.errors()}
    raise ValueError(", ".join(sorted(places)))
