"""The trace field that a server puts on top of the mail that it takes (RFC 5321, 4.4)."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime
from ipaddress import IPv6Address, ip_address

_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[a-z0-9.:]{2,60}\]", re.IGNORECASE)


def field(helo: str | None, peer: str, by: str, protocol: str, named: str, at: datetime) -> bytes:
    """`helo` is the client's own word for itself: what is no domain there would be free text in our field. No `for`: a Bcc
    stays one. `protocol`: of RFC 3848."""
    said = helo if helo and _DOMAIN.fullmatch(helo) else "unknown"
    stamp = (
        f"from {said} ({_literal(peer)})\r\n\tby {by} with {protocol} id {named};\r\n\t{format_datetime(at)}"
    )
    return f"Received: {stamp}\r\n".encode("ascii", "replace")


def _literal(peer: str) -> str:
    """An address as RFC 5321 4.1.3 writes it."""
    address = ip_address(peer.partition("%")[0])
    return f"[IPv6:{address}]" if isinstance(address, IPv6Address) else f"[{address}]"
