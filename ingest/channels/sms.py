"""Text messages through Twilio (https://www.twilio.com/docs/messaging/guides/webhook-request): form fields, signed with the
address. WhatsApp and Messenger through the same provider are messages of those channels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from contracts.channels import LIMITS, Limits
from contracts.errors import Poison
from contracts.inbound import Attachment, Handle, HandleKind, InboundMessage, Kind, Proof, Recipient, Sender
from ingest import provider_files, signatures
from ingest.channel import Access, Ask, Normalised, Raw, Reply, Request, Served
from ingest.events import Call, composed, fields, ident, ident_or_none, words
from ingest.text import one_line, undecodable

_MOST_FIELDS = 1000
_MEDIA = 100

# What Twilio adds when it calls again, elsewhere, because an address did not answer: the message is the same.
_OF_THE_CALL = frozenset({"ErrorCode", "ErrorUrl"})

_RECEIVED = frozenset({"received", "receiving"})
_CONSENT = dict.fromkeys(("stop", "stopall", "unsubscribe", "cancel", "end", "quit"), "stop")
_CONSENT |= {"start": "start", "unstop": "start", "help": "help", "info": "help"}

_NUMBER = re.compile(r"\+?\d{7,15}")
_TRANSPORTS = {"whatsapp": "whatsapp", "messenger": "messenger", "rcs": "sms"}


class Sms:
    """People by their number. Carriers do not all check it, so it is a claim unless the account says otherwise."""

    name = "sms"
    limits: Limits = LIMITS["sms"]
    media_hosts = provider_files.TWILIO
    providers = ("twilio",)
    reply = Reply(b"<Response/>", "text/xml")
    """Says nothing: a text here would be sent to the person."""

    def verify(self, request: Request, secrets: Sequence[str]) -> None:
        signatures.twilio(request, secrets)

    def normalise(self, raw: Raw) -> Normalised:
        try:
            pairs = parse_qsl(raw.body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError as error:
            raise Poison("undecodable", undecodable(error)) from None
        call, given = Call(raw), dict(pairs)
        if not pairs or not (given.keys() & {"MessageSid", "SmsSid", "SmsMessageSid", "CallSid"}):
            raise Poison("unknown_shape", "no MessageSid")
        if given.keys() >= _OF_THE_CALL:
            given = {name: value for name, value in given.items() if name not in _OF_THE_CALL}
        call.whole(given, lambda fields: _read(call, fields))
        return call.result()

    def ask(self, ref: str, access: Access) -> Ask:
        return provider_files.twilio(ref, access)


class _Address(NamedTuple):
    """`whatsapp:+4860…` in its parts. A short code or a name (`MYBANK`) has no handle: nobody can be answered there."""

    channel: str
    value: str
    kind: HandleKind | None

    @classmethod
    def of(cls, written: str) -> _Address:
        transport, colon, value = written.partition(":")
        if not colon:
            transport, value = "sms", written
        channel = _TRANSPORTS.get(transport, "sms")
        if channel == "messenger":
            return cls(channel, value, "psid")
        if channel == "whatsapp" and not _NUMBER.fullmatch(value):
            return cls(channel, value, "whatsapp_user")
        is_number = value.startswith("+") or _NUMBER.fullmatch(value)
        return cls(channel, value, "phone" if is_number else None)


def _read(call: Call, given: Mapping[str, str]) -> Iterator[InboundMessage]:
    status = given.get("MessageStatus") or given.get("SmsStatus") or "received"
    if "CallSid" in given:
        yield _made(call, given, ident(given["CallSid"]), "unsupported", given.get("From", ""))
    elif status.lower() not in _RECEIVED and "Body" not in given:
        yield _status(call, given, status.lower())
    else:
        yield _message(call, given)


def _sid(given: Mapping[str, str]) -> str:
    return ident(given.get("MessageSid") or given.get("SmsSid") or given["SmsMessageSid"])


def _status(call: Call, given: Mapping[str, str], status: str) -> InboundMessage:
    """Of a message of ours: the person is who it went to."""
    sid = _sid(given)
    more = {"status": status, "error_code": given.get("ErrorCode")}
    person = given.get("To", "")
    return _made(
        call,
        given,
        composed(sid, status),
        "status",
        person,
        ours=given.get("From", ""),
        more=more,
        target=sid,
    )


def _message(call: Call, given: Mapping[str, str]) -> InboundMessage:
    # Some telephones fill up with NUL: there it stands for nothing.
    text = words(given.get("Body", "").replace("\0", "")).strip()
    attachments = tuple(_media(given))
    consent = _consent(given, text)
    has_place = "Latitude" in given and "Longitude" in given
    is_content = bool(text or attachments or has_place)
    kind: Kind = "system" if consent else "message" if is_content else "unsupported"
    more = {
        "type": given.get("MessageType"),
        "consent": consent,
        "country": given.get("FromCountry"),
        "button": given.get("ButtonText"),
        "payload": given.get("ButtonPayload") or given.get("ListId"),
        "latitude": given.get("Latitude"),
        "longitude": given.get("Longitude"),
        "address": given.get("Address"),
        "label": given.get("Label"),
        "ad_id": given.get("ReferralSourceId"),
        "ad_headline": given.get("ReferralHeadline"),
    }
    quoted = ident_or_none(given.get("OriginalRepliedMessageSid"))
    return _made(
        call,
        given,
        _sid(given),
        kind,
        given.get("From", ""),
        ours=given.get("To", ""),
        more=more,
        text=text or None,
        attachments=attachments,
        reply_to=(quoted,) if quoted else (),
        marks=("forwarded",) if given.get("Forwarded") == "true" else (),
    )


def _consent(given: Mapping[str, str], text: str) -> str:
    """Whether the person allows messages or forbids them, as Twilio says, or by the words that it acts on by itself."""
    if said := given.get("OptOutType"):
        return said.lower()
    return "" if ":" in given.get("From", "") else _CONSENT.get(text.lower(), "")


def _media(given: Mapping[str, str]) -> Iterator[Attachment]:
    for number in range(_MEDIA):
        url = given.get(f"MediaUrl{number}")
        if url is None:
            return
        kind = one_line(given.get(f"MediaContentType{number}", ""), 100) or "application/octet-stream"
        if kind != "application/smil":  # the layout of a picture message
            yield Attachment(name=kind.partition("/")[0], type=kind, provider_ref=words(url))


def _made(
    call: Call,
    given: Mapping[str, str],
    provider_id: str,
    kind: Kind,
    person: str,
    ours: str = "",
    more: Mapping[str, Any] | None = None,
    **content: Any,
) -> InboundMessage:
    address, value = _Address.of(person), ident_or_none(_Address.of(person).value)
    name = one_line(words(given.get("ProfileName")), 200) or None
    return call.event(
        address.channel,
        _account(call, given, ours),
        provider_id,
        _form(given),
        kind=kind,
        conversation_key=value,
        sender=Sender(handles=tuple(_handles(call, given, address)), display_name=name, raw=person or None),
        recipients=(Recipient(value=ours),) if ours and kind != "status" else (),
        fields=fields({"provider": "twilio", **(more or {})}),
        **content,
    )


def _handles(call: Call, given: Mapping[str, str], address: _Address) -> Iterator[Handle]:
    """A network vouches for its users. A carrier's number may be forged."""
    if address.kind and address.value:
        sure = address.channel == "whatsapp" or call.raw.options.get("sender_verified") == "yes"
        proof: Proof = "channel" if address.kind != "phone" else "verified" if sure else "claimed"
        yield Handle(kind=address.kind, value=address.value, proof=proof)
    user = given.get("ExternalUserId", "")
    if address.channel == "whatsapp" and user and user != address.value:
        yield Handle(kind="whatsapp_user", value=one_line(user, 200), proof="channel")


def _account(call: Call, given: Mapping[str, str], ours: str) -> Served:
    """By our number, or by the service that sends from many."""
    service = given.get("MessagingServiceSid", "")
    return call.account("sms", service if ("sms", service) in call.raw.served else ours)


def _form(given: Mapping[str, str]) -> str:
    return urlencode(sorted(given.items()))


CHANNEL = Sms()
