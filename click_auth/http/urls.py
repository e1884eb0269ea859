"""URLs to which a secret may go. Stricter than any client, so that none reads them differently."""

from __future__ import annotations

_PORTS = {"https": 443, "http": 80}
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")
_IPV6 = frozenset("0123456789abcdef:.")
_IN_NO_URL = frozenset(' "<>\\^{|}')  # RFC 3986 has none of them; rundll32 would split at a quote


class Url:  # no NamedTuple: it compiles its annotations at each start
    """An absolute http or https URL, taken apart.

    `scheme` and `host` are in lower case, an IPv6 `host` without brackets. Raises `ValueError`,
    which does not quote the URL, for everything else: user names, spaces, double quotes,
    backslashes, control and non-ASCII characters, odd hosts and ports.
    """

    def __init__(self, url: str) -> None:
        if not (url.isascii() and url.isprintable()) or not _IN_NO_URL.isdisjoint(url):
            raise ValueError("contains characters that aren't allowed in a URL")
        scheme, found, rest = url.partition("://")
        self.scheme: str = scheme.lower()
        if not found or self.scheme not in _PORTS:
            raise ValueError("is not an http or https URL")
        rest, has_fragment, fragment = rest.partition("#")
        rest, has_query, query = rest.partition("?")
        authority, slash, path = rest.partition("/")
        host, port = _host_and_port(authority.lower())
        self.host: str = host
        self.port: int = _PORTS[self.scheme] if port is None else port
        self.path: str = slash + path
        self.query: str | None = query if has_query else None
        self.fragment: str | None = fragment if has_fragment else None


def _host_and_port(authority: str) -> tuple[str, int | None]:
    if "@" in authority:
        raise ValueError("contains a user name")
    if authority.startswith("["):
        host, closed, port = authority[1:].partition("]")
        allowed, colon, port = _IPV6, port[:1] if closed else "]", port[1:]
    else:
        host, colon, port = authority.partition(":")
        allowed = _NAME
    if not host or not allowed.issuperset(host) or colon not in ("", ":"):
        raise ValueError("has no valid host")
    if not colon:
        return host, None
    if not port.isdecimal() or not 0 < int(port[:6]) <= 0xFFFF or len(port) > 5:  # noqa: PLR2004
        raise ValueError("has no valid port")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Return whether *host* can only be this machine: `localhost`, `::1` or in 127.0.0.0/8."""
    if host in ("localhost", "::1"):
        return True
    octets = host.split(".")
    decimal = all(octet.isdecimal() and octet == str(int(octet[:4])) for octet in octets)
    return len(octets) == 4 and decimal and octets[0] == "127" and all(int(o) < 256 for o in octets)  # noqa: PLR2004


def checked_url(url: str, name: str = "The URL") -> str:
    """Return *url* if it is https, or http on a loopback address.

    Raises `ValueError`, beginning with *name* and quoting nothing of it, for everything else.
    """
    try:
        parts = Url(url)
    except ValueError as error:
        raise ValueError(f"{name} {error}.") from None
    if parts.scheme != "https" and not is_loopback(parts.host):
        raise ValueError(f"{name} is not https. Plain http is only allowed for loopback addresses.")
    return url


def checked_endpoint(url: str, name: str = "The URL") -> str:
    """Return *url* if a secret may be sent there: `checked_url`, and no fragment (RFC 6749 3.1)."""
    if Url(checked_url(url, name)).fragment is not None:
        raise ValueError(f"{name} has a fragment.")
    return url


def named_by(server: str, url: object, name: str) -> str:
    """Return *url* as `checked_url` does, where the server at *server* has named it.

    Plain http on a loopback address is then for a server that is on one itself.
    """
    checked = checked_url(url if isinstance(url, str) else "", name)
    if Url(checked).scheme == "http" and not is_loopback(Url(server).host):
        raise ValueError(f"{name} is on this machine, but {host_of(server)} is not.")
    return checked


def origin(url: str) -> str:
    """Return scheme, host and port of *url*, without a port that is the scheme's own."""
    parts = Url(url)
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    port = "" if parts.port == _PORTS[parts.scheme] else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def host_of(url: str) -> str:
    """Return host and port of *url*: what a person is told about where they are going."""
    return origin(url).partition("://")[2]
