"""A rating belongs to the ticket that it names, and is its customer's."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import msgspec

from contracts import ids
from contracts.base import encode
from contracts.inbound import Handle, InboundMessage, Kind, Sender
from contracts.resolved import CustomerLink, Position, ResolvedMessage
from contracts.topics import RESOLVED
from router.worker import Router
from runtime.clock import Clock
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Record
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from tests.support.shop import SHOP, WORKSPACE, configure
from tests.support.system import Dsns

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ANN = ids.customer_id(WORKSPACE, True, "telegram_user", "42")
_offsets = count()


def delivery(
    channel: str, kind: Kind, customer: UUID | None = None, **more: Any
) -> Delivery[ResolvedMessage]:
    offset = next(_offsets)
    message = InboundMessage(
        message_id=ids.message_id(WORKSPACE, channel, "a", str(offset)),
        workspace=WORKSPACE,
        channel=channel,
        account="a",
        provider_id=str(offset),
        kind=kind,
        received_at=NOW,
        **more,
    )
    resolved = ResolvedMessage(
        workspace=WORKSPACE,
        message_id=message.message_id,
        position=Position(topic="frontdesk.inbound.v1", partition=0, offset=offset),
        inbound=msgspec.Raw(encode(message)),
        customer=CustomerLink(id=customer, is_new=True, trust="channel") if customer else None,
    )
    return Delivery(Record(RESOLVED.name, 0, offset, b"", b""), resolved)


def rating(ticket: str) -> Delivery[ResolvedMessage]:
    return delivery("rating", "rating", target="m-77", fields={"ticket": ticket, "score": "positive"})


async def test_a_rating_is_stored_under_its_ticket_and_changes_nothing_of_it(database: Dsns) -> None:
    await configure(database, SHOP)
    async with Database(database.app) as app:
        store = ConfigStore(app)
        router = Router(app, store, WorkspaceCache(store, Clock(NOW)), Clock(NOW))
        async with app.transaction([WORKSPACE]) as connection:
            await connection.execute(
                "INSERT INTO customers (workspace, customer_id, founding_kind, founding_value, proven, created_at)"
                " VALUES (%s, %s, 'telegram_user', '42', true, %s)",
                (WORKSPACE, ANN, NOW),
            )
        sender = Sender(handles=(Handle(kind="telegram_user", value="42", proof="channel"),))
        question = delivery(
            "telegram", "message", ANN, sender=sender, text="Where is it?", conversation_key="42"
        )
        await router.run(Batch([question]))
        ((number, ticket),) = await app.fetch([WORKSPACE], "SELECT number, ticket_id FROM tickets")

        await router.run(Batch([rating(str(number)), rating("999999"), rating("none")]))
        stored = await app.fetch(
            [WORKSPACE],
            "SELECT ticket_id, customer_id FROM messages WHERE kind = 'rating' ORDER BY \"offset\"",
        )
        versions = await app.fetch([WORKSPACE], "SELECT version, messages FROM tickets")
    assert stored == [(ticket, ANN), (None, None), (None, None)]
    assert versions == [(1, 1)]
