"""Violet, who wrote by mail, form, chat and Telegram, and is to be exported and erased; and somebody else beside her."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from contracts.inbound import Attachment, Handle, InboundMessage, Raw, Sender
from desk.customers import Customers
from identity.tombstones import Tombstones
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.archive import REF, FolderArchive
from tests.support.line import Line, line_of
from tests.support.routing import NOW, message, workspace
from tests.support.shop import configure
from tests.support.system import Dsns

KEY = "07" * 32
TOMBSTONES = Tombstones(bytes.fromhex(KEY))
NEEDLES = (
    *(
        "violet",
        "Vermeulen",
        "4917630000",
        "my parcel never came",
        "VX-9921",
        "1987-03-02",
        "tg-needle",
        "visitor-needle",
    ),
    *("Message-Needle", "Subject Needle", "needle.pdf", "provider-needle", "agent wrote needle"),
)
OWN_FILE, SHARED_FILE = b"a scan of a passport", b"a logo that everybody has"
MAIL = ("email", "violet@vermeulen.example", "verified")
CHAT = ("telegram_user", "tg-needle-777", "channel")
PHONE = ("phone", "+4917630000123", "verified")
NAMED = "email:violet@vermeulen.example"


def shows(*shown: tuple[Any, str, Any]) -> Sender:
    handles = tuple(Handle(kind=kind, value=value, proof=proof) for kind, value, proof in shown)
    return Sender(handles=handles, display_name="Violet Vermeulen", raw="Violet <violet@vermeulen.example>")


def _file(content: bytes, name: str) -> Attachment:
    digest = sha256(content).hexdigest()
    return Attachment(name=name, type="application/pdf", size=len(content), sha256=digest, ref=REF + digest)


def victims() -> list[InboundMessage]:
    mail = message(
        "Message-Needle-1",
        channel="email",
        account="support",
        sender=shows(MAIL),
        subject="Subject Needle",
        text="Hello, my parcel never came. Violet",
        attachments=(_file(OWN_FILE, "needle.pdf"), _file(SHARED_FILE, "logo.png")),
        fields={
            "message_id": "Message-Needle-1@violet",
            "order_number": "VX-9921",
            "birth_date": "1987-03-02",
        },
        raw=Raw(sha256="0" * 64, size=10, inline=b"From: violet@vermeulen.example"),
    )
    chat = message(
        "tg-needle-1",
        channel="telegram",
        account="bot",
        sender=shows(CHAT),
        conversation_key="tg-needle-777",
        text="my parcel never came",
    )
    both = message(
        "tg-needle-2", channel="telegram", account="bot", sender=shows(CHAT, PHONE, MAIL),
        conversation_key="tg-needle-777", text="it is me, Violet",
        attachments=(Attachment(name="needle.pdf", type="image/jpeg", provider_ref="provider-needle"),),
    )  # fmt: skip
    widget = message(
        "visitor-needle-1",
        channel="chat",
        account="site",
        conversation_key="visitor-needle-1",
        sender=shows(("visitor", "visitor-needle-1", "channel"), MAIL),
        text="still my parcel never came",
    )
    form = message(
        "form-needle-visitor-needle", sender=shows((*MAIL[:2], "claimed")), text="my parcel never came"
    )
    edit = message(
        "tg-needle-edit",
        channel="telegram",
        account="bot",
        kind="edit",
        target="tg-needle-1",
        sender=shows(CHAT),
        text="edited: my parcel never came",
    )
    return [mail, chat, both, widget, form, edit]  # fmt: skip


def others() -> list[InboundMessage]:
    """Somebody else with the same file, and a colleague who answers the victim's mail."""
    shared = message(
        "other-1",
        channel="email",
        account="support",
        email="ben@other.example",
        proof="verified",
        attachments=(_file(SHARED_FILE, "logo.png"),),
        fields={"message_id": "other-1@other"},
    )
    return [
        shared,
        message(
            "other-2",
            channel="telegram",
            account="bot",
            handles=(Handle(kind="telegram_user", value="9", proof="channel"),),
        ),
    ]


