from __future__ import annotations

import pytest

from click_auth import ApiKeyProvider, OAuthProvider
from click_auth.testing import logged_in
from doctor.patient import Patient


@pytest.mark.parametrize(
    "variables, value, verdict",
    [
        ({"TODO_TOKEN": "t"}, "set; used instead of any stored account, never refreshed", "ok"),
        ({"TODO_ACCOUNT": "ada"}, "ada; account to use without --user", "ok"),
        ({"TODO_ACCOUNT": "x", "TODO_TOKEN": "t"}, "x; no effect", "ok"),
        (
            {"TODO_ACCOUNT": "x", "TODO_CLIENT_ID": "ci", "TODO_CLIENT_SECRET": "s"},
            "x; no effect",
            "ok",
        ),
        (
            {"TODO_ID_TOKEN_FILE": "/jwt"},
            "/jwt; ID token to exchange for an access token, if the service takes one",
            "ok",
        ),
        ({"TODO_ID_TOKEN_FILE": "/jwt", "TODO_TOKEN": "t"}, "/jwt; no effect", "ok"),
        ({"TODO_INSTANCE": "eu"}, "eu; no effect", "ok"),
        ({"TODO_CLIENT_ID": "ci"}, "ci; no effect", "ok"),
        (
            {"TODO_CLIENT_SECRET": "s", "TODO_CLIENT_ID": "ci"},
            "set; client credentials, used instead of any stored account",
            "ok",
        ),
        ({"TODO_CLIENT_SECRET": "s", "TODO_TOKEN": "t"}, "set; no effect", "ok"),
        ({"TODO_AUTH_STORAGE": "plaintext"}, "plaintext; where new tokens are stored", "ok"),
        ({"TODO_AUTH_KEY": "00"}, "set; key that encrypts stored tokens", "ok"),
        ({"TODO_AUTH_KEY_FILE": "/k"}, "/k; file that holds that key", "ok"),
        ({"TODO_CONFIG_DIR": "/x"}, "/x; no effect", "ok"),
        (
            {"TODO_AUTH_DEBUG": "1"},
            "1; debug log on stderr, without secrets",
            "ok",
        ),
        ({"TODO_NO_BROWSER": "1"}, "1; URLs are printed, not opened", "ok"),
        ({"TODO_NO_BROWSER": "0"}, "0; no effect", "ok"),
        ({"ACCESSIBLE": "1"}, "1; no moving lines", "ok"),
        ({"ACCESSIBLE": "0"}, "0; no effect", "ok"),
        (
            {"BROWSER": "true"},
            "true; browser for logins, if installed and not text-only",
            "ok",
        ),
    ],
)
def test_each_variable_is_shown_with_its_effect(
    patient: Patient, variables: dict[str, str], value: str, verdict: str
) -> None:
    """Its value, unless that is secret, and what it does here and now."""
    logged_in(patient.auth)
    patient.environ = variables

    check = patient.check(next(iter(variables)))

    assert (check.value, check.verdict, check.source) == (value, verdict, "environment")


def test_what_is_not_set_is_not_listed(patient: Patient) -> None:
    """One line says that nothing is; an empty variable is none."""
    patient.environ = {"TODO_TOKEN": "  "}

    assert patient.check("environment").value == "no overrides"


def test_an_application_may_name_its_variables(patient: Patient) -> None:
    """The variable of the token has another name, that of the account none."""
    patient.settings |= {"token_env": "DOIT", "account_env": None}
    patient.environ = {"DOIT": "t", "TODO_TOKEN": "t", "TODO_ACCOUNT": "ada"}

    names = {check.name for check in patient.checks()}

    assert "DOIT" in names
    assert names.isdisjoint({"TODO_TOKEN", "TODO_ACCOUNT"})


