"""WhatsApp Cloud API: people by their user id, and by their telephone number when the call has it
(https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from contracts.channels import LIMITS, Limits
from contracts.errors import Poison
from contracts.inbound import Handle, InboundMessage, Kind, Recipient, Sender
from ingest import provider_files
from ingest.channel import Access, Ask, Served
from ingest.events import (
    Call,
    composed,
    decoded,
    fields,
    ident,
    ident_or_none,
    iso,
    items,
    mapping,
    when,
    words,
)
from ingest.meta import Part, Webhook
from ingest.text import one_line
from ingest.whatsapp_content import Content, content

# A user id of a business portfolio: a country, a full stop, up to 128 letters and digits. It may stand where a number did.
_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


_CHANGED = {
    "user_changed_number": "phone",
    "customer_changed_number": "phone",
    "user_changed_user_id": "whatsapp_user",
}
"""News of a person who is known by another handle from now on, and of what kind it is."""


class WhatsApp(Webhook):
    """Each event is a message of its own: messages, statuses, echoes of agents who answer in the app, calls."""

    name = "whatsapp"
    limits: Limits = LIMITS["whatsapp"]
    media_hosts = ("graph.facebook.com", *provider_files.META, *provider_files.TWILIO)
    object = "whatsapp_business_account"
    fields = frozenset({"messages", "message_echoes", "smb_message_echoes", "calls"})
    quiet = frozenset(
        {"account_alerts", "account_review_update", "account_settings_update", "account_update", "flows"}
        | {"automatic_events", "business_capability_update", "business_status_update", "history", "security"}
        | {"message_template_components_update", "message_template_quality_update", "tracking_events"}
        | {"message_template_status_update", "partner_solutions", "payment_configuration_update"}
        | {"phone_number_name_update", "phone_number_quality_update", "smb_app_state_sync"}
        | {"group_lifecycle_update", "group_participants_update", "group_settings_update"}
        | {"group_status_update"}
        | {"template_category_update", "template_correct_category_detection", "user_preferences"}
    )

    def read(self, call: Call, part: Part) -> None:
        value = mapping(part.value)
        number = mapping(value.get("metadata")).get("phone_number_id") or part.entry
        for name in _EVENTS:
            for event in items(value.get(name)):
                _take(call, number, part, name, event)
        if items(value.get("errors")) and not any(items(value.get(name)) for name in _EVENTS):
            call.set_aside(part.call, "provider_error")

    def ask(self, ref: str, access: Access) -> Ask:
        """By its id, for an address that is good for five minutes, and opens to the same token."""
        if provider_files.is_twilio(ref):
            return provider_files.twilio(ref, access)
        opened = provider_files.bearer(access)
        if ref.startswith("https://"):
            return Ask(ref, opened)
        return Ask(f"{access.api}/{quote(ref, safe='')}", opened, leads=True)

    def located(self, answer: bytes, access: Access) -> Ask:
        file = decoded(answer)
        url, digest = words(file.get("url")), words(file.get("sha256"))
        if not url:
            raise Poison("unknown_shape", "no url")
        return Ask(url, provider_files.bearer(access), sha256=digest or None)


def _take(call: Call, number: Any, part: Part, name: str, event: Any) -> None:
    value = mapping(part.value)
    whole = {"field": part.field, "contacts": _about(event, value), name: event}
    call.take(part.call, whole, lambda _: _EVENTS[name](_Event(call, number, event, value, whole)))


class _Person(NamedTuple):
    """`user` and `number`: either may be missing."""

    user: str | None
    number: str | None
    contact: dict[str, Any]

    @property
    def key(self) -> str | None:
        return self.user or self.number

    @property
    def aliases(self) -> tuple[str, ...]:
        """The number, by which the conversation was known before the network told user ids."""
        return (self.number,) if self.user and self.number else ()

    @property
    def handles(self) -> tuple[Handle, ...]:
        """The network vouches for both."""
        phone = f"+{self.number}" if self.number and self.number.isdigit() else self.number
        found = [Handle(kind="phone", value=phone, proof="verified")] if phone else []
        if self.user:
            found.append(Handle(kind="whatsapp_user", value=self.user, proof="channel"))
        return tuple(found)


def _person(number: Any, user: Any, contacts: list[Any]) -> _Person:
    """Who has this number or user id, with the other of the two from the card that comes along."""
    number, user = ident_or_none(number), ident_or_none(user)
    if number and _USER_ID.fullmatch(number):
        number, user = None, user or number
    cards = [mapping(contact) for contact in contacts]
    mine = (c for c in cards if (number and c.get("wa_id") == number) or (user and c.get("user_id") == user))
    card = next(mine, cards[0] if len(cards) == 1 and not (number or user) else {})
    return _Person(
        user or ident_or_none(card.get("user_id")), number or ident_or_none(card.get("wa_id")), card
    )


def _about(event: Any, value: dict[str, Any]) -> list[Any]:
    """The contact cards of this event alone, so that it is the same bytes in whatever call it comes."""
    names = {str(v) for k, v in mapping(event).items() if k.startswith(("from", "to", "recipient"))}
    cards = [mapping(card) for card in items(value.get("contacts"))]
    own = [card for card in cards if {str(card.get("wa_id")), str(card.get("user_id"))} & names]
    return own or (cards if len(cards) == 1 else [])


class _Event:
    """One event on its way to a message."""

    def __init__(self, call: Call, number: Any, event: dict[str, Any], value: Any, whole: Any) -> None:
        self.call, self.event, self.whole = call, event, whole
        self.account: Served = call.account("whatsapp", ident(number))
        self.contacts = items(value.get("contacts"))

    def made(self, kind: Kind, provider_id: str, person: _Person, **more: Any) -> InboundMessage:
        outgoing = kind == "echo"
        name = words(mapping(person.contact.get("profile")).get("name"))
        known = Sender(handles=person.handles, display_name=one_line(name, 200) or None, raw=person.key)
        own = Sender(raw=ident_or_none(self.event.get("from")))
        to = tuple(Recipient(value=handle.value, kind=handle.kind) for handle in person.handles)
        content = {"sender": own if outgoing else known, "recipients": to if outgoing else ()} | more
        return self.call.event(
            "whatsapp",
            self.account,
            provider_id,
            self.whole,
            kind=kind,
            direction="out" if outgoing else "in",
            server_at=when(self.event.get("timestamp")),
            **({"conversation_key": person.key, "conversation_aliases": person.aliases} | content),
        )


def _messages(event: _Event) -> Iterator[InboundMessage]:
    message = event.event
    person = _person(message.get("from"), message.get("from_user_id"), event.contacts)
    identity, kind = ident(message["id"]), message.get("type")
    if kind == "reaction":
        emoji, target = words(message["reaction"].get("emoji")), ident(message["reaction"]["message_id"])
        yield event.made("reaction", identity, person, target=target, text=emoji or None)
    elif kind == "revoke":
        yield event.made("delete", identity, person, target=ident(message["revoke"]["original_message_id"]))
    elif kind == "edit":
        edit = message["edit"]
        more = _said(message, content(mapping(edit.get("message"))), person)
        yield event.made("edit", identity, person, target=ident(edit["original_message_id"]), **more)
    elif kind == "system":
        yield _system(event, identity, message["system"], person)
    else:
        said = content(message)
        group = bool(message.get("group_id"))
        ignored = said.is_empty or (group and event.call.raw.options.get("groups") != "yes")
        more = _said(message, said, person)
        if group:
            more |= {"conversation_key": ident(message["group_id"]), "conversation_aliases": ()}
        yield event.made("unsupported" if ignored else "message", identity, person, **more)


def _said(message: dict[str, Any], said: Content, person: _Person) -> dict[str, Any]:
    """A message's content, with what it answers and what led to it."""
    context, referral = mapping(message.get("context")), mapping(message.get("referral"))
    quoted = ident_or_none(context.get("id"))
    problem = mapping(next(iter(items(message.get("errors"))), None))
    profile = mapping(person.contact.get("profile"))
    handles = (*person.handles, *said.handles)
    facts = {
        "type": message.get("type"),
        "username": profile.get("username"),
        "group": message.get("group_id"),
        "product": mapping(context.get("referred_product")).get("product_retailer_id"),
        "ad_id": referral.get("source_id"),
        "ad_headline": referral.get("headline"),
        "error_code": problem.get("code"),
        **said.fields,
    }
    name = one_line(words(profile.get("name")), 200)
    return {
        "sender": Sender(handles=handles, display_name=name or None, raw=person.key),
        "text": said.text or None,
        "attachments": said.attachments,
        "reply_to": (quoted,) if quoted else (),
        "fields": fields(facts),
        "marks": ("forwarded",) if context.get("forwarded") or context.get("frequently_forwarded") else (),
    }


