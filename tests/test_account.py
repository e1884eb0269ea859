"""An account: one frozen dataclass, whoever makes it."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any
from unittest.mock import ANY

import pytest

from click_auth import Account, LoginContext, StoredAccount, TokenBundle, UserRecord
from click_auth.account import account_from
from click_auth.record import Record

ADA = Account("ada", "Ada", "https://todo.example", {"plan": ["free"]})


def test_an_account_is_a_frozen_dataclass() -> None:
    """Nothing of it can be set, and a copy with another label is another account."""
    assert dataclasses.is_dataclass(Account)
    with pytest.raises(dataclasses.FrozenInstanceError):
        ADA.label = "Eve"  # type: ignore[misc]
    renamed = dataclasses.replace(ADA, label="Countess")
    assert renamed == Account("ada", "Countess", "https://todo.example", {"plan": ["free"]})
    assert renamed != ADA
    assert renamed.key == ADA.key == "ada@https%3A%2F%2Ftodo.example"


def test_equal_accounts_are_one_in_a_set() -> None:
    """Whatever the service said besides, hashable or not, an account can be looked up."""
    assert len({ADA, copy.deepcopy(ADA), copy.copy(ADA), pickle.loads(pickle.dumps(ADA))}) == 1
    assert Account("ada", extra={"plan": "pro"}) != Account("ada")
    assert len({Account("ada", extra={"plan": "pro"}), Account("ada")}) == 2


def test_what_else_the_service_said_is_given_by_name_or_as_a_mapping() -> None:
    """Both end in `extra`, and never in place of the account's own fields."""
    expected = {"plan": "pro", "team": 7}
    assert Account(id="ada", plan="pro", team=7).extra == expected
    assert Account(id="ada", extra={"plan": "pro"}, team=7).extra == expected
    odd = Account(id="ada", extra={"key": "eve", "id": "eve", "instance": "x", "extra": 1})
    assert odd.extra == {"extra": 1}
    assert odd.to_json() == {
        "extra": 1,
        "key": "ada",
        "id": "ada",
        "label": None,
        "instance": None,
    }
    assert Account.from_json(odd.to_json()) == odd


def test_what_the_service_said_is_not_shown() -> None:
    """What a service adds may be a secret: it is in no `repr`, and not changed from outside."""
    said = {"apikey": "s3cret"}
    account = Account("ada", extra=said)
    said["apikey"] = "other"
    assert account.extra == {"apikey": "s3cret"}
    context = LoginContext(account, bundle=TokenBundle("x"))
    assert "s3cret" not in f"{account!r} {StoredAccount(account)} {Record(account)} {context}"


@pytest.mark.parametrize("account_id", ["", None])
def test_nobody_is_no_account(account_id: Any) -> None:
    """Without an id there would be no key to keep anything under."""
    with pytest.raises(ValueError, match="id"):
        Account(account_id)


@pytest.mark.parametrize(
    "fields, id_and_label",
    [
        ({"id": "ada", "label": "Ada"}, ("ada", "Ada")),
        ({"id": 10**20, "label": 0}, (str(10**20), "0")),
        ({"id": "ada", "label": None, "key": "eve"}, ("ada", None)),
    ],
)
def test_a_number_names_an_account_too(
    fields: dict[str, Any], id_and_label: tuple[str, str | None]
) -> None:
    """A service may count its users; its number becomes text, and a key of its own is nothing."""
    account = account_from(fields)
    assert (account.id, account.label) == id_and_label
    assert account.extra == {}


@pytest.mark.parametrize(
    "fields, wrong",
    [
        ({}, "id"),
        ({"id": ""}, "id"),
        ({"id": True}, "id"),
        ({"id": 1.5}, "id"),
        ({"id": ["s3cret"]}, "id"),
        ({"id": "ada", "label": ["s3cret"]}, "label"),
        ({"id": "ada", "instance": {"s3cret": 1}}, "instance"),
        ({"id": b"s3cret", "label": False}, "id, label"),
        ({"id": "ada", 7: "s3cret"}, "fields"),
        ("s3cret", "fields"),
    ],
)
def test_what_cannot_be_an_account_is_named_by_its_fields(fields: Any, wrong: str) -> None:
    """The fields that are wrong are named, and what they hold is not repeated."""
    with pytest.raises(ValueError, match=wrong) as caught:
        account_from(fields)
    assert str(caught.value) == wrong
    with pytest.raises(ValueError, match="account") as caught:
        UserRecord.model_validate({"account": fields})
    assert "s3cret" not in str(caught.value)


def test_a_user_record_has_an_account() -> None:
    """The schema of the file makes the same accounts, and what it dumps it takes again."""
    record = UserRecord(account=ADA, instance=ADA.instance)
    dumped = record.model_dump(mode="json")
    assert dumped["account"] == ADA.to_json()
    assert UserRecord.model_validate(dumped).account == record.account == ADA


def test_what_the_service_said_survives_a_rewrite() -> None:
    """A record keeps the fields of its account, by hand or from elsewhere, through every write."""
    stored = {"account": {"id": "ada", "plan": {"name": "pro"}, "extra": [1]}, "later": 1}
    record = UserRecord.model_validate(stored).to_record()
    again = Record.from_json(record.renamed("Ada").to_json())
    assert again.account == Account("ada", "Ada", None, {"plan": {"name": "pro"}, "extra": [1]})
    assert again.to_json()["account"]["extra"] == [1]
    assert again.unknown == {"later": 1}


def test_a_value_lets_the_other_side_say_whether_they_are_equal() -> None:
    """As a dataclass does: `unittest.mock.ANY` is equal to each of them."""
    for value in (Account("ada"), StoredAccount(Account("ada")), Record(Account("ada"))):
        assert value == ANY
        assert value != "ada"
