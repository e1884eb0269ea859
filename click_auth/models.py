"""The pydantic models: what bytes from elsewhere must be before they are trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    computed_field,
    field_validator,
    model_validator,
)

from click_auth.identity import Identity
from click_auth.keys import account_key
from click_auth.records import Record
from click_auth.tokens import Unpickled

if TYPE_CHECKING:
    from collections.abc import Mapping

M = TypeVar("M", bound=BaseModel)

_LATEST = 1e12  # POSIX seconds; beyond it a number is no moment
_MOST_WRITES = 1 << 62


def _text(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value


def _moment(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Compared before it is converted: an integer from a file may have more digits than a float.
    return float(value) if 0 <= value <= _LATEST else None


Moment = Annotated["float | None", BeforeValidator(_moment)]
"""POSIX seconds; whatever cannot be a moment is "unknown"."""

Generation = Annotated[int, Field(ge=0, le=_MOST_WRITES, strict=True)]
"""How often a credential was written."""


class _Kept(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow", frozen=True, hide_input_in_errors=True
    )


class Account(_Kept):
    """An identity at a service. Fields that the service added are kept.

    `key` is made of `id` and `instance` and names the account's record, slots and lock.
    """

    id: Annotated[str, BeforeValidator(_text), Field(min_length=1)]
    label: Annotated[str | None, BeforeValidator(_text)] = None
    instance: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_key(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "key" in fields:
            return {name: value for name, value in fields.items() if name != "key"}
        return fields

    @computed_field  # type: ignore[prop-decorator]
    @property
    def key(self) -> str:
        """The account's key."""
        return account_key(self.id, self.instance)

    @property
    def identity(self) -> Identity:
        """The same identity in the core's light form."""
        return Identity(self.id, self.label, self.instance, self.model_extra)

    @classmethod
    def of(cls, identity: Identity) -> Account:
        """Return the account of a light identity."""
        return cls.model_validate(identity.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return `{"key", "id", "label", "instance", ...}`."""
        return self.identity.to_json()


class UserRecord(Unpickled, _Kept):
    """What the record file holds for one account. Tokens in it are `SecretStr`; not pickled."""

    account: Account
    generation: Generation = 1
    access_token_expires_at: Moment = None
    refresh_token_expires_at: Moment = None
    access_token_obtained_at: Moment = None
    has_refresh_token: bool | None = None
    rejected_generation: Generation | None = None
    scopes: tuple[str, ...] | None = None
    issuer: str | None = None
    client_id: str | None = None
    instance: str | None = None
    storage: Literal["system", "plaintext"] = "system"
    backend: str | None = None
    fallback_token: SecretStr | None = None
    fallback_refresh_token: SecretStr | None = None

    @field_validator("instance")
    @classmethod
    def _is_the_accounts(cls, instance: str | None, info: ValidationInfo) -> str | None:
        account = info.data.get("account")
        if account is not None and instance != account.instance:
            raise ValueError("it is not that of the account")
        return instance

    def to_record(self) -> Record:
        """Return the core's light form, plaintext tokens revealed."""
        stored = self.model_dump(mode="python")
        stored["account"] = self.account.to_json()
        for name in ("fallback_token", "fallback_refresh_token"):
            secret = getattr(self, name)
            stored[name] = None if secret is None else secret.get_secret_value()
        return Record.from_json(stored)


def trusted_record(stored: object) -> Record:
    """Return the record in *stored*, fields of a parsed record file.

    Raises ValueError with the names of the fields that are wrong, and never their contents.
    """
    return _validated(UserRecord, stored).to_record()


def account_from(fields: Mapping[str, Any]) -> Account:
    """Return the account that *fields* describe.

    Raises ValueError with the names of the fields that are wrong, and never their contents.
    """
    return _validated(Account, dict(fields))


def _validated(model: type[M], fields: object) -> M:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        places = {".".join(map(str, item["loc"])) or "record" for item in error.errors()}
    raise ValueError(", ".join(sorted(places)))
