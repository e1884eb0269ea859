"""What `auth.client()` adds to a class of httpx's: the credential, and errors with a way out.

And the first question that it is used for: whose the credential is, according to the service.
"""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from click_auth.account import Account, account_from
from click_auth.bearer import UNAUTHORIZED, find_sent, flow_for, is_refused
from click_auth.console import console
from click_auth.errors import API_STATUS, AuthError, LoginFailed, Unreachable
from click_auth.http.call import explain, host_in
from click_auth.http.client import mute_http_loggers
from click_auth.providers import unidentified
from click_auth.stores.document import json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from click_auth.bearer import Hinting
    from click_auth.context import Context
    from click_auth.credentials import Credential

_OWN_WAY = ("mounts", "proxy", "transport", "trust_env")
MOST_BYTES = 64 * 1024
"""How long all that is kept of an account may be, as JSON."""


def _call(hooks: Iterable[Callable[[Any], Any]], subject: Any) -> None:
    for hook in hooks:
        hook(subject)


async def _call_async(hooks: Iterable[Callable[[Any], Any]], subject: Any) -> None:
    for hook in hooks:
        await hook(subject)


class Hooks(dict[str, list[Any]]):
    """The application's event hooks, and in front of them what must not be lost with them.

    A request that a redirect leads elsewhere has lost the credential when they see it. A 401
    that another token may yet answer they do not see; one that stands they do.
    """

    def __init__(self, given: dict[str, list[Any]], call: Callable[..., Any]) -> None:
        super().__init__({name: list(given.get(name, ())) for name in ("request", "response")})
        self._call = call

    def request(self, request: Any) -> Any:
        """Take the credential off where it may not go, or put it on anew; then call the hooks."""
        sent = find_sent(request)
        if sent is not None:
            sent.follow(request)
        return self._call(self["request"], request)

    def response(self, response: Any) -> Any:
        """Call the hooks, or leave it to the flow."""
        hooks, sent = self["response"], find_sent(response.request)
        if sent is not None and is_refused(response):
            sent.held_back = partial(self._call, hooks, response)
            hooks = []
        return self._call(hooks, response)


class _Ours:
    """A client whose `event_hooks` are the application's own, however and whenever they are set."""

    _click_auth_hooks: Hooks | None = None
    _click_auth_call: Callable[..., Any] = staticmethod(_call)
    click_auth_convert: Callable[[Any], None] = staticmethod(lambda _error: None)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self._click_auth_hooks is None:
            self.event_hooks = super().event_hooks  # type: ignore[misc]

    @property
    def event_hooks(self) -> Any:
        return self._click_auth_hooks

    @event_hooks.setter
    def event_hooks(self, given: dict[str, list[Any]]) -> None:
        self._click_auth_hooks = hooks = Hooks(given, self._click_auth_call)
        ours = {"request": [hooks.request], "response": [hooks.response]}
        super(_Ours, type(self)).event_hooks.fset(self, ours)  # type: ignore[misc]


class _Sync(_Ours):
    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)  # type: ignore[misc]
        self.click_auth_convert(raised[1])


class _Async(_Ours):
    _click_auth_call = staticmethod(_call_async)

    async def __aexit__(self, *raised: object) -> None:
        await super().__aexit__(*raised)  # type: ignore[misc]
        self.click_auth_convert(raised[1])


