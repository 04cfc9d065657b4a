"""Who wrote a mail, really, and to whom: the sender in From, or the person whose words a list, a group, a program that sends a
form's content, or a colleague passed on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from contracts.inbound import AND, Handle, Proof, Recipient, Sender
from ingest.mail.authentication import Verdict
from ingest.mail.forwarded import Forwarded
from ingest.mail.headers import Address, Headers, addresses
from ingest.text import one_line

NAME, ADDRESS, RAW = 200, 320, 1_000

NamedBy = Literal["from", "reply_to", "form", "list", "forward"]

_VIA = re.compile(
    r"^(?P<name>.+?)\s+\(?(?:via|through|über|durch|par|por|tramite|przez|через|經由|经由|経由)\s+.+$",
    re.IGNORECASE,
)
_MACHINE = re.compile(
    r"^(?:.*(?:no|not|never)[-_.]?reply.*|nobody|wordpress|www-data|apache|httpd|webmaster|mailer|forms?|webforms?|contact-?forms?|"
    r"kontaktformular|formulaire|formulario|notifications?|form-?submission|website|webserver|web|noresponder|no-?responder|"
    r"keine-?antwort|nepasrepondre|ne-?pas-?repondre|naoresponda|nao-?responda|niet-?beantwoorden|nie-?odpowiadaj)(?:[+._-].*)?@",
    re.IGNORECASE,
)
_LIST_HEADERS = ("list-id", "list-post", "x-google-group-id", "mailing-list")
# What web servers add to the mails that their scripts send.
_SCRIPT_HEADERS = ("x-php-originating-script", "x-php-script", "x-wpcf7-content-type", "x-form-id")
_PROGRAM = re.compile(
    r"\b(?:phpmailer|php/|wpforms|wp mail|swiftmailer|contact form|drupal|joomla)", re.IGNORECASE
)
_POST = re.compile(r"<\s*mailto:([^>?\s]+)", re.IGNORECASE)
_LIST_ID = re.compile(r"<\s*([^<>\s]+)\s*>\s*$")
_ENCODED = re.compile(r"^([^=@\s]+)=((?:[a-z0-9-]+\.)+[a-z]{2,})@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Writer:
    """`who` wrote the words; `sender` stands in From. Null: no address could be read."""

    who: Address | None
    sender: Address | None
    named_by: NamedBy = "from"


def writer(
    fields: Headers, sender: Address | None, inside: Forwarded | None, options: Mapping[str, str]
) -> Writer:
    """The person whose request it is. Options of the account: `address`, `groups`, `reply_to` (`trust`, `form`: only of
    programs, `off`: never); the default is `form`."""
    if sender is None:
        return Writer(None, None)
    if inside is not None and "@" in inside.address:
        others = own_addresses(options) | {sender.address.lower()}
        if inside.address.lower() not in others and not is_machine(inside.address):
            return Writer(Address(inside.name, inside.address), sender, "forward")
    return _listed(fields, sender, options) or _answered(fields, sender, options) or Writer(sender, sender)


def _listed(fields: Headers, sender: Address, options: Mapping[str, str]) -> Writer | None:
    """Whom a list or group replaced by itself, where it says so."""
    via = _VIA.match(sender.name)
    name = via["name"].strip("'\" (") if via else ""
    listed = any(fields.has(header) for header in _LIST_HEADERS)
    is_list = via is not None or sender.address.lower() in own_addresses(options)
    is_list = is_list or sender.address.lower() in fields.get("list-post").lower()
    for header in ("x-original-from", "x-original-sender", "x-mailfrom"):
        if header != "x-original-from" and not (listed and is_list):
            continue
        for found in addresses(fields.raw(header) or b"")[0]:
            if "@" in found.address and found.address.lower() != sender.address.lower():
                return Writer(Address(found.name or name, found.address), sender, "list")
    encoded = _ENCODED.match(sender.address)
    if encoded is not None and via is not None:
        return Writer(Address(name, f"{encoded[1]}@{encoded[2]}"), sender, "list")
    return None


def _answered(fields: Headers, sender: Address, options: Mapping[str, str]) -> Writer | None:
    """Whom Reply-To names, where From is a list or a program, or where the account believes it."""
    policy = options.get("reply_to", "form")
    if policy == "off":
        return None
    others = own_addresses(options) | {sender.address.lower()}
    listed = fields.get("list-post").lower()
    found = [
        one
        for one in addresses(fields.raw("reply-to") or b"")[0]
        if "@" in one.address
        and one.address.lower() not in others
        and one.address.lower() not in listed
        and not is_machine(one.address)
    ]
    if len(found) != 1:
        return None
    via = _VIA.match(sender.name)
    person = Address(found[0].name or (via["name"].strip("'\" (") if via else ""), found[0].address)
    if via is not None:
        return Writer(person, sender, "list")
    if _is_program(fields, sender, person, options):
        return Writer(person, sender, "form")
    return Writer(person, sender, "reply_to") if policy == "trust" else None


def _is_program(fields: Headers, sender: Address, person: Address, options: Mapping[str, str]) -> bool:
    """Whether a program of ours or of a service wrote From, as for a form on a page."""
    own = own_addresses(options)
    domain = sender.address.rpartition("@")[2].lower()
    ours = {address.rpartition("@")[2] for address in own}
    return (
        is_machine(sender.address)
        or sender.address.lower() in own
        or (domain in ours and person.address.rpartition("@")[2].lower() not in ours)
        or any(fields.has(header) for header in _SCRIPT_HEADERS)
        or _PROGRAM.search(fields.get("x-mailer")) is not None
    )


def own_addresses(options: Mapping[str, str]) -> frozenset[str]:
    """The account's own addresses: `address`, which may hold several, and `groups`."""
    given = f"{options.get('address', '')},{options.get('groups', '')}"
    return frozenset(one.strip().lower() for one in given.split(",") if "@" in one)


