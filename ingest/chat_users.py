"""Who the shop says is signed in: an HMAC over the user's id, or a JSON Web Token (RFC 7519), signed with the widget's secret.

Both are bound to workspace, widget, user and a time. No signature is an anonymous visitor; a wrong one is refused, and never
taken for none (operations.md, I15).
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.errors import Refused
from ingest import sealed
from ingest.channels.chat import SignedIn
from ingest.chat_frames import User
from ingest.text import is_email, one_line

PUBLIC = "ed25519:"
"""Before a secret that is the base64 of a public key: it opens tokens with `alg` EdDSA, and signs nothing."""

_LONGEST_JWT, _LONGEST_HASH, _SKEW = 15 * 60, 24 * 60 * 60, 60

Text = Annotated[str, msgspec.Meta(max_length=200)]


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: Text | None = None
    crit: Any = None


class _Claims(msgspec.Struct, frozen=True):
    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    aud: str | list[str]
    exp: int | float
    iat: int | float = 0
    nbf: int | float = 0
    jti: Text | None = None
    email: Text | None = None
    email_verified: bool = False
    name: Text | None = None


def symmetric(secrets: Sequence[str]) -> tuple[str, ...]:
    """Those that sign: a public key is known to everybody."""
    return tuple(secret for secret in secrets if secret and not secret.startswith(PUBLIC))


def signed_in(
    user: User | None, secrets: Sequence[str], workspace: str, widget: str, now: datetime
) -> SignedIn | None:
    """Whom the shop has signed for; None when nothing is signed. Raises `Refused` (401), naming the field, for what is signed
    wrongly, by nobody we know, for another widget, or at another time."""
    if user is None or (user.jwt is None and user.hash is None):
        return None
    if user.jwt is not None:
        return _by_token(user, user.jwt, secrets, f"{workspace}/{widget}", now.timestamp())
    return _by_hash(user, user.hash or "", secrets, (workspace, widget), now.timestamp())


def user_hash(secret: str, workspace: str, widget: str, user: str, expires: int) -> str:
    """What the shop's server puts into `hash`: the hex of HMAC-SHA256 over workspace, widget, user id and expiry (Unix
    seconds), joined by line feeds."""
    signed = "\n".join((workspace, widget, user, str(expires)))
    return hmac.digest(secret.encode(), signed.encode("utf-8", "replace"), "sha256").hex()


def _by_hash(user: User, given: str, secrets: Sequence[str], bound: tuple[str, str], now: float) -> SignedIn:
    if not user.id or one_line(user.id, 200) != user.id:
        raise _wrong("user.id", "an id without line breaks is required")
    if user.expires is None or not now < user.expires <= now + _LONGEST_HASH + _SKEW:
        raise _wrong("user.expires", "a time within the next 24 hours is required")
    digests = (user_hash(secret, *bound, user.id, user.expires) for secret in symmetric(secrets))
    if not _among(given.encode("utf-8", "replace"), [digest.encode() for digest in digests]):
        raise _wrong("user.hash", "is not ours")
    # The hash covers the id alone: the address stays a claim.
    email = user.email if user.email and is_email(user.email) else None
    return SignedIn(id=user.id, email=email, name=user.name)


def _by_token(user: User, token: str, secrets: Sequence[str], audience: str, now: float) -> SignedIn:
    try:
        head, body, signature = token.split(".")
        header = msgspec.json.decode(sealed.decoded(head), type=_Header)
        claims = msgspec.json.decode(sealed.decoded(body), type=_Claims)
        proof = sealed.decoded(signature)
    except (ValueError, RecursionError):
        raise _wrong("user.jwt", "is no token of ours") from None
    signed = f"{head}.{body}".encode()
    genuine = {"HS256": _hs256, "EdDSA": _eddsa}.get(header.alg)
    if genuine is None or header.crit is not None or not genuine(signed, proof, secrets):
        raise _wrong("user.jwt", "is not signed by a key of this widget")
    if audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
        raise _wrong("user.jwt", "is for another widget")
    if not now < claims.exp <= now + _LONGEST_JWT + _SKEW or max(claims.iat, claims.nbf) > now + _SKEW:
        raise _wrong("user.jwt", "is not valid now, or for longer than 15 minutes")
    if user.id not in (None, claims.sub) or one_line(claims.sub, 200) != claims.sub:
        raise _wrong("user.id", "is not the token's")
    email = claims.email if claims.email and is_email(claims.email) else None
    return SignedIn(
        id=claims.sub,
        email=email,
        email_verified=claims.email_verified and email is not None,
        name=claims.name,
        key=header.kid,
        jti=claims.jti,
    )


def _hs256(signed: bytes, proof: bytes, secrets: Sequence[str]) -> bool:
    return _among(proof, [hmac.digest(secret.encode(), signed, "sha256") for secret in symmetric(secrets)])


def _eddsa(signed: bytes, proof: bytes, secrets: Sequence[str]) -> bool:
    for secret in secrets:
        if secret.startswith(PUBLIC):
            try:
                key = Ed25519PublicKey.from_public_bytes(base64.b64decode(secret.removeprefix(PUBLIC)))
                key.verify(proof, signed)
            except (ValueError, InvalidSignature):
                continue
            return True
    return False


def _among(given: bytes, genuine: Sequence[bytes]) -> bool:
    """Compares with every one of them, so that the time tells nothing."""
    found = [hmac.compare_digest(given, one) for one in genuine]
    return any(found)


def _wrong(field: str, detail: str) -> Refused:
    return Refused("unauthorized", detail, status=401, field=field)
