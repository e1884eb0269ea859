from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from click_auth import Account, ApiKeyProvider, OAuthProvider
from click_auth.testing import AuthorizationServer, logged_in
from doctor.patient import Patient


def test_a_server_that_answers_is_timed(patient: Patient) -> None:
    """Its metadata is fetched and checked; its clock is ours."""
    server, clock = patient.check("server"), patient.check("clock")

    assert (server.verdict, server.source) == ("ok", patient.server.issuer)
    assert re.fullmatch(r"metadata found in \d+\.\d\d s", server.value)
    assert clock.verdict == "ok"


def test_a_server_that_is_away_fails(patient: Patient) -> None:
    """The line says why; there is no clock to compare with."""
    with patient.server.offline():
        checks = {check.name: check for check in patient.checks()}

    assert checks["server"].verdict == "fail"
    assert "can't be reached" in checks["server"].value
    assert "clock" not in checks


def test_a_server_that_never_answers_is_given_up(patient: Patient) -> None:
    """Five seconds, and the other checks are there."""
    patient.server.faults.never_answer = {"discovery"}
    started = time.monotonic()

    checks = {check.name: check for check in patient.checks()}

    assert time.monotonic() - started < 30
    assert checks["server"].verdict == "fail"
    assert checks["folder"].verdict == "ok"


def test_metadata_of_another_issuer_fails(patient: Patient) -> None:
    """MD-01: a login would refuse it."""
    patient.server.faults.overlay = {"discovery": {"issuer": "https://other.example"}}

    assert "other.example" in patient.check("server").value


@pytest.mark.parametrize(
    "skew, words, verdict",
    [(30, "30 s behind", "ok"), (300, "300 s behind", "warn"), (-300, "300 s ahead of", "warn")],
)
def test_a_clock_that_is_off_is_a_warning_from_a_minute_on(
    patient: Patient, skew: float, words: str, verdict: str
) -> None:
    """The difference comes from the server's `Date`."""
    patient.server.faults.date_skew = skew

    check = patient.check("clock")

    assert check.verdict == verdict
    size, rest = words.split(" ", 1)
    assert abs(float(check.value.split()[0]) - float(size)) <= 20
    assert rest in check.value


@pytest.mark.parametrize("status, verdict", [(405, "ok"), (503, "warn")])
def test_without_discovery_the_token_endpoint_is_asked(
    patient: Patient, status: int, verdict: str
) -> None:
    """Whatever it says to a request without a credential, it is there; 5xx is worth a look."""
    url = patient.server.url
    patient.settings["provider"] = OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint=url + "/authorize",
        token_endpoint=url + "/token",
    )
    patient.server.faults.status = {"token": (status, "{}")}

    check = patient.check("server")

    assert (check.verdict, check.source) == (verdict, url + "/token")
    assert f"status {status}" in check.value


def test_an_answer_that_is_too_large_is_an_answer(patient: Patient) -> None:
    """Somebody is there, and nobody reads it."""
    patient.settings["provider"] = ApiKeyProvider(api_url=patient.server.api_url)
    patient.server.faults.status = {
        "api": (200, "x" * (2 << 20)),
        "unknown": (200, "x" * (2 << 20)),
    }

    assert patient.check("server").verdict == "ok"


def test_each_service_has_its_lines(patient: Patient) -> None:
    """One that is away does not hide the other."""
    with AuthorizationServer() as other:
        there = OAuthProvider(client_id="todo-cli", issuer=other.issuer)
        patient.settings["provider"] = {"eu": patient.provider, "us": there}
        other.stop()
        eu, us = patient.all("server")

    assert eu.value.startswith("eu: metadata found")
    assert (us.value[:4], us.verdict) == ("us: ", "fail")


def test_the_instances_of_accounts_are_asked(patient: Patient) -> None:
    """Where any address may be a service, those that somebody uses are looked at."""
    logged_in(patient.auth, account=Account(id="ada", instance=patient.server.url))

    def provider(instance: str | None) -> OAuthProvider:
        return OAuthProvider(client_id="todo-cli", issuer=instance or "https://none.example")

    patient.settings["provider"] = provider

    assert patient.check("server").value.startswith(f"{patient.server.url}: metadata found")


def test_a_provider_without_an_address_is_asked_nothing(patient: Patient) -> None:
    """There is no server to contact."""
    patient.settings["provider"] = ApiKeyProvider()

    check = patient.check("server")

    assert check.verdict == "ok"
    assert check.value.startswith("no server to contact")


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_certificates_that_are_not_there_fail(patient: Patient, name: str) -> None:
    """TE-16: the variable is named with its value."""
    patient.environ[name] = "/no/such/place"

    found = {check.name: check for check in patient.checks()}

    assert found[name].value.startswith("/no/such/place; ")
    assert found["TLS"].value.startswith(f"{name} names /no/such/place")
    assert found["TLS"].verdict == "fail"
    assert found["proxy"].verdict == "ok"


