"""The public names: what `click_auth` exports, and how little it loads."""

from __future__ import annotations

import ast
import dataclasses
import pickle
import re
from pathlib import Path
from types import ModuleType

import pytest

import click_auth
import click_auth.testing
from click_auth import Account, UserRecord, errors, lazy, oauth
from click_auth.record import FIELDS, Record

CONTRACT = """
Account ApiKeyProvider Auth AuthError AuthorizationRequest AuthorizationResponse KeyringTokenStore
LegacyCredential LoginContext LoginFailed LoginRequest LoginResult LoginUI LogoutContext
LogoutResult MemoryTokenStore MigrationResult NotLoggedIn OAuthProvider Provider Report Status
StatusContext StorageUnavailable StoredAccount TokenBundle TokenStore Unreachable UsageError
UserRecord attach_accounts attach_all attach_doctor attach_login attach_logout attach_refresh
attach_status attach_token migrate_legacy_auth refresh_access_token
"""


def test_every_name_resolves_and_types_see_the_same() -> None:
    """`__all__` holds the contract's names, each resolves, and type checkers see the same list."""
    assert set(CONTRACT.split()) <= set(click_auth.__all__)
    assert sorted(click_auth.__all__) == list(click_auth.__all__)
    assert all(getattr(click_auth, name) is not None for name in click_auth.__all__)
    tree = ast.parse(Path(click_auth.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = [alias.asname for node in block.body for alias in node.names]  # type: ignore[attr-defined]
    assert sorted(imported) == list(click_auth.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    """A name that is not there is an AttributeError like any other."""
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        click_auth.nonsense  # noqa: B018
    assert set(click_auth.__all__) <= set(dir(click_auth))


@pytest.mark.parametrize("gate", [click_auth, click_auth.testing, lazy, oauth])
def test_who_asks_every_module_for_something_is_not_disturbed(gate: ModuleType) -> None:
    """As `unittest.assertWarns` does: a module that loads others on their first use says no."""
    assert not hasattr(gate, "__warningregistry__")
    assert not hasattr(gate, "no_such_module")


def test_a_gate_loads_each_module_that_types_see() -> None:
    """What is imported for type checkers is what is loaded, and nothing else."""
    for gate in (lazy, oauth):
        block = Path(gate.__file__ or "").read_text("utf-8").partition("if TYPE_CHECKING:")[2]
        names = re.findall(r"^    from click_auth[\w.]* import (\w+) as \1$", block, re.MULTILINE)
        homes = re.findall(r"^    from (click_auth[\w.]*) import \w+ as", block, re.MULTILINE)
        found = [getattr(gate, name).__name__ for name in names]
        assert found == [f"{home}.{name}" for home, name in zip(homes, names, strict=True)]
        assert len(found) > 5


def test_errors_are_clicks_with_codes_and_exit_codes() -> None:
    """Each class of error has the exit code that scripts rely on, and a code of its own."""
    expected = {"NotLoggedIn": 4, "LoginFailed": 1, "Unreachable": 5, "StorageUnavailable": 6}
    for name, exit_code in {**expected, "UsageError": 2, "AuthError": 1}.items():
        error = getattr(click_auth, name)("It failed.", hints=["Do this."])
        assert (error.exit_code, str(error)) == (exit_code, "It failed.")
        assert error.format_message() == "It failed. Do this."
        assert error.to_json()["error"]["code"] == error.code
    assert errors.AuthError("a\n\x1b[31mb").message == "a [31mb"


RETURNED = """
Check LoginContext LoginResult LogoutContext LogoutResult MigrationResult Report Status
StatusContext StoredAccount
"""


@pytest.mark.parametrize("name", RETURNED.split())
def test_results_are_frozen_dataclasses(name: str) -> None:
    """Results and contexts are frozen dataclasses, each with `to_json()`."""
    kind = getattr(click_auth, name)
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert callable(kind.to_json)  # type: ignore[attr-defined]


def test_record_and_its_schema_have_the_same_fields() -> None:
    """The light record and the pydantic model that guards it agree."""
    assert set(FIELDS) == set(UserRecord.model_fields)


def test_s23_a_record_is_not_pickled() -> None:
    """Nor is anything else that holds a token, a code or a verifier."""
    account, bundle = click_auth.Account(id="ada"), click_auth.TokenBundle("s3cret")
    request = click_auth.AuthorizationRequest("https://id.example", "http://127.0.0.1/", "s", "v")
    for thing in (
        bundle,
        UserRecord(account=account, fallback_token="s3cret"),
        click_auth.LoginContext(account, bundle=bundle),
        click_auth.LoginRequest(token="s3cret"),
        request,
        click_auth.AuthorizationResponse("code", "http://127.0.0.1/"),
    ):
        with pytest.raises(TypeError, match="can't be pickled"):
            pickle.dumps(thing)
    assert pickle.loads(pickle.dumps(account)) == account


def test_sx_01_models_and_bundles_show_no_secret() -> None:
    """No secret is in the repr, str or dump of what holds one."""
    bundle = click_auth.TokenBundle(
        "s3cret-a", "s3cret-r", id_token="s3cret-i", extra={"x": "s3cret"}
    )
    account = click_auth.Account(id="ada")
    record = UserRecord(
        account=account, fallback_token="s3cret-a", fallback_refresh_token="s3cret-r"
    )
    light = Record(Account("ada"), fallback_token="s3cret-a", unknown={"x": "s3cret"})
    context = click_auth.LoginContext(account, bundle=bundle)
    request = click_auth.LoginRequest(token="s3cret")
    for thing in (bundle, record, light, context, request):
        assert "s3cret" not in f"{thing} {thing!r}"
    assert "s3cret" not in record.model_dump_json() + str(record.model_dump())
    with pytest.raises(ValueError, match="generation") as caught:
        UserRecord.model_validate({"account": {"id": "ada"}, "generation": "s3cret"})
    assert "s3cret" not in str(caught.value)