@pytest.mark.parametrize(
    "variables, words",
    [
        (
            {"TODO_TOKEN": "t\x01"},
            "TODO_TOKEN contains characters that are not allowed in a token.",
        ),
        ({"TODO_ACCOUNT": "zoe"}, "No account 'zoe'."),
        ({"TODO_INSTANCE": "mars"}, "'mars' is not one of eu, us."),
    ],
)
def test_a_value_that_cannot_be_used_fails(
    patient: Patient, variables: dict[str, str], words: str
) -> None:
    """In the words of the command that it would stop."""
    logged_in(patient.auth)
    patient.settings["provider"] = {"eu": ApiKeyProvider(), "us": ApiKeyProvider()}
    patient.environ = variables

    check = patient.check("environment")

    assert (check.value, check.verdict) == (words, "fail")


def test_a_file_without_an_id_token_fails(patient: Patient) -> None:
    """It stops every command, where the service takes such a token."""
    logged_in(patient.auth)
    patient.settings["provider"] = OAuthProvider(
        client_id="todo-cli", issuer=patient.server.issuer, workload_audience="todo"
    )
    patient.environ = {"TODO_ID_TOKEN_FILE": "/missing"}

    check = patient.check("environment")

    assert check.verdict == "fail"
    assert check.value.startswith("TODO_ID_TOKEN_FILE names /missing, which can't be read")


def test_a_named_service_takes_the_token_wherever_it_is_for(patient: Patient) -> None:
    """Where the services are known beforehand no variable says whose the token is."""
    patient.settings["provider"] = {"eu": ApiKeyProvider(), "us": ApiKeyProvider()}
    patient.environ = {"TODO_TOKEN_INSTANCE": "us"}

    assert patient.check("TODO_TOKEN_INSTANCE").value == "us; no effect"


def test_an_instance_that_is_known_has_its_effect(patient: Patient) -> None:
    """It stands where no `--instance` is given."""
    patient.settings["provider"] = {"eu": ApiKeyProvider(), "us": ApiKeyProvider()}
    patient.environ = {"TODO_INSTANCE": "us"}

    assert patient.check("TODO_INSTANCE").value == "us; service to use without --instance"


@pytest.mark.parametrize(
    "variables, value, source, verdict",
    [
        ({"BROWSER": "true"}, "/true", "detected", "ok"),
        ({"TODO_NO_BROWSER": "1"}, "none: TODO_NO_BROWSER is set", "detected", "ok"),
        ({"CI": "1"}, "none: running in a CI job", "detected", "warn"),
    ],
)
def test_the_browser_is_named_or_why_there_is_none(
    patient: Patient, variables: dict[str, str], value: str, source: str, verdict: str
) -> None:
    """What a login would do, decided by the same code."""
    patient.environ = variables

    check = patient.check("browser")

    assert check.value.endswith(value)
    assert (check.source, check.verdict) == (source, verdict)


def test_an_application_s_own_browser_beats_the_others(patient: Patient) -> None:
    """As in a login."""
    with patient.auth.override(environ={"TODO_NO_BROWSER": "1"}, browser=bool) as auth:
        found = {check.name: check for check in auth.doctor().checks}

    assert found["browser"].value == "the application's own"


@pytest.mark.parametrize(
    "address",
    [
        "https://me:canary@eu.example/x",
        "me:canary@eu.example",
        "https://canary@eu.example",
        "https://me:canary@canary@eu.example",
        "https://me:" + "canary" * 100 + "@eu.example",
    ],
)
@pytest.mark.parametrize("name", ["TODO_INSTANCE", "BROWSER"])
def test_s21_an_address_is_shown_without_its_password(
    patient: Patient, name: str, address: str
) -> None:
    """In a variable of ours as in a proxy's, and in no error either."""
    if name == "BROWSER" and "://" not in address:
        pytest.skip("no address")
    patient.settings |= {"provider": lambda _: patient.provider}
    patient.environ = {name: address}

    checks = repr(patient.checks())

    assert "eu.example" in checks
    assert "canary" not in checks
    assert "ary@" not in checks


def test_s21_an_account_is_no_address(patient: Patient) -> None:
    """Its key and its id may hold an @."""
    logged_in(patient.auth)
    patient.environ = {"TODO_ACCOUNT": "me@example.org"}

    assert patient.check("TODO_ACCOUNT").value.startswith("me@example.org; ")
