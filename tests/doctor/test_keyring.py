from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from click_auth.testing import logged_in
from doctor.patient import Patient
from stores.keyrings import Cellar, Failing, Hanging, under_the_name_of

Use = Callable[[KeyringBackend], None]


def test_a_good_keyring_is_named_and_timed(patient: Patient, use: Use) -> None:
    """One slot is read, which holds nothing; nothing is written."""
    use(cellar := Cellar())
    patient.storage = "fallback"

    assert patient.check("keyring backend").value == "stores.keyrings.Cellar"
    cellar.journal.clear()
    assert patient.check("keyring read").value.startswith("an empty slot in")
    assert cellar.journal == ["get todo/doctor"]


@pytest.mark.parametrize("storage, verdict", [("system", "fail"), ("fallback", "warn")])
def test_a_locked_keyring_is_as_bad_as_the_policy_makes_it(
    patient: Patient, use: Use, storage: str, verdict: str
) -> None:
    """KR-02: without another place for tokens it is a failure."""
    use(Failing(KeyringLocked("locked"), "get"))
    patient.storage = storage

    check = patient.check("keyring read")

    assert check.verdict == verdict
    assert "is locked" in check.value
    assert (check.hint or "").startswith("Unlock it and try again")


def test_a_locked_keyring_with_an_account_in_it_fails(patient: Patient, use: Use) -> None:
    """That account cannot be used, whatever the policy says of new tokens."""
    use(cellar := Cellar())
    patient.storage = "fallback"
    logged_in(patient.auth)
    use(failing := Failing(KeyringLocked("locked"), "get"))
    failing.secrets = cellar.secrets

    assert patient.check("keyring read").verdict == "fail"


def test_a_keyring_that_hangs_is_given_up(patient: Patient, use: Use) -> None:
    """Three seconds, and the other checks are there."""
    use(hanging := Hanging())
    patient.storage = "fallback"

    try:
        checks = {check.name: check for check in patient.checks()}
    finally:
        hanging.let_go.set()
    for thread in threading.enumerate():
        if thread.name == "click-auth":
            thread.join(60)

    assert "didn't respond in time" in checks["keyring read"].value
    assert checks["server"].verdict == "ok"


@pytest.mark.parametrize(
    "path, reason",
    [
        ("keyring.backends.null.Keyring", "it stores nothing"),
        ("keyrings.alt.file.PlaintextKeyring", "it stores secrets unencrypted"),
    ],
)
@pytest.mark.real_keyring
def test_what_is_no_system_keyring_is_named(
    patient: Patient, use: Use, path: str, reason: str
) -> None:
    """KR-15: with its class and what is wrong with it."""
    use(under_the_name_of(path, Cellar))
    patient.storage = "fallback"

    check = patient.check("keyring backend")

    assert check.verdict == "warn"
    assert path in check.value
    assert reason in check.value


def test_a_keyring_that_nobody_uses_is_left_alone(patient: Patient, use: Use) -> None:
    """Under the policy `plaintext`, with no account in it, it is not touched."""
    use(cellar := Cellar())

    assert patient.check("keyring backend").value == "not used"
    assert cellar.journal == []


def test_the_policy_says_where_it_comes_from(patient: Patient) -> None:
    """The variable beats the application."""
    assert patient.check("storage").source == "Auth(storage=)"

    patient.environ["TODO_AUTH_STORAGE"] = "plaintext"

    assert patient.check("storage").source == "TODO_AUTH_STORAGE"


def test_a_policy_that_is_none_fails(patient: Patient) -> None:
    """It stops every command; the other checks still look at the store."""
    logged_in(patient.auth)
    patient.environ["TODO_AUTH_STORAGE"] = "cellar"

    assert patient.check("storage").verdict == "fail"
    assert "ada" in patient.check("account").value
