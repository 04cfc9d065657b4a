"""Who is probably no person: filled in too fast, or too many at once. What is suspected is held for a person to look at,
never refused and never dropped; the sender is answered alike.

Each process counts for itself, in bounded memory: a sender not seen for long is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal, NamedTuple

LEAST_TIME = timedelta(seconds=3)
"""Between showing and sending. Nobody writes a message in less."""

_REMEMBERED = 50_000
_IPV6_PREFIX = 64

Suspicion = Literal["too_fast", "rate"]


class Rate(NamedTuple):
    """So many at once, and so many a second in the long run."""

    burst: float
    refill: float


# An office behind one address, and a person who has forgotten something, stay far below.
PER_ADDRESS = Rate(burst=20, refill=4 / 60)
PER_EMAIL = Rate(burst=10, refill=1 / 60)


class Buckets:
    """Token buckets by key. The least recently used is forgotten when there are too many."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, key: str, rate: Rate, now: float) -> bool:
        """Whether one more fits. `now`: seconds, from whatever beginning."""
        level, since = self._levels.pop(key, (rate.burst, now))
        level = min(rate.burst, level + max(0.0, now - since) * rate.refill)
        fits = level >= 1
        self._levels[key] = (level - 1 if fits else level, now)
        if len(self._levels) > self._remembered:
            self._levels.popitem(last=False)
        return fits


class Sent(NamedTuple):
    """A submission as the guard sees it. `shown`: when its form was shown, None if it came without our page. `direct`: how
    many a minute may come so to this form."""

    form: str
    address: str
    email: str
    shown: datetime | None
    direct: int


class FormGuard:
    """`trusted`: addresses and networks of our own machines, comma-separated. What they send themselves is not counted,
    for a shop's server sends what many people wrote."""

    def __init__(self, trusted: str) -> None:
        self._trusted = [ip_network(one.strip(), strict=False) for one in trusted.split(",") if one.strip()]
        self._buckets = Buckets()

    def suspicion(self, sent: Sent, now: datetime) -> Suspicion | None:
        """Why this is held; None: it goes on."""
        if sent.shown is not None and now - sent.shown < LEAST_TIME:
            return "too_fast"
        address = _address(sent.address)
        if address is None or any(address in network for network in self._trusted):
            return None
        limits = [(f"address {_neighbourhood(address)}", PER_ADDRESS)]
        if sent.email:
            limits.append((f"email {sent.form} {sent.email.casefold()}", PER_EMAIL))
        if sent.shown is None:
            limits.append((f"direct {sent.form}", Rate(burst=sent.direct, refill=sent.direct / 60)))
        # Each is taken from, also when the first has run dry: who floods does not get a fresh start elsewhere.
        fits = [self._buckets.take(key, rate, now.timestamp()) for key, rate in limits]
        return None if all(fits) else "rate"


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None  # a Unix socket: whoever may write to it is one of us


def _neighbourhood(address: IPv4Address | IPv6Address) -> str:
    """One customer of a provider: an IPv4 address, or an IPv6 network, in which everybody has as many as they like."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)
