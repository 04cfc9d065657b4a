"""Mail that a provider posts: the raw mail as the body, or as a field of a form together with its envelope
(https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store,
https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from contracts.errors import Poison
from ingest import forms, signatures
from ingest.channel import Raw, Request

_MAIL_FIELDS = ("body-mime", "email")
_FORMS = (forms.URLENCODED, forms.MULTIPART)


class _Envelope(msgspec.Struct):
    """SendGrid's `envelope`."""

    to: tuple[str, ...] = ()
    sender: str | None = msgspec.field(default=None, name="from")


def verify(request: Request, secrets: Sequence[str]) -> None:
    """SendGrid and Mailgun by their own signatures, everybody else as a sender of our own customers'. Raises `Refused`."""
    if signatures.SENDGRID in request.headers:
        signatures.sendgrid(request, secrets)
        return
    content_type = request.headers.get("content-type", "")
    fields = _fields(request.body, content_type) if _is_form(content_type) else {}
    if "signature" in fields:
        sent, nonce, given = (_text(fields, name) for name in ("timestamp", "token", "signature"))
        signatures.mailgun(sent, nonce, given, secrets, request.at)
    else:
        signatures.own_sender(request, secrets)


def unwrapped(raw: Raw) -> Raw:
    """The mail itself, with the envelope that came beside it. Raises `Poison` for a form without a mail."""
    if not _is_form(raw.content_type):
        return raw
    fields = _fields(raw.body, raw.content_type)
    mail = next((fields[name] for name in _MAIL_FIELDS if fields.get(name)), None)
    if mail is None:
        raise Poison(
            "no_mail", f"a form without {' or '.join(_MAIL_FIELDS)}: have the provider send the raw mail"
        )
    sender, to = _envelope(fields)
    return replace(raw, body=mail, content_type="message/rfc822", envelope_from=sender, envelope_to=to)


def _envelope(fields: Mapping[str, bytes]) -> tuple[str | None, tuple[str, ...]]:
    if "envelope" in fields:
        try:
            told = msgspec.json.decode(fields["envelope"], type=_Envelope)
        except msgspec.MsgspecError:
            return None, ()
        return told.sender, told.to
    to = _text(fields, "recipient").split(",")
    return _text(fields, "sender") or None, tuple(one.strip() for one in to if one.strip())


def _text(fields: Mapping[str, bytes], name: str) -> str:
    return fields.get(name, b"").decode("utf-8", "replace")


def _is_form(content_type: str) -> bool:
    return forms.media_type(content_type) in _FORMS


def _fields(body: bytes, content_type: str) -> dict[str, bytes]:
    try:
        return forms.raw_fields(body, content_type)
    except Poison:
        return {}
