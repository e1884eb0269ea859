"""The services that an application knows: one, several by name, or any by its address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from click_auth.console.text import printable
from click_auth.errors import AuthError
from click_auth.providers.base import Provider
from click_auth.providers.options import ALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    ProviderSource: TypeAlias = Provider | Mapping[str, Provider] | Callable[[str | None], Provider]

_DEFAULT_PORTS = {"https": "443", "http": "80"}


class Services:
    """The providers behind `Auth(provider=)`, by instance."""

    def __init__(self, source: ProviderSource) -> None:
        given: object = source
        if not isinstance(given, (Provider, Mapping)) and not callable(given):
            raise TypeError(f"provider is a Provider, a mapping or a function, not {source!r}")
        if isinstance(source, Mapping) and not source:
            raise ValueError("a mapping of providers names at least one")
        self._source = source

    @property
    def has_instances(self) -> bool:
        """Whether there is more than one service, so that `--instance` makes sense."""
        return not isinstance(self._source, Provider)

    @property
    def choices(self) -> tuple[str, ...] | None:
        """The names of the services where they are known beforehand."""
        return tuple(self._source) if isinstance(self._source, Mapping) else None

    @property
    def homes(self) -> tuple[str | None, ...] | None:
        """The names of the default service in records; None where there is one service only."""
        if not self.has_instances:
            return None
        return (None,) if self.choices is None else (self.choices[0], None)

    @property
    def login_options(self) -> frozenset[str]:
        """The options that `login` offers: those of any of the providers. No I/O."""
        if isinstance(self._source, Provider):
            return self._source.options
        if isinstance(self._source, Mapping):
            return frozenset().union(*(each.options for each in self._source.values()))
        return ALL

    def instance(self, name: str | None) -> str | None:
        """Return *name* normalised; without one, the default. Raises Click's usage error."""
        choices = self.choices
        if choices is None:
            return None if name is None or not self.has_instances else normalised(name)
        if name is None:
            return choices[0]
        if name not in choices:
            raise click.UsageError(f"{printable(name, 60)!r} is not one of {', '.join(choices)}.")
        return name

    def provider(self, instance: str | None) -> Provider:
        """Return the provider of an instance that `instance` returned, or a record remembers."""
        if isinstance(self._source, Provider):
            return self._source
        if not isinstance(self._source, Mapping):
            return _made(self._source, instance)
        try:
            return self._source[self.choices[0] if instance is None else instance]  # type: ignore[index]
        except KeyError:
            message = (
                f"This account belongs to {printable(instance, 60)!r}, which is not known here."
            )
            raise AuthError(message, code="AUTH_BAD_SETTING") from None


def _made(make: Callable[[str | None], Provider], instance: str | None) -> Provider:
    """Return the provider of an *instance*, which a person may have mistyped."""
    try:
        return make(instance)
    except ValueError as error:
        if instance is None:
            raise  # the application's own mistake
        problem = f"The instance cannot be used: {error}"  # it may hold a password
    raise AuthError(problem, code="AUTH_BAD_SETTING", hints=["Check what --instance says."])


def normalised(instance: str) -> str:
    """Return an instance as it is remembered: without a default port and a trailing slash.

    Of an address, scheme and host are in lower case.
    """
    text = instance.strip().rstrip("/")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    scheme = scheme.lower()
    authority, slash, path = rest.partition("/")
    host, colon, port = authority.lower().rpartition(":")
    if colon and port == _DEFAULT_PORTS.get(scheme):
        authority = host
    return f"{scheme}://{authority.lower()}{slash}{path}"
