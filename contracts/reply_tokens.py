"""Reply tokens: part of an outgoing mail's addresses by which the answer finds its ticket.

A token is a ticket's number and an HMAC-SHA256, cut to 128 bits, over workspace, number and the address that the mail goes
to. So nobody can guess one, and one that came into other hands does not vouch for those. Written in base32, because mail
servers change the case of addresses: 35 characters, for a local part has 64.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

_VERSION = "t"
_NUMBER_BYTES, _MAC_BYTES = 5, 16
LENGTH = 35
MAX_NUMBER = (1 << (8 * _NUMBER_BYTES)) - 1

_TOKEN = re.compile(r"(?<![a-z0-9])t[a-z2-7]{34}(?![a-z0-9])")


class Opened(NamedTuple):
    """What a token says. `signed`: it is ours, for one of the given addresses."""

    number: int
    signed: bool


def workspace_key(secret: bytes, workspace: UUID) -> bytes:
    """The key of one workspace, from the installation's secret. Who knows one knows no other."""
    return hmac.digest(secret, b"frontdesk.reply-token\0" + workspace.bytes, "sha256")


def mint(key: bytes, workspace: UUID, number: int, recipient: str) -> str:
    """The token for a mail about this ticket to this address. The same mail, the same token."""
    if not 0 < number <= MAX_NUMBER:
        raise ValueError("not a ticket number")
    mac = _mac(key, workspace, number, recipient)
    written = base64.b32encode(number.to_bytes(_NUMBER_BYTES, "big") + mac)
    return _VERSION + written.rstrip(b"=").decode().lower()


def reply_address(address: str, token: str) -> str:
    """Our own address with the token in it (RFC 5233), for Reply-To and the envelope's sender."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}+{token}@{domain}"


def reply_id(token: str, unique: str, domain: str) -> str:
    """A Message-ID with the token in it, without angle brackets. `unique` tells the mails with one token apart."""
    return f"{token}.{unique}@{domain}"


def found(text: str) -> list[str]:
    """What looks like tokens in an address or a Message-ID, in order, each once."""
    return list(dict.fromkeys(_TOKEN.findall(text.lower())))


def opened(keys: Sequence[bytes], workspace: UUID, token: str, recipients: Iterable[str]) -> Opened | None:
    """What the token says; null for what is none. Any of the keys may have signed it: one is being replaced. Constant time
    for each key and recipient."""
    try:
        data = base64.b32decode(token[len(_VERSION) :].upper() + "=" * (-(len(token) - 1) % 8))
    except (binascii.Error, ValueError):
        return None
    number, mac = int.from_bytes(data[:_NUMBER_BYTES], "big"), data[_NUMBER_BYTES:]
    if len(mac) != _MAC_BYTES or number == 0:
        return None
    ours = [hmac.compare_digest(mac, _mac(key, workspace, number, one)) for one in recipients for key in keys]
    return Opened(number, any(ours))


def _mac(key: bytes, workspace: UUID, number: int, recipient: str) -> bytes:
    told = number.to_bytes(_NUMBER_BYTES, "big") + recipient.strip().lower().encode("utf-8", "replace")
    return hmac.digest(key, b"v1\0" + workspace.bytes + told, "sha256")[:_MAC_BYTES]
