"""Where a request comes from, as far as its headers and its connection tell. Pure functions of the connection.

A browser names the page behind a request in `Sec-Fetch-Site` (over https and to this machine) and in `Origin` (on everything but
plain reading); a page cannot forge either. See the Fetch Metadata specification of the W3C, and RFC 6454.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.requests import HTTPConnection

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_PORTS = {"http": "80", "https": "443"}
_SCHEMES = {"ws": "http", "wss": "https"}
_FORWARDED = re.compile(
    r"(x-)?forwarded(-.*)?|x-original-.*|x-real-ip|via|(x-(cluster-)?|true-|fastly-)client-ip|cf-.*|x-(envoy|amzn|azure|arr)-.*"
)
Network = IPv4Network | IPv6Network
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def is_loopback(host: str) -> bool:
    """Whether a name or an address, with or without brackets, is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def address_of(connection: HTTPConnection, proxies: Collection[Network] = ()) -> str:
    """The address that asks: the connection's, or, where one of the proxies passed it on, the last one of `X-Forwarded-For` that
    is none of theirs. Empty for a socket without addresses."""
    address = connection.client.host if connection.client else ""
    passed = [one.strip() for line in connection.headers.getlist("x-forwarded-for") for one in line.split(",")]
    while passed and _is_in(address, proxies) and _is_address(passed[-1]):
        address = passed.pop()
    return address


def _is_in(address: str, networks: Collection[Network]) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in networks)


def _is_address(given: str) -> bool:
    try:
        ip_address(given)
    except ValueError:
        return False
    return True


def host_of(connection: HTTPConnection) -> str | None:
    """The host that was asked for, without its port; None where there is no single well-formed one."""
    authority = _authority(connection)
    return authority[0] if authority else None


def is_secure(connection: HTTPConnection) -> bool:
    """Whether a cookie must be for https alone: everywhere but on this machine without it."""
    return _scheme(connection) == "https" or not is_loopback(host_of(connection) or "")


def is_unsafe(connection: HTTPConnection) -> bool:
    """Whether it may change something. A web socket may, and browsers open one to anywhere."""
    return connection.scope["type"] != "http" or connection.scope["method"] not in _SAFE_METHODS


def is_same_origin(connection: HTTPConnection, origins: tuple[str, ...] = ()) -> bool:
    """Whether a browser says that a page of this service asks.

    Args:
        origins: what else this service is called, where a proxy changes the Host.
    """
    site = connection.headers.get("sec-fetch-site")
    if site is not None and connection.scope["type"] == "http":  # browsers disagree on what it says of web sockets
        return site == "same-origin"
    return _is_own(connection, origins)


def why_foreign(connection: HTTPConnection) -> str | None:
    """Why a request is not for certain one of this machine's own user to this machine; None: it is."""
    peer = connection.client
    if peer is None or not is_loopback(peer.host):
        return "it comes from another machine"
    forwarded = next((name for name in connection.headers.keys() if _FORWARDED.fullmatch(name)), None)
    if forwarded is not None:
        return f"a proxy passed it on ({forwarded})"
    if not is_loopback(host_of(connection) or ""):
        return f"its Host is {connection.headers.get('host', '')[:100]!r}, not this machine"
    if connection.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "a page of another site asks (Sec-Fetch-Site)"
    if connection.headers.getlist("origin") and not _is_own(connection, ()):
        return f"a page of another site asks (Origin {connection.headers['origin'][:100]!r})"
    return None


def _is_own(connection: HTTPConnection, origins: tuple[str, ...]) -> bool:
    named = connection.headers.getlist("origin")
    if len(named) != 1:
        return False
    origin = named[0].lower()
    if origin in origins:
        return True
    scheme, _, authority = origin.partition("://")
    if scheme not in _PORTS or (scheme == "http" and _scheme(connection) == "https"):
        return False
    asked = _parse(authority, scheme)
    return asked is not None and asked == _authority(connection, scheme)


def _scheme(connection: HTTPConnection) -> str:
    scheme = str(connection.scope.get("scheme", "http"))
    return _SCHEMES.get(scheme, scheme)


def _authority(connection: HTTPConnection, scheme: str = "http") -> tuple[str, str] | None:
    """Host and port. scheme: whose port is meant where none is named: a proxy may have taken https off."""
    hosts = connection.headers.getlist("host")
    return _parse(hosts[0].lower(), scheme) if len(hosts) == 1 else None


def _parse(authority: str, scheme: str) -> tuple[str, str] | None:
    shape = _AUTHORITY.fullmatch(authority)
    return (shape[1], shape[2] or _PORTS[scheme]) if shape else None
