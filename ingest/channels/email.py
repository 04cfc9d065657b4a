"""E-mail: an RFC 5322 mail as bytes, from IMAP, SMTP or a file. Sources: channels.md section 1 of the design, RFC 5322,
2045-2049, 2231, 3464, 3834, 5965, 8098, 8601."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts import ids
from contracts.channels import LIMITS, MAX_TEXT_BYTES, Limits
from contracts.errors import Poison
from contracts.inbound import Attachment, Handle, InboundMessage, Proof, Recipient, Sender
from ingest.channel import REF, Normalised, Raw, Request, raw_of
from ingest.mail import authentication, bounces, dates, display, forwarded, mime, quoting, threading, webhook
from ingest.mail.headers import Address, Headers, addresses
from ingest.text import clean, one_line, within

_NAME, _SUBJECT, _FIELD, _ADDRESS = 200, 998, 1_000, 320
_PAGE = 2 << 20
AUTOMATED = "automated"
"""The mark of a mail that a program or a list sent: it opens a ticket but is never answered by one."""


@dataclass(frozen=True, slots=True)
class _Person:
    """The requester, and the address that stood in From when it is another."""

    who: Address | None
    instead_of: Address | None = None
    forwarded: bool = False


class Email:
    """Account options: `address` (own addresses, comma list), `authserv` (ids of servers whose results are trusted),
    `reply_to` (`trust`: Reply-To names the requester), `forwards` (`off`: the forwarder stays the requester)."""

    name = "email"
    limits: Limits = LIMITS["email"]

    def verify(self, request: Request, secrets: Sequence[str]) -> None:
        """Of mail that a provider posts."""
        webhook.verify(request, secrets)

    def normalise(self, raw: Raw) -> Normalised:
        """One message a mail. Only empty bytes, and a form without a mail, are `Poison`: an unreadable mail is a message
        without a body."""
        raw = webhook.unwrapped(raw)
        if not raw.body.strip():
            raise Poison("empty", "no bytes")
        mail = mime.parse(raw.body)
        marks = list(mail.marks)
        froms = _mailboxes(mail.headers, "from", marks)
        sender = next((one for one in froms if "@" in one.address), None)
        subject = one_line(mail.headers.get("subject"), _SUBJECT)
        inside = _forward(mail, subject, raw.options)
        person = _person(mail.headers, sender, inside, raw.options)
        own = forwarded.own_addresses(raw.options)
        kind = bounces.classify(mail, sender, own, raw.envelope_from, replaced=person.instead_of is not None)
        if kind.kind != "message":
            person = _Person(sender)
        if kind.automated and kind.kind == "message":
            marks.append(AUTOMATED)
        provider_id = threading.provider_id(mail, raw.body)
        kept, blobs = raw_of(raw.body)
        visible, quoted = _texts(mail.text, inside is not None)
        sent_at, odd = dates.sent_at(mail.headers.get("date"), raw.received_at)
        if odd:
            marks.append("odd_date")
        text, text_ref = _held(visible, blobs)
        rest, rest_ref = _held(quoted, blobs)
        page, page_ref = _shown(mail.html, blobs)
        event = InboundMessage(
            message_id=ids.message_id(raw.workspace, self.name, raw.account, provider_id),
            workspace=raw.workspace,
            channel=self.name,
            account=raw.account,
            store=raw.store,
            provider_id=provider_id,
            kind=kind.kind,
            target=kind.details.get("refers_to"),
            received_at=raw.received_at,
            sent_at=sent_at,
            server_at=raw.server_at,
            reply_to=threading.chain(mail.headers),
            sender=_sender(mail.headers, person, sender, raw.options),
            recipients=_recipients(mail.headers, raw.envelope_to, marks),
            subject=subject or None,
            text=text,
            text_ref=text_ref,
            quoted_text=rest,
            quoted_text_ref=rest_ref,
            html=page,
            html_ref=page_ref,
            attachments=tuple(_attachment(file, blobs) for file in mail.files),
            fields=_fields(mail.headers, subject, kind.details, person, sender),
            locale=_locale(mail.headers),
            raw=kept,
            marks=tuple(dict.fromkeys(marks)),
            trace=raw.trace,
        )
        return Normalised([event], blobs)


def _mailboxes(fields: Headers, name: str, marks: list[str]) -> list[Address]:
    found: list[Address] = []
    for field, value in fields.fields:
        if field == name:
            some, cut = addresses(value)
            found += some
            if cut:
                marks.append("addresses_cut")
    return found


def _forward(mail: mime.Mail, subject: str, options: Mapping[str, str]) -> forwarded.Forwarded | None:
    if options.get("forwards") == "off":
        return None
    return forwarded.find(mail.text, subject, mail.headers.has("in-reply-to"))


def _person(
    fields: Headers, sender: Address | None, inside: forwarded.Forwarded | None, options: Mapping[str, str]
) -> _Person:
    if sender is None:
        return _Person(None)
    own = forwarded.own_addresses(options)
    if (
        inside is not None
        and "@" in inside.address
        and inside.address.lower() not in own | {sender.address.lower()}
        and not forwarded.is_machine(inside.address)
    ):
        return _Person(Address(inside.name, inside.address), sender, forwarded=True)
    replaced = forwarded.replaced_sender(fields, sender, options)
    return _Person(replaced, sender) if replaced is not None else _Person(sender)


def _sender(fields: Headers, person: _Person, sender: Address | None, options: Mapping[str, str]) -> Sender:
    raw = one_line(fields.get("from"), _FIELD) or None
    if person.who is None or sender is None:
        return Sender(raw=raw, authentication="none")
    outcome = authentication.outcome(fields, options.get("authserv", "").split(","), sender.address)
    # What a server proved is the From; a person named elsewhere is named by whoever wrote the mail.
    proof: Proof = "verified" if outcome == "pass" and person.instead_of is None else "claimed"
    value = one_line(person.who.address, _ADDRESS)
    return Sender(
        handles=(Handle(kind="email", value=value, proof=proof),),
        display_name=one_line(person.who.name, _NAME) or None,
        raw=raw,
        authentication=outcome,
    )


def _recipients(fields: Headers, envelope: tuple[str, ...], marks: list[str]) -> tuple[Recipient, ...]:
    out = []
    roles: tuple[Literal["to", "cc"], ...] = ("to", "cc")
    for role in roles:
        for one in _mailboxes(fields, role, marks):
            if "@" in one.address:
                name = one_line(one.name, _NAME) or None
                out.append(Recipient(value=one_line(one.address, _ADDRESS), role=role, display_name=name))
    out += [
        Recipient(value=one_line(address, _ADDRESS), role="envelope")
        for address in envelope
        if address.strip()
    ]
    return tuple(out)


def _texts(text: str, is_forward: bool) -> tuple[str, str]:
    """New text and rest. A mail of which all is quote or forwarded mail is shown whole."""
    split = quoting.split(text)
    if split.visible.strip() or not text.strip():
        return split.visible, split.quoted
    return (text.strip(), "") if is_forward or split.quoted else (split.visible, split.quoted)


def _held(text: str, blobs: dict[str, bytes]) -> tuple[str | None, str | None]:
    """The text as it fits into the message, and where the whole is when it does not."""
    if not text.strip():
        return None, None
    short, cut = within(clean(text))
    return short, _archived(text.encode("utf-8", "replace"), blobs) if cut else None


def _shown(page: str | None, blobs: dict[str, bytes]) -> tuple[str | None, str | None]:
    """The page for display, or where it is when it is long."""
    if not page:
        return None, None
    shown = display.harmless(page[:_PAGE])
    encoded = shown.encode("utf-8", "replace")
    return (shown, None) if len(encoded) <= MAX_TEXT_BYTES else (None, _archived(encoded, blobs))


def _archived(data: bytes, blobs: dict[str, bytes]) -> str:
    digest = ids.sha256_hex(data)
    blobs[digest] = data
    return REF + digest


def _attachment(file: mime.File, blobs: dict[str, bytes]) -> Attachment:
    ref = _archived(file.content, blobs)
    return Attachment(
        name=file.name,
        type=one_line(file.type, _NAME),
        size=len(file.content),
        sha256=ref.removeprefix(REF),
        ref=ref,
        inline=file.inline,
        content_id=one_line(file.content_id, _FIELD) if file.content_id else None,
    )


def _fields(
    headers: Headers, subject: str, details: Mapping[str, str], person: _Person, sender: Address | None
) -> dict[str, str]:
    """`message_id` is what later mails name this one by in References: without it no answer finds its ticket."""
    own = threading.message_id(headers)
    found = {"message_id": own} if own else {}
    found |= {"stripped_subject": threading.stripped_subject(subject)} if subject else {}
    found |= {name: one_line(value, _FIELD) for name, value in details.items()}
    if sender is not None and person.instead_of is not None:
        found["forwarded_by" if person.forwarded else "sent_by"] = one_line(sender.address, _ADDRESS)
    return found


def _locale(fields: Headers) -> str | None:
    given = fields.get("content-language").partition(",")[0].strip()
    return one_line(given, 35) or None


CHANNEL = Email()