def _system(event: _Event, identity: str, system: dict[str, Any], person: _Person) -> InboundMessage:
    """A fact about the person. After a change of number or user id the old one proves nothing any more."""
    what, facts = words(system.get("type")), {"system": system.get("type"), "body": system.get("body")}
    changed = _CHANGED.get(what)
    if changed == "phone":
        facts["new_number"] = system.get("wa_id") or system.get("new_wa_id")
    elif changed == "whatsapp_user":
        facts["new_user_id"] = system.get("user_id")
        person = person._replace(user=ident_or_none(system.get("previous_user_id")) or person.user)
    handles = tuple(Handle(kind=h.kind, value=h.value) if h.kind == changed else h for h in person.handles)
    sender = Sender(handles=handles, raw=person.key)
    return event.made("system", identity, person, sender=sender, fields=fields(facts))


def _statuses(event: _Event) -> Iterator[InboundMessage]:
    """Of a message of ours. In a group each participant has one."""
    status, group = event.event, event.event.get("recipient_type") == "group"
    of = "recipient_participant_" if group else "recipient_"
    person = _person(status.get(f"{of}id"), status.get(f"{of}user_id"), event.contacts)
    target, name = ident(status["id"]), ident(status["status"])
    # The same status at another time is another fact: readers only move forward.
    who = (person.key,) if group else ()
    identity = composed(target, name, *who, status.get("timestamp"))
    problem = mapping(next(iter(items(status.get("errors"))), None))
    facts = {
        "status": name,
        "recipient": status.get("recipient_id"),
        "error_code": problem.get("code"),
        "error": problem.get("title"),
    }
    chat: dict[str, Any] = {}
    if group:
        chat = {"conversation_key": ident_or_none(status.get("recipient_id")), "conversation_aliases": ()}
    yield event.made("status", identity, person, target=target, fields=fields(facts), **chat)