def is_list(fields: Headers, address: str) -> bool:
    """Whether the mail says that this address is the list's through which it came: `List-Post` (RFC 2369) names it, and
    `List-Id` (RFC 2919) is by custom the same with a dot for the @."""
    posts = (found[1].lower() for found in _POST.finditer(fields.get("list-post")))
    named = _LIST_ID.search(fields.get("list-id").lower())
    given = address.lower()
    return given in posts or (named is not None and named[1] == given.replace("@", "."))


def is_machine(address: str) -> bool:
    """Whether an address belongs to a program rather than to a person."""
    return _MACHINE.match(address) is not None


def sender_of(fields: Headers, written: Writer, verdict: Verdict) -> Sender:
    """The sender with the proof that is due. What a server proved is From: whoever is named elsewhere is named by who wrote
    the mail, which is a claim; and so is From in a mail that somebody sent on."""
    raw = one_line(fields.get("from"), RAW) or None
    if written.who is None or written.sender is None:
        return Sender(raw=raw, authentication=verdict.outcome)
    replaced = written.named_by != "from"
    proven = verdict.server is not None and not replaced and not fields.has("resent-from")
    proof: Proof = "verified" if proven else "claimed"
    address = one_line(written.who.address, ADDRESS)
    evidence = AND.join(_evidence(verdict)) if proven else None
    return Sender(
        handles=(Handle(kind="email", value=address, proof=proof, evidence=evidence),),
        display_name=one_line(written.who.name, NAME) or None,
        raw=raw,
        authentication=verdict.outcome,
        named_by=written.named_by,
        through=one_line(written.sender.address, ADDRESS) if replaced else None,
    )


def _evidence(verdict: Verdict) -> Iterator[str]:
    yield f"authserv={verdict.server}"
    if verdict.sealer:
        yield f"arc={verdict.sealer}"


def recipients(fields: Headers, envelope: tuple[str, ...], marks: list[str]) -> tuple[Recipient, ...]:
    """To, Cc and the envelope, in this order. What limits cut is marked."""
    out = []
    roles: tuple[Literal["to", "cc"], ...] = ("to", "cc")
    for role in roles:
        for one in mailboxes(fields, role, marks):
            if "@" in one.address:
                name = one_line(one.name, NAME) or None
                out.append(Recipient(value=one_line(one.address, ADDRESS), role=role, display_name=name))
    out += [
        Recipient(value=one_line(address, ADDRESS), role="envelope")
        for address in envelope
        if address.strip()
    ]
    return tuple(out)


def mailboxes(fields: Headers, name: str, marks: list[str]) -> list[Address]:
    """Every mailbox of every field of this name."""
    found: list[Address] = []
    for field, value in fields.fields:
        if field == name:
            some, cut = addresses(value)
            found += some
            if cut:
                marks.append("addresses_cut")
    return found