@dataclass(frozen=True, slots=True)
class Shop:
    """Everybody's messages are stored; the desk's clock is an hour later."""

    line: Line
    customers: Customers


@asynccontextmanager
async def shop_of_violet(database: Dsns, folder: Path) -> AsyncIterator[Shop]:
    await configure(database, msgspec.structs.replace(workspace(), slug="test"))
    archive = FolderArchive(folder / "archive")
    await archive.put({sha256(content).hexdigest(): content for content in (OWN_FILE, SHARED_FILE)})
    async with Database(database.app, max_size=2) as app, line_of(database, TOMBSTONES) as line:
        await line.take(*victims(), *others())
        yield Shop(line, Customers(app, Clock(NOW + timedelta(hours=1)), TOMBSTONES, archive))


def found_in(tables: dict[str, list[str]], needles: Iterable[str] = NEEDLES) -> dict[str, list[str]]:
    """Which tables say which needle, in letters or (binary columns, digests of nothing) not at all."""
    found = {
        table: sorted({needle for needle in needles for row in rows if needle.lower() in row.lower()})
        for table, rows in tables.items()
    }
    return {table: names for table, names in found.items() if names}


_ON_HERS = (
    "FROM tickets WHERE ticket_id NOT IN (SELECT ticket_id FROM messages WHERE provider_id LIKE 'other%')"
)
_AROUND = (
    "INSERT INTO answers SELECT workspace, ticket_id, ticket_id, 'chat', 'site', 'visitor-needle-1', 'ann', 'Ann', "
    f"'agent wrote needle', now() {_ON_HERS}",
    f"INSERT INTO notes SELECT workspace, ticket_id, ticket_id, 'ann', 'note on Vermeulen', now() {_ON_HERS}",
    "INSERT INTO orders (workspace, store, number, email, updated_at) "
    f"SELECT workspace, 'a', 'A-' || number, 'violet@vermeulen.example', now() {_ON_HERS}",
    "INSERT INTO webhook_calls (workspace, call_id, webhook, url, body, due_at, created_at) SELECT workspace, ticket_id, 'crm', "
    f"'https://crm.example', concat('Violet wrote on ', ticket_id), now(), now() {_ON_HERS}",
    "INSERT INTO deliveries (workspace, outbound_id, ticket_id, channel, account, recipient, payload, created_at, due_at) "
    "SELECT workspace, ticket_id, ticket_id, 'email', 'support', 'violet@vermeulen.example', "
    f'\'{{"text": "Dear Violet"}}\', now(), now() {_ON_HERS}',
    "INSERT INTO proof_codes (workspace, proof_id, customer_id, value, code_sha256, token_sha256, asked_by, asked_at, "
    "expires_at) SELECT workspace, ticket_id, customer_id, 'violet@vermeulen.example', '', ticket_id::text::bytea, 'agent:ann', "
    f"now(), now() {_ON_HERS}",
    f"INSERT INTO automatic_replies SELECT workspace, 'email', 'violet@vermeulen.example', now() {_ON_HERS} LIMIT 1",
    f"INSERT INTO customer_tags SELECT DISTINCT workspace, customer_id, 'Vermeulen family' {_ON_HERS}",
    "INSERT INTO dead_letters (dead_letter_id, workspace, stage, reason, detail, disposition, raw, key, headers, topic, "
    "partition, \"offset\", occurred_at) SELECT ticket_id, workspace, 'identity', 'broken', 'd', 'parked', 'from Violet', "
    "convert_to(concat(workspace, '|email|email:violet@vermeulen.example'), 'UTF8'), '{}', 't', 0, number, now() "
    f"{_ON_HERS}",
)


async def surrounded(database: Dsns) -> None:
    """What agents, rules and shops add to the tickets and to the address."""
    async with Database(database.owner, max_size=1) as owner, owner.transaction() as connection:
        for statement in _AROUND:
            await connection.execute(statement)
