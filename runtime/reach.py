"""What may be reached when others name the address: which hosts, and which addresses these may have.

An address of a file comes from a message, one of a webhook from a workspace, so it may name anything (SSRF, operations.md
T17). Three walls stand behind each other: an address is only followed to a host that the channel or the operator names; every address that the host's name resolves to
must be public; and the connection goes to the address that was looked at, so that no second answer of the resolver counts.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

import httpcore

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host. Raises `OSError` when it has none."""

_PORTS = {"https": 443, "http": 80}
_TRIES = 3
# The characters of RFC 3986: everything else is read differently by different programs.
_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")

_PUBLIC_V6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
_NEVER_V6 = tuple(
    ip_network(net)
    # Protocol assignments with Teredo and ORCHID, documentation (twice), 6to4.
    for net in ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16")
)
_NEVER_V4 = tuple(
    ip_network(net)
    # Carrier-grade NAT, protocol assignments, 6to4 relays, benchmarks, and the host of Azure's machines.
    for net in ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "168.63.129.16/32")
)


class Unfetchable(Exception):
    """A file that will never be fetched. `refused`: we do not; `expired`: the provider does not give it any more.
    `reason` is one of a small set, and its text quotes no address, for that may hold a token."""

    def __init__(self, state: Literal["refused", "expired"], reason: str) -> None:
        super().__init__(f"{state}: {reason}")
        self.state = state
        self.reason = reason


class Origin(NamedTuple):
    """Who is called."""

    scheme: str
    host: str
    port: int


class Reach:
    """`origins` (`https://host:port`) are the operator's own word: of any scheme and port, also at private addresses."""

    def __init__(self, origins: Iterable[str] = ()) -> None:
        self._origins = {_origin(_split(origin)) for origin in origins}

    def checked(self, url: str, hosts: Sequence[str]) -> httpcore.URL:
        """The address, taken apart once and for all. Raises `Unfetchable` for one that is not to be followed."""
        parts = _split(url)
        if "@" in parts.netloc:
            raise Unfetchable("refused", "userinfo")
        origin = _origin(parts)
        if origin not in self._origins:
            if origin.scheme != "https":
                raise Unfetchable("refused", "scheme")
            if not _listed(origin.host, hosts):
                raise Unfetchable("refused", "host")
            if origin.port != _PORTS["https"]:
                raise Unfetchable("refused", "port")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target)

    def trusts(self, host: str, port: int) -> bool:
        """Whether the operator named it, so that it may have any address."""
        return any((origin.host, origin.port) == (host, port) for origin in self._origins)


class Network(httpcore.AsyncNetworkBackend):
    """Resolves once, looks at every address, and connects to one of those."""

    def __init__(
        self, reach: Reach, resolve: Resolve | None = None, net: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._reach = reach
        self._resolve = resolve or resolved
        self._net = net or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises `Unfetchable` for an address that is not public, and httpcore's errors as any network does."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("no address") from error
        if not self._reach.trusts(host, port) and not all(map(is_public, addresses)):
            raise Unfetchable("refused", "address")
        failed: Exception = httpcore.ConnectError("no address")
        for address in addresses[:_TRIES]:
            try:
                return await self._net.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def resolved(host: str, port: int) -> list[str]:
    """As the machine's resolver says, each address once."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(text: str) -> bool:
    """Whether the address is one of the open Internet, whatever it is wrapped in."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_v4(address)
    if address in _NAT64:
        return _is_public_v4(IPv4Address(int(address) & 0xFFFFFFFF))
    return _is_public_v6(address)


def _is_public_v4(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved)
        and not any(address in net for net in _NEVER_V4)
    )


def _is_public_v6(address: IPv6Address) -> bool:
    """Global unicast only; so a v4-mapped address is none, and nothing that carries another address inside."""
    return address.is_global and address in _PUBLIC_V6 and not any(address in net for net in _NEVER_V6)


def _split(url: str) -> SplitResult:
    if not _URL.fullmatch(url):
        raise Unfetchable("refused", "malformed")
    try:
        return urlsplit(url)
    except ValueError:
        raise Unfetchable("refused", "malformed") from None


def _origin(parts: SplitResult) -> Origin:
    try:
        port = parts.port
    except ValueError:
        raise Unfetchable("refused", "malformed") from None
    if not parts.hostname or "%" in parts.hostname:
        raise Unfetchable("refused", "scheme" if parts.scheme not in _PORTS else "malformed")
    return Origin(parts.scheme, parts.hostname, _PORTS.get(parts.scheme, 0) if port is None else port)


def _listed(host: str, hosts: Sequence[str]) -> bool:
    return any(host == named or (named.startswith(".") and host.endswith(named)) for named in hosts)