def _echoes(event: _Event) -> Iterator[InboundMessage]:
    """What an agent wrote in the app; what an agent edited or took back names its target."""
    message = event.event
    person = _person(message.get("to"), message.get("to_user_id"), event.contacts)
    kind = message.get("type")
    changed = mapping(message.get(kind)) if kind in ("edit", "revoke") else {}
    said = content(mapping(changed.get("message")) or message)
    facts = {"type": kind, **said.fields}
    yield event.made(
        "echo",
        ident(message["id"]),
        person,
        target=ident_or_none(changed.get("original_message_id")),
        text=said.text or None,
        attachments=said.attachments,
        fields=fields(facts),
    )


def _calls(event: _Event) -> Iterator[InboundMessage]:
    """Of a voice call: that it begins, and how it ended."""
    call = event.event
    identity, name = ident(call["id"]), ident(call["event"])
    ours = call.get("direction") == "BUSINESS_INITIATED"
    who = "to" if ours else "from"
    person = _person(call.get(who), call.get(f"{who}_user_id"), event.contacts)
    answered = call.get("status") == "COMPLETED" or bool(call.get("duration"))
    state = "incoming" if name == "connect" else "finished" if answered else "missed"
    facts = {
        "call_id": identity,
        "event": state,
        "direction": "out" if ours else "in",
        "status": call.get("status"),
        "duration_s": call.get("duration"),
        "started_at": iso(call.get("start_time")),
    }
    yield event.made("call", f"{identity}:{name}", person, target=identity, fields=fields(facts))


_EVENTS = {
    "messages": _messages,
    "statuses": _statuses,
    "message_echoes": _echoes,
    "calls": _calls,
}
"""The lists of a value, and what reads their events."""

CHANNEL = WhatsApp()