@lru_cache
def _ours(cls: type[Any]) -> Any:
    """Return *cls* with our hooks and errors; to all appearances it is *cls*."""
    named = {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
    bases = (_Async if hasattr(cls, "aclose") else _Sync, cls)
    return types.new_class(cls.__name__, bases, exec_body=lambda space: space.update(named))


def _convert(httpx: Any, hinting: Hinting, proxy_of: Callable[..., Any], error: Any) -> None:
    """Raise ours from an *error* of httpx's own; else do nothing."""
    if isinstance(error, httpx.HTTPStatusError):
        failure = _of_status(error.response)
    elif isinstance(error, httpx.RequestError):
        failure = Unreachable(f"{why(httpx, error, proxy_of)}.", hints=[Unreachable.try_later])
    else:
        return
    with hinting():
        raise failure from error


def why(httpx: Any, error: Any, proxy_of: Callable[..., Any]) -> str:
    """Return in words why a request got no response."""
    try:
        request = error.request
    except RuntimeError:  # raised by the application itself
        return f"the service can't be reached ({type(error).__name__})"
    proxy = proxy_of(request.url.scheme, request.url.host)
    return explain(httpx, error, host_in(request), proxy).reason


def _of_status(response: Any) -> AuthError:
    request, status = response.request, response.status_code
    sent = find_sent(request)
    if sent is not None and is_refused(response):
        return sent.flow.refusal(request)
    if sent is not None and (lacking := sent.flow.find_step_up(response)) is not None:
        return lacking
    hints = [] if sent else ["No token was sent there. Name the host in hosts= to allow that."]
    message = f"{host_in(request)} returned status {status}."
    return AuthError(message, code=API_STATUS, hints=hints if status == UNAUTHORIZED else ())


@contextlib.contextmanager
def convert_errors(client: Any) -> Iterator[None]:
    """Do in a block what *client* does to the errors that leave its own."""
    try:
        yield
    except Exception as error:
        client.click_auth_convert(error)
        raise


def client_for(  # noqa: PLR0917 - what `Auth.client` was given
    context: Context,
    credential: Credential,
    cls: type[Any] | None,
    hosts: Iterable[str],
    options: dict[str, Any],
    hinting: Hinting = contextlib.nullcontext,
    *,
    raising: bool = False,
    stepping_up: bool = False,
) -> Any:
    """Return a client of *cls* that carries the credential to `api_url`, `base_url` and *hosts*.

    Its errors are ours where it is *raising*.
    """
    base_url, http = options.pop("base_url", None) or credential.provider.api_url, context.http
    asked: Any = http.module.Client if cls is None else cls
    module = _module_of(asked, context)
    kind = {"module": module, "guarded": True, "raising": raising, "stepping_up": stepping_up}
    flow = flow_for(context, credential, hosts, hinting, base_url=base_url, **kind)
    own, common = options.pop("event_hooks", {}), http.options.get("event_hooks", {})
    hooks = {name: [*common.get(name, ()), *own.get(name, ())] for name in {**common, **own}}
    if base_url is not None:
        options["base_url"] = base_url
    client: Any = http.client(
        _ours(asked), auth=flow, event_hooks=hooks, hosts=flow.hosts, **options
    )
    if raising:
        is_own_way = not options.keys().isdisjoint(_OWN_WAY)
        proxy_of = (lambda *_: None) if is_own_way else http.proxy_of
        client.click_auth_convert = partial(_convert, module, hinting, proxy_of)
    return client


def _module_of(cls: type[Any], context: Context) -> Any:
    """Return the module of httpx's API whose `Auth` a client class asks for."""
    for base in cls.__mro__:
        module = sys.modules.get(base.__module__.partition(".")[0])
        if module is not None and hasattr(module, "Auth") and hasattr(module, "AsyncClient"):
            return module
    return context.http.module


def identify_account(context: Context, credential: Credential) -> Account:
    """Return the account that *credential* belongs to. Blocks.

    Raises `LoginFailed` where the service does not take it or does not say who it is,
    `Unreachable` where it cannot be asked.
    """
    http, errors, provider = context.http, context.http.module, credential.provider
    is_ours = provider.api_url is not None
    client = client_for(context, credential, None, (), {}) if is_ours else http.client()
    with mute_http_loggers(errors.__name__), client:
        try:
            fields = provider.identify(client, credential.bundle())
        except errors.HTTPStatusError as error:
            status = error.response.status_code
            raise unidentified(status, f"it returned status {status}") from None
        except errors.HTTPError as error:
            raise unidentified(None, why(errors, error, http.proxy_of)) from None
        except ValueError:
            raise LoginFailed("Can't read the server's response about who is logged in.") from None
    return _parse(fields, credential.instance)


def _parse(fields: object, instance: str | None) -> Account:
    problem = "its response is not a JSON object"
    if isinstance(fields, Mapping):
        try:
            return _bounded(account_from({**fields, "instance": instance}))
        except ValueError as error:
            problem = f"no usable {error}"
    raise LoginFailed(f"The server didn't say who is logged in: {problem}.")


def _bounded(account: Account) -> Account:
    """Leave out what else a service says of somebody where it is more than anybody looks at."""
    if len(json_bytes(account.to_json())) <= MOST_BYTES:
        return account
    bare = replace(account, extra={})
    if len(json_bytes(bare.to_json())) > MOST_BYTES:
        raise ValueError("id: it is too long")
    text = "The server sent too much about this account; only its ID and label are stored."
    console.current().warn(text)
    return bare
