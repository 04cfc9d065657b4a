"""E-mail: an RFC 5322 mail as bytes, from IMAP, SMTP or a file. Sources: channels.md section 1 of the design, RFC 5322,
2045-2049, 2231, 3464, 3834, 5965, 8098, 8601."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contracts import ids
from contracts.channels import LIMITS, Limits
from contracts.errors import Poison
from contracts.inbound import FROM_A_LIST, Attachment, InboundMessage
from ingest.channel import REF, Normalised, Raw, Request, raw_of
from ingest.mail import (
    authentication,
    bounces,
    dates,
    display,
    domains,
    forwarded,
    mime,
    people,
    quoting,
    threading,
    webhook,
)
from ingest.mail.headers import Headers
from ingest.mail.people import Writer
from ingest.mail.pieces import Split
from ingest.text import clean, one_line, within

_TYPE, _SUBJECT, _FIELD = 200, 998, 1_000
_PAGE = 2 << 20
AUTOMATED = "automated"
"""The mark of a mail that a program or a list sent: it opens a ticket but is never answered by one."""
FORGED = "foreign_authentication_results"
"""The mark of a mail in which somebody else wrote authentication results in our server's name."""


class Email:
    """Account options: `address` (own addresses, comma list), `authserv` (ids of servers whose results are trusted), `arc_sealers` (domains whose seals are),
    `reply_to` (`trust`: Reply-To names the requester; `off`: it never does; otherwise only that of programs and lists),
    `forwards` (`off`: the forwarder stays the requester), `domain_trust` (what a domain's word is worth, `domains.weighed`)."""

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
        provider_id = threading.provider_id(mail, raw.body)
        kept, blobs = raw_of(raw.received + raw.body)
        event = InboundMessage(
            message_id=ids.message_id(raw.workspace, self.name, raw.account, provider_id),
            workspace=raw.workspace,
            channel=self.name,
            account=raw.account,
            store=raw.store,
            provider_id=provider_id,
            received_at=raw.received_at,
            server_at=raw.server_at,
            reply_to=threading.chain(mail.headers),
            attachments=tuple(_attachment(file, blobs) for file in mail.files),
            locale=_locale(mail.headers),
            raw=kept,
            trace=raw.trace,
            **_about(mail, raw, marks, blobs),
            marks=tuple(dict.fromkeys(marks)),
        )
        return Normalised([event], blobs)


def _about(mail: mime.Mail, raw: Raw, marks: list[str], blobs: dict[str, bytes]) -> dict[str, Any]:
    """What kind of mail it is, who wrote it, and its texts."""
    fields, options = mail.headers, raw.options
    froms = people.mailboxes(fields, "from", marks)
    sender = next((one for one in froms if "@" in one.address), None)
    subject = one_line(fields.get("subject"), _SUBJECT)
    inside = None
    if options.get("forwards") != "off":
        inside = forwarded.find(mail.text, subject, fields.has("in-reply-to"))
    written = people.writer(fields, sender, inside, options)
    own = people.own_addresses(options)
    kind = bounces.classify(mail, sender, own, raw.envelope_from, replaced=written.named_by != "from")
    if kind.kind != "message":
        written = Writer(sender, sender)
    if kind.automated and kind.kind == "message":
        marks.append(AUTOMATED)
    trusted = options.get("authserv", "").split(",")
    address = sender.address if sender else ""
    sealers = options.get("arc_sealers", "").split(",")
    verdict = authentication.verdict(fields, trusted, address, sealers, raw.from_stranger)
    verdict = domains.weighed(verdict, address, options.get("domain_trust", ""))
    if written.who and people.is_list(fields, written.who.address):
        marks.append(FROM_A_LIST)
    if verdict.ignored:
        marks.append(FORGED)
    sent_at, odd = dates.sent_at(fields.get("date"), raw.received_at)
    if odd:
        marks.append("odd_date")
    vouched = [written.who.address] if written.who and written.named_by == "from" else []
    if kind.kind == "bounce":
        vouched = [kind.details.get("failed_recipient", "")]
    return {
        "kind": kind.kind,
        "target": kind.details.get("refers_to"),
        "sent_at": sent_at,
        "sender": people.sender_of(fields, written, verdict),
        "recipients": people.recipients(fields, raw.envelope_to, marks),
        "subject": subject or None,
        "tickets": threading.named_tickets(fields, raw.envelope_to, raw.workspace, raw.reply_keys, vouched),
        "fields": _fields(fields, subject, kind.details, written),
        **_texts(mail.text, inside is not None, blobs),
        **_page(mail.html, marks, blobs),
    }


def _texts(text: str, is_forward: bool, blobs: dict[str, bytes]) -> dict[str, Any]:
    """New text, quotes and signature. A mail of which all is quote or forwarded mail is shown whole."""
    split = quoting.split(text)
    if not split.visible.strip() and text.strip() and (is_forward or split.cuts):
        split = Split(text.strip())
    visible, visible_ref = _held(split.visible, blobs)
    quoted, quoted_ref = _held(split.quoted, blobs)
    return {
        "text": visible,
        "text_ref": visible_ref,
        "quoted_text": quoted,
        "quoted_text_ref": quoted_ref,
        "signature": _held(split.signature, blobs)[0],
        "cuts": split.cuts,
    }


def _page(page: str | None, marks: list[str], blobs: dict[str, bytes]) -> dict[str, Any]:
    """The HTML as it may be shown: in the message if it fits, else in the archive."""
    if not page:
        return {}
    if len(page) > _PAGE:
        marks.append("html_too_long")
    shown = display.harmless(page[:_PAGE]).strip()
    short, cut = within(shown)
    if cut:
        return {"html_ref": _archived(shown.encode("utf-8", "replace"), blobs)}
    return {"html": clean(short) or None}


def _held(text: str, blobs: dict[str, bytes]) -> tuple[str | None, str | None]:
    """The text as it fits into the message, and where the whole is when it does not."""
    if not text.strip():
        return None, None
    short, cut = within(clean(text))
    return short, _archived(text.encode("utf-8", "replace"), blobs) if cut else None


def _archived(data: bytes, blobs: dict[str, bytes]) -> str:
    digest = ids.sha256_hex(data)
    blobs[digest] = data
    return REF + digest


def _attachment(file: mime.File, blobs: dict[str, bytes]) -> Attachment:
    ref = _archived(file.content, blobs)
    return Attachment(
        name=file.name,
        type=one_line(file.type, _TYPE),
        size=len(file.content),
        sha256=ref.removeprefix(REF),
        ref=ref,
        inline=file.inline,
        content_id=one_line(file.content_id, _FIELD) if file.content_id else None,
    )


def _fields(headers: Headers, subject: str, details: Mapping[str, str], written: Writer) -> dict[str, str]:
    """`message_id` is what later mails name this one by in References: without it no answer finds its ticket."""
    own = threading.message_id(headers)
    found = {"message_id": own} if own else {}
    found |= {"stripped_subject": threading.stripped_subject(subject)} if subject else {}
    found |= {name: one_line(value, _FIELD) for name, value in details.items()}
    if written.sender is not None and written.named_by != "from":
        role = "forwarded_by" if written.named_by == "forward" else "sent_by"
        found[role] = one_line(written.sender.address, people.ADDRESS)
    return found


def _locale(fields: Headers) -> str | None:
    given = fields.get("content-language").partition(",")[0].strip()
    return one_line(given, 35) or None


CHANNEL = Email()