def test_certificates_that_are_there_are_named(patient: Patient, tmp_path: Path) -> None:
    """The first variable wins, and the others are said to have no effect."""
    patient.environ |= {"SSL_CERT_DIR": str(tmp_path), "REQUESTS_CA_BUNDLE": str(tmp_path)}

    assert patient.check("TLS").value == "certificates from SSL_CERT_DIR"
    assert patient.check("SSL_CERT_DIR").value.startswith(f"{tmp_path}; trusted certificates")
    assert "no effect" in patient.check("REQUESTS_CA_BUNDLE").value


@pytest.mark.parametrize(
    "options, value, verdict",
    [
        ({"verify": False}, "certificate verification is OFF", "warn"),
        ({"verify": httpx.create_ssl_context()}, "set by the application", "ok"),
        ({"transport": httpx.HTTPTransport()}, "set by the application", "ok"),
    ],
)
def test_what_the_application_says_about_tls_is_shown(
    patient: Patient, options: dict[str, Any], value: str, verdict: str
) -> None:
    """`http_options` beat the environment."""
    patient.settings["http_options"] = {"trust_env": False, **options}

    check = patient.check("TLS")

    assert (check.value, check.verdict) == (value, verdict)
    assert check.source == "Auth(http_options=)"


def test_options_made_by_a_function_are_made_once(patient: Patient) -> None:
    """However many checks want them at the same time."""
    made = []

    def options() -> dict[str, Any]:
        made.append(1)
        return {"trust_env": False}

    patient.settings["http_options"] = options

    assert patient.check("server").verdict == "ok"
    assert len(made) == 1


@pytest.fixture
def proxied(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """The application obeys this process's variables, of which there are none but a test's."""
    for name in ("http", "https", "all", "no"):
        for variable in (f"{name}_proxy", f"{name}_proxy".upper()):
            monkeypatch.delenv(variable, raising=False)
    patient.settings["http_options"] = {}
    return patient


def test_a_proxy_is_shown_without_its_password(
    proxied: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is the user name."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:canary@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,.example")

    check = proxied.check("proxy")

    assert check.value == ("https: http://proxy.example:3128; no: localhost,.example")


def test_no_proxy_is_none(proxied: Patient) -> None:
    """Nothing stands in between."""
    assert proxied.check("proxy").value == "none"


@pytest.mark.parametrize(
    "url", ["http://me:canary@[proxy:x", "me:canary@proxy", "socks5://a@b:can/canary@proxy"]
)
def test_a_password_in_an_odd_address_is_not_shown(
    proxied: Patient, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """However the address is broken, and not in an error either."""
    monkeypatch.setenv("HTTPS_PROXY", url)

    assert "proxy" in proxied.check("proxy").value
    assert "canary" not in repr(proxied.checks())


def test_an_application_s_own_proxy_is_not_shown(proxied: Patient) -> None:
    """It may hold a password in any form."""
    proxied.settings["http_options"] = {"proxy": "http://me:canary@proxy.example"}

    assert proxied.check("proxy").source == "Auth(http_options=)"
    assert "canary" not in repr(proxied.checks())


@pytest.mark.parametrize(
    "variable, value",
    [
        ("ALL_PROXY", "socks://127.0.0.1:9/"),
        ("ALL_PROXY", "socks5://me:canary@127.0.0.1:9"),
        ("HTTPS_PROXY", "proxy.invalid:bad"),
        ("NO_PROXY", "fd00::/8"),
    ],
)
def test_b25_a_proxy_that_cannot_be_used_fails(
    proxied: Patient, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """It is what everything else stumbles over."""
    monkeypatch.setenv(variable, value)

    check = proxied.check("proxy")

    assert (check.verdict, check.source) == ("fail", "environment")
    assert variable in check.value
    assert check.hint
    assert "canary" not in repr(proxied.checks())


def test_a16_a_server_that_cannot_be_asked_is_named(patient: Patient) -> None:
    """Certificates that are not there keep the doctor from asking; whom, it says all the same."""
    patient.settings["http_options"] = {}
    patient.environ["SSL_CERT_FILE"] = "/nowhere/roots.pem"

    check = patient.check("server")

    assert (check.verdict, check.source) == ("fail", patient.server.issuer)
    assert "SSL_CERT_FILE" in check.value


def test_a16_whatever_keeps_it_from_being_asked(patient: Patient) -> None:
    """An unexpected error does not know the address either."""

    def broken() -> dict[str, object]:
        raise RuntimeError("canary")

    patient.settings["http_options"] = broken

    check = patient.check("server")

    assert (check.verdict, check.source) == ("fail", patient.server.issuer)
    assert "canary" not in check.value
