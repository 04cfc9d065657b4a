"""What names a ticket: the words that are stored with it, and those that a message brings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from contracts.ids import sha256_hex
from contracts.inbound import InboundMessage, NamedTicket
from contracts.resolved import ResolvedMessage

Ref = tuple[str, str]
"""`mail` and a Message-ID; `token` or `number` and a ticket's number; `chat` and a conversation; `call` and a call; `order` and
an order of a customer; `customer` and a customer, for their open tickets; `twin` and a message that said the same."""

_NAMED = 10
"""More mails before it than this need not be remembered with each mail of a long conversation."""
_ORDERS = 10
"""More orders than this in one message are a list of orders, not what it is about."""


def named(resolved: ResolvedMessage, message: InboundMessage, family: Sequence[UUID]) -> list[Ref]:
    """What may name this message's ticket, the best first. `family`: the customer under every id that merges gave it."""
    refs: list[Ref] = list(conversation(message))
    if message.kind == "echo":
        return refs
    if message.conversation_key is None:
        refs += [number_ref(ticket) for ticket in message.tickets if ticket.signed]
        refs += [("mail", reference) for reference in reversed(message.reply_to)]
        refs += [number_ref(ticket) for ticket in message.tickets if not ticket.signed]
    refs += [order_ref(member, number) for number in order_numbers(resolved) for member in family]
    if is_answered(message):
        refs += [("customer", str(member)) for member in family]
    return refs


def left(resolved: ResolvedMessage, message: InboundMessage, customer: UUID) -> tuple[Ref, ...]:
    """What later messages can name this one by. Also what it names itself: two answers to a mail that never came here
    belong together. `customer`: whose the ticket is."""
    refs: list[Ref] = [("mail", answered) for answered in message.reply_to[-_NAMED:]]
    if own := message.fields.get("message_id"):
        refs.append(("mail", own))
    refs += conversation(message)
    refs += [order_ref(customer, number) for number in order_numbers(resolved)]
    return tuple(refs)


def conversation(message: InboundMessage) -> Iterator[Ref]:
    """By the source: the call, and the chat under each of its names. A conversation is one of an account."""
    if message.kind == "call" and message.target is not None:
        yield ("call", f"{message.account}:{message.target}")
    if message.conversation_key is not None:
        for name in (message.conversation_key, *message.conversation_aliases):
            yield ("chat", f"{message.channel}:{message.account}:{name}")


def shared(message: InboundMessage) -> str | None:
    """The conversation, where several people may be in it (a wall, a group): their customers' locks do not keep them apart."""
    key = message.conversation_key
    if key is None or any(
        handle.value.removeprefix("+") == key.removeprefix("+") for handle in message.sender.handles
    ):
        return None
    return f"{message.workspace}:{message.channel}:{message.account}:{key}"


def number_ref(ticket: NamedTicket) -> Ref:
    """A number with a token of ours says more than one that anybody can write."""
    return ("token" if ticket.signed else "number", str(ticket.number))


def order_ref(customer: UUID, number: str) -> Ref:
    """An order is one of a customer: whoever else writes its number names nothing."""
    return ("order", f"{customer}:{number.removeprefix('#').casefold()}")


def order_numbers(resolved: ResolvedMessage) -> tuple[str, ...]:
    """The orders that the message names. Most name none."""
    if not resolved.orders and not resolved.order_numbers:
        return ()
    named = (order.number for order in resolved.orders if order.named)
    return tuple(dict.fromkeys((*resolved.order_numbers, *named)))[:_ORDERS]


def is_answered(message: InboundMessage) -> bool:
    """A call that somebody has taken: its ticket is a record, no work."""
    return message.kind == "call" and message.fields.get("event") == "finished"


def repeats_within(message: InboundMessage) -> timedelta:
    """So long the same words of the same person are the same message, sent twice. Of a mail they hold its id, so that only
    the ways to our mailboxes take time."""
    return timedelta(days=1) if message.channel == "email" else timedelta(minutes=5)


def content(message: InboundMessage) -> str | None:
    """A hash of who says what to which store; None where the same words may well be said twice: in a chat, and by people who
    are not known. A mail is the same in two of our mailboxes; a form is the same when its button is pressed twice."""
    if message.kind != "message" or message.conversation_key is not None or not message.sender.handles:
        return None
    mail = message.fields.get("message_id") if message.channel == "email" else None
    if message.channel == "email" and mail is None:
        return None
    said = (
        *(message.channel, message.store or f"account:{message.account}", message.sender.authentication),
        *sorted(f"{handle.kind}:{handle.value.strip().casefold()}" for handle in message.sender.handles),
        *(message.subject, message.text, mail),
        *(() if mail else sorted(message.fields.items())),
        *((file.name, file.sha256 or file.provider_ref) for file in message.attachments),
    )
    return sha256_hex(msgspec.json.encode(said))
