"""InboundMessage: what a channel transcribes. Payload of `frontdesk.inbound.v1` and of the overflow lane."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from contracts.base import Payload

Kind = Literal[
    "message",
    "edit",
    "delete",
    "reaction",
    "status",
    "echo",
    "system",
    "call",
    "chat_session",
    "rating",
    "bounce",
    "auto_reply",
    "feedback_report",
    "read_receipt",
    "loop",
    "unsupported",
]
"""What happened. Only messages, and telephone calls that are over, open a ticket; the others are stored under their target
or by themselves."""

Direction = Literal["in", "out"]

HandleKind = Literal[
    "external_id",
    "email",
    "phone",
    "telegram_user",
    "psid",
    "igsid",
    "facebook_user",
    "whatsapp_user",
    "viber_user",
    "x_user",
    "visitor",
]
"""Every kind of handle. `phone` is also a WhatsApp `wa_id` and an SMS sender, as +E.164; `facebook_user` is who wrote on a
page's wall, whose id is another than in Messenger."""

HANDLE_KINDS: tuple[str, ...] = get_args(HandleKind)

Proof = Literal["mentioned", "claimed", "channel", "verified", "authoritative"]
"""How sure we are that the sender holds the handle, weakest first (operations.md, trust model)."""

PROOFS: tuple[str, ...] = get_args(Proof)


AND = " & "
"""Between the pieces of evidence of one proof, each of which it needs."""


FROM_A_LIST = "from_a_list"
"""The mark of a mail whose sender is a mailing list: its address stands for whoever writes to the list, and identifies nobody."""


class Handle(Payload, frozen=True, kw_only=True):
    """One identifier of a person, as the channel gave it, and how well it is proven."""

    kind: HandleKind
    value: str
    proof: Proof = "claimed"
    evidence: str | None = None
    """What proves it, so that the proof can be withdrawn: `jwt:kid=…`, `authserv=…`, also several (`AND`); null: the
    account it came through."""


class Sender(Payload, frozen=True, kw_only=True):
    """The person (or, for an echo, the agent's account) behind the event. Withheld callers have no handle."""

    handles: tuple[Handle, ...] = ()
    display_name: str | None = None
    raw: str | None = None
    """The sender as the source wrote it, for people to read; never parsed again."""
    authentication: str | None = None
    """Mail: `pass`, `fail` or `none`, the DMARC outcome our own server reported, of a domain that is trusted; other channels:
    null."""
    named_by: Literal["from", "reply_to", "form", "list", "forward"] = "from"
    """Mail: what says that it is this person. All but `from` are somebody else's word: of an account whose Reply-To we
    believe, of a program that sends a form's content, of a list or group that put itself into From, and of who forwarded it."""
    through: str | None = None
    """Mail: the address in From when it is another than the person's."""


class Recipient(Payload, frozen=True, kw_only=True):
    """Somebody the message was also sent to (mail: To, Cc, envelope)."""

    value: str
    role: Literal["to", "cc", "bcc", "envelope"] = "to"
    display_name: str | None = None
    kind: HandleKind | None = None
    """Networks: what kind of handle `value` is. So an echo says whose conversation it belongs to."""


class Attachment(Payload, frozen=True, kw_only=True):
    """A file. `ref` names the archived bytes, `provider_ref` what a fetcher asks the provider for."""

    name: str
    type: str
    size: int | None = None
    sha256: str | None = None
    ref: str | None = None
    provider_ref: str | None = None
    inline: bool = False
    """Shown inside the text (an image by `cid:`), so not counted as an attachment by people."""
    content_id: str | None = None


class Raw(Payload, frozen=True, kw_only=True):
    """The bytes as received: here when they are small (up to 32 KiB), else in the archive under `ref`."""

    sha256: str
    size: int
    inline: bytes | None = None
    ref: str | None = None


class Cut(Payload, frozen=True, kw_only=True):
    """A piece of a mail's text that was set apart: the next `length` characters of `quoted_text` (a quote) or of `signature`
    stood before character `at` of `text`."""

    what: Literal["quote", "signature"]
    at: int
    length: int


class NamedTicket(Payload, frozen=True, kw_only=True):
    """A ticket that a mail names by its number. Anybody can write a number: only a signed one says more than that."""

    number: int
    where: Literal["address", "message_id", "subject"]
    signed: bool = False
    """The token is ours, and made for the address that the sender writes from; of a bounce, for the one that failed."""


class InboundMessage(Payload, frozen=True, kw_only=True):
    """One event of one channel, transcribed, not interpreted. Every time is an aware UTC datetime."""

    message_id: UUID
    workspace: UUID
    channel: str
    account: str
    """Which mailbox, bot, form or page received it: the configured name."""
    provider_id: str
    received_at: datetime
    """Our clock, when the door took it."""
    kind: Kind = "message"
    direction: Direction = "in"
    store: str | None = None
    target: str | None = None
    """The provider id of the message that an edit, deletion, status or reaction is about."""
    conversation_key: str | None = None
    """Same value, same conversation at the source (a chat). Null: the channel has no conversations."""
    conversation_aliases: tuple[str, ...] = ()
    """Other names of the same conversation, under which it may have begun (WhatsApp: the number beside the user id)."""
    reply_to: tuple[str, ...] = ()
    """Mail: every id of References and In-Reply-To, oldest first, without angle brackets. Networks: the provider id of the
    message that is quoted."""
    tickets: tuple[NamedTicket, ...] = ()
    """Mail: tickets named by reply tokens and in the subject, signed ones first, each number and place once."""
    sender: Sender = Sender()
    recipients: tuple[Recipient, ...] = ()
    subject: str | None = None
    text: str | None = None
    """The newly written part, up to 64 KiB; more is archived under `text_ref`."""
    text_ref: str | None = None
    quoted_text: str | None = None
    """Mail: what the text quotes or forwards, up to 64 KiB; more is archived under `quoted_text_ref`."""
    quoted_text_ref: str | None = None
    signature: str | None = None
    """Mail: the lines below the text that name the sender or the mail program."""
    cuts: tuple[Cut, ...] = ()
    """Mail: where quotes and signature stood, in the order of the mail, so that the whole can be shown again."""
    html: str | None = None
    """Mail: the HTML body made safe for display, which loads nothing from elsewhere; over 64 KiB it is archived under
    `html_ref` instead. The original is in `raw`."""
    html_ref: str | None = None
    attachments: tuple[Attachment, ...] = ()
    fields: dict[str, str] = {}
    """Form fields, `department` and `category` as picked, `order_number`, and what else the source says."""
    locale: str | None = None
    sent_at: datetime | None = None
    """The sender's own claim. Shown, never used in a decision."""
    server_at: datetime | None = None
    """The provider's server (INTERNALDATE, webhook time)."""
    raw: Raw | None = None
    marks: tuple[str, ...] = ()
    """What the door noticed: limits reached, odd dates, decoding repairs."""
    trace: str | None = None
    """W3C `traceparent` of the door's request."""
