"""What the end user's environment says. The one place that knows the names of its variables."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click

from click_auth.defaults import POLICIES
from click_auth.errors import BAD_SETTING, AuthError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DERIVED = "<APP>_"
_LONGEST_KEYRING_TIMEOUT = 3600.0


class Identity:  # no NamedTuple: it compiles its annotations at each start
    """The ID token of a CI job, or what it `lacks` to get one. Neither: this is no job."""

    def __init__(self, token: str | None = None, lacks: str | None = None) -> None:
        self.token = token
        self.lacks = lacks


NO_JOB = Identity()


class Environment:
    """The variables of one application, read anew at each call from *environ*."""

    def __init__(
        self,
        app_name: str,
        environ: Mapping[str, str] | None = None,
        token_env: str | None = "<APP>_TOKEN",  # noqa: S107 - the name of a variable
        account_env: str | None = "<APP>_ACCOUNT",
    ) -> None:
        self.app_name = app_name
        self._prefix = app_name.upper().replace("-", "_").replace(".", "_").replace(" ", "_") + "_"
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.token_env: str | None = token_env and token_env.replace(_DERIVED, self._prefix)
        self.account_env: str | None = account_env and account_env.replace(_DERIVED, self._prefix)

    def name(self, suffix: str) -> str:
        """Return the full name of a variable, `<APP>_SUFFIX`."""
        return self._prefix + suffix

    def value(self, suffix: str) -> str | None:
        """Return the value of `<APP>_SUFFIX`; empty is as good as absent."""
        return self._get(self.name(suffix))

    def _get(self, name: str | None) -> str | None:
        return None if name is None else (self.environ.get(name, "").strip() or None)

    @property
    def token(self) -> str | None:
        """The access token that beats the store."""
        return self._get(self.token_env)

    @property
    def account(self) -> str | None:
        """The reference of the account that beats the default one."""
        return self._get(self.account_env)

    @property
    def instance(self) -> str | None:
        """The instance that beats the default one."""
        return self.value("INSTANCE")

    @property
    def client_credentials(self) -> tuple[str, str] | None:
        """The client id and secret of the client-credentials grant, for CI."""
        client_id, client_secret = self.value("CLIENT_ID"), self.value("CLIENT_SECRET")
        return (client_id, client_secret) if client_id and client_secret else None

    @property
    def storage(self) -> str | None:
        """The storage policy that beats the application's own. Raises on an unknown one."""
        policy = self.value("AUTH_STORAGE")
        if policy is not None and policy not in POLICIES:
            raise self._refusal("AUTH_STORAGE", f"one of {', '.join(POLICIES)}")
        return policy

    @property
    def keyring_timeout(self) -> float | None:
        """How long a call to the keyring may take, in seconds. Raises on what is no such time."""
        text = self.value("KEYRING_TIMEOUT")
        if text is None:
            return None
        with contextlib.suppress(ValueError):
            if 0 < float(text) <= _LONGEST_KEYRING_TIMEOUT:
                return float(text)
        raise self._refusal("KEYRING_TIMEOUT", "a number of seconds")

    @property
    def browser_forbidden(self) -> bool:
        """Whether `<APP>_NO_BROWSER` is set."""
        return self.value("NO_BROWSER") not in (None, "0")

    @property
    def debug(self) -> bool:
        """Whether `<APP>_AUTH_DEBUG` is set."""
        return self.value("AUTH_DEBUG") not in (None, "0")

    @property
    def folder(self) -> str:
        """The folder of the records: `<APP>_CONFIG_DIR`, else where Click keeps such things."""
        from click_auth.account import folder_name  # noqa: PLC0415 - not for `--help`

        configured = self.value("CONFIG_DIR")
        if configured is not None:
            return self.expanded(configured)
        usual = click.get_app_dir(folder_name(self.app_name))
        return self.expanded(usual if usual.startswith("~") else os.path.abspath(usual))  # noqa: PTH100

    def expanded(self, folder: str | Path) -> str:
        """Return *folder* with the home in place of `~`.

        Raises `AuthError` where there is no home, and where it would be another one wherever a
        command is run.
        """
        path = os.path.expanduser(folder)  # noqa: PTH111
        if os.path.isabs(path):  # noqa: PTH117
            return os.path.abspath(path)  # noqa: PTH100
        fault = f"{path} is not an absolute path."
        if path.startswith("~"):
            fault = "Can't find your home folder."
        hint = f"Set {self.name('CONFIG_DIR')} to the folder where credentials should be stored."
        raise AuthError(fault, code=BAD_SETTING, hints=[hint])

    def _refusal(self, name: str, wanted: str) -> AuthError:
        message = f"{self.name(name)} is {self.value(name)!r}; it takes {wanted}."
        return AuthError(message, code=BAD_SETTING)
