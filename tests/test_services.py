"""The services that an application knows, by name or by address."""

from __future__ import annotations

import re
from typing import Any

import click
import pytest
from click.testing import CliRunner

from click_auth import ApiKeyProvider, Auth, AuthError, MemoryTokenStore, Provider
from click_auth.context import Services, normalise
from click_auth.testing import logged_in

ONE, OTHER = (
    ApiKeyProvider(api_url="https://a.example"),
    ApiKeyProvider(api_url="https://b.example"),
)


@pytest.mark.parametrize("source", [None, "provider", 5, {}], ids=repr)
def test_what_is_no_source_of_providers(source: Any) -> None:
    """A provider, a mapping with at least one, or a function; anything else is refused at once."""
    with pytest.raises((TypeError, ValueError)):
        Services(source)


@pytest.mark.parametrize(
    "written,meant",
    [
        ("HTTPS://Git.Example.COM:443/", "https://git.example.com"),
        ("http://git.example:80/path/", "http://git.example/path"),
        ("https://git.example:8443", "https://git.example:8443"),
        ("https://git.example/Path", "https://git.example/Path"),
        (" Staging ", "Staging"),
    ],
)
def test_instances_are_remembered_in_one_form(written: str, meant: str) -> None:
    """However an address is written, it is one instance."""
    assert normalise(written) == meant
    assert normalise(meant) == meant


def test_one_provider_has_no_instances() -> None:
    """With one provider nobody is asked for an instance, and none is remembered."""
    services = Services(ONE)
    assert (services.has_instances, services.choices, services.instance(None)) == (
        False,
        None,
        None,
    )
    assert services.provider(None) is ONE


def test_mapping_is_a_choice_with_a_default() -> None:
    """Environments are chosen by name; the first is the default; what is unknown is said."""
    services = Services({"prod": ONE, "test": OTHER})
    assert services.choices == ("prod", "test")
    assert services.instance(None) == "prod"
    assert services.provider("test") is OTHER
    with pytest.raises(click.UsageError, match="prod, test"):
        services.instance("dev")
    with pytest.raises(AuthError, match="is unknown here"):
        services.provider("dev")


def test_function_makes_a_provider_of_an_address() -> None:
    """A self-hosted service is made of its address, normalised, or of None."""
    seen: list[str | None] = []

    def make(instance: str | None) -> Provider:
        seen.append(instance)
        return ApiKeyProvider(api_url=instance or "https://cloud.example")

    auth = Auth("todo", make, store=MemoryTokenStore())
    home = logged_in(auth, expires_in=None, account=_account("https://git.home.example"))
    cloud = logged_in(auth, expires_in=None, account=_account(None))
    with auth.client(instance="HTTPS://git.home.example/") as api:
        assert str(api.base_url) == "https://git.home.example"
    with auth.client(user=cloud.account.key) as api:
        assert str(api.base_url) == "https://cloud.example"
    assert home.account.key == "ada@https%3A%2F%2Fgit.home.example"
    assert set(seen) == {None, "https://git.home.example"}


@pytest.mark.parametrize(
    "words, said",
    [
        ("status --all --offline", "ada@prod ada@test"),
        ("status --offline --user ada@prod", "ada@prod"),
        ("status --offline --user ada", "ada@test"),
        ("account remove ada@prod", "Removed ada@prod."),
        ("account use ada@prod", "ada"),
    ],
)
def test_an_exact_key_counts_whatever_instance_the_environment_names(words: str, said: str) -> None:
    """`TODO_INSTANCE` narrows what a name may mean; a key names its own instance."""
    auth = Auth("todo", {"prod": ONE, "test": OTHER}, store=MemoryTokenStore())
    for instance in ("prod", "test"):
        logged_in(auth, expires_in=None, account=_account(instance))
    with auth.override(environ={"TODO_INSTANCE": "test"}):
        done = CliRunner().invoke(auth.group(), words.split())
        keys = CliRunner().invoke(auth.group(), [*words.split(), "--json"]).stdout
    assert done.exit_code == 0, done.output
    if "status" in words:
        assert re.findall(r'"key": "([^"]*)"', keys) == said.split()
    else:
        assert said in done.output


def _account(instance: str | None) -> Any:
    from click_auth import Account

    return Account(id="ada", instance=instance)
