"""The proxies that the environment names: who goes through which, and whether they can be used."""

from __future__ import annotations

import contextlib
import os
from typing import Any
from urllib.request import getproxies, proxy_bypass

from click_auth.console.text import without_password
from click_auth.errors import BAD_SETTING, AuthError

_SCHEMES = ("http", "https", "all")  # those that httpx looks at
_SYSTEM = "the system's settings"


def proxy_of(scheme: str, host: str) -> str | None:
    """Return which proxy a request goes through, and who says so, without its password."""
    found = getproxies()
    used = next((each for each in (scheme, "all") if found.get(each)), None)
    if used is None or proxy_bypass(host):
        return None
    return f"the proxy {without_password(found[used])} of {_variable(used)}"


def unusable(module: Any) -> AuthError | None:
    """Return the error of the setting with which *module* can make no client, None if it can."""
    with contextlib.suppress(ImportError, ValueError, module.InvalidURL):
        module.Client(verify=False).close()
        return None
    found = getproxies()
    for scheme in filter(found.get, _SCHEMES):
        problem = _problem(module, found[scheme])
        if problem is not None:
            return _bad(scheme, *problem)
    return _bad("no", "holds a host that cannot be read.", "Name hosts and single addresses only.")


def _problem(module: Any, url: str) -> tuple[str, str] | None:
    try:
        module.HTTPTransport(proxy=module.Proxy(url if "://" in url else f"http://{url}"))
    except ImportError:
        hint = f"Install {module.__name__}[socks], or name an http:// proxy."
        return "names a SOCKS proxy, and the package socksio is not installed.", hint
    except (ValueError, module.InvalidURL):
        hint = "Give it as http://HOST:PORT or socks5://HOST:PORT, or unset it."
        return "names no proxy that can be used.", hint
    return None


def _bad(scheme: str, what: str, hint: str) -> AuthError:
    return AuthError(f"{_variable(scheme)} {what}", code=BAD_SETTING, hints=[hint])


def _variable(scheme: str) -> str:
    """Return the variable that says it: in lower case where both are set, as for urllib."""
    names = sorted((name for name in os.environ if os.environ[name]), reverse=True)
    return next((name for name in names if name.lower() == f"{scheme}_proxy"), _SYSTEM)
