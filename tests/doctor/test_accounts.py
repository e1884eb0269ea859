from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from keyring.backend import KeyringBackend

from click_auth import Account, MemoryTokenStore, StoredAccount, TokenStore
from click_auth.testing import logged_in
from doctor.patient import Patient
from stores.keyrings import Cellar


def test_each_account_has_a_line(patient: Patient) -> None:
    """Who, how well, until when, where, and whether it is the default."""
    for user in ("ada", "ben"):
        logged_in(patient.auth, user)

    ada, ben = patient.all("account")

    assert ada.value.startswith("ada@todo.example (ada): ok, expiry 20")
    assert ada.value.endswith("Z, plaintext")
    assert ben.value.endswith("Z, plaintext, default")
    assert (ada.verdict, ben.verdict) == ("ok", "ok")


def test_nobody_is_no_fault(patient: Patient) -> None:
    """A report of a fresh installation has nothing to look at here."""
    assert patient.check("accounts").value == "not logged in"


def test_a_credential_of_another_server_is_a_warning(patient: Patient) -> None:
    """The line names both servers, the hint the way out."""
    logged_in(patient.auth)
    patient.alter(issuer="https://old.example", client_id="old")

    check = patient.check("account")

    assert check.verdict == "warn"
    assert "logged in at https://old.example, not at" in check.value
    assert check.hint == "Log in to it again."


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"access_token_expires_at": 5, "has_refresh_token": False}, "expired, expiry 1970"),
        (
            {"access_token_expires_at": 5, "refresh_token_expires_at": 9},
            "expired, expiry 1970",
        ),
        ({"rejected_generation": 1}, "ended by the server"),
    ],
)
def test_a_session_that_is_over_is_a_warning(
    patient: Patient, fields: dict[str, object], words: str
) -> None:
    """Expired for good, or called dead by the server."""
    logged_in(patient.auth)
    patient.alter(**fields)

    check = patient.check("account")

    assert words in check.value
    assert check.verdict == ("ok" if words == "ok" else "warn")


def test_an_expired_token_that_renews_itself_is_fine(patient: Patient) -> None:
    """Nobody has to do anything about it."""
    logged_in(patient.auth, expires_in=-7200)

    check = patient.check("account")

    assert check.verdict == "ok"
    assert ": ok, expiry 20" in check.value
    assert "not refreshable" not in check.value


def test_an_expiry_that_nobody_knows_is_said(patient: Patient) -> None:
    """The server named none."""
    logged_in(patient.auth, expires_in=None)

    assert "expiry unknown" in patient.check("account").value


def test_a_downgraded_account_stays_visible(
    patient: Patient, use: Callable[[KeyringBackend], None]
) -> None:
    """Tokens in a file, though the policy prefers the keyring, are a warning."""
    use(Cellar())
    logged_in(patient.auth)
    patient.storage = "fallback"

    account = patient.check("account")

    assert account.verdict == "warn"
    assert "keyring" in str(account.hint)


def test_a_label_cannot_forge_lines(patient: Patient) -> None:
    """TI-02: control characters and line breaks are gone."""
    logged_in(patient.auth, account=Account(id="eve", label="Eve\n\x1b[2Jok  all is well"))

    value = patient.check("account").value

    assert "\n" not in value
    assert "\x1b" not in value


def test_ten_thousand_accounts_are_cut_short(patient: Patient) -> None:
    """Fifty lines, then how many there are; within the time that an examination has."""
    logged_in(patient.auth)
    record = patient.auth.context.store.record()
    assert record is not None
    with patient.auth.context.store.records.transaction() as draft:  # type: ignore[attr-defined]
        for number in range(2000):
            account = Account(id=f"user-{number}")
            draft.records[account.key] = type(record)(account, storage="plaintext")

    checks = patient.checks()

    assert sum(check.name == "account" for check in checks) == 50
    assert [check.value for check in checks if check.name == "accounts"] == ["and 1951 more"]


class Minimal(TokenStore):
    """A store that knows nothing but the five methods."""

    def __init__(self) -> None:
        self._inner = MemoryTokenStore()

    def active(self, ref: str | None = None) -> str | None:
        return self._inner.active(ref)

    def set(self, account: Account, token: str) -> None:
        self._inner.set(account, token)

    def clear(self, ref: str | None = None) -> None:
        self._inner.clear(ref)

    def accounts(self) -> Sequence[StoredAccount]:
        return self._inner.accounts()

    def set_default(self, ref: str) -> None:
        self._inner.set_default(ref)


def test_accounts_of_an_application_s_own_store_are_listed(patient: Patient) -> None:
    """With what such a store knows of them."""
    patient.settings["store"] = store = Minimal()
    store.set(Account(id="ada"), "token")

    assert patient.check("account").value == "ada: ok, expiry unknown, not refreshable, custom"
    assert patient.check("removals").value == "none pending"
