"""The consumer that people write first: one message, one transaction, one event, one offset. SQLAlchemy over psycopg."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, func, insert, select, update

from contracts.base import decoder
from contracts.inbound import InboundMessage
from contracts.ticket import TicketEvent
from contracts.topics import INBOUND, Topic
from runtime.kafka import ensure_topics
from tests.bench.forms import WORKSPACE
from tests.support.chain import Chain
from tests.support.system import fresh_database, migrated_template

EVENTS = Topic(
    "bench.row-at-a-time.v1",
    TicketEvent,
    key="ticket",
    retention_days=1,
    written_by="the peer",
    read_by="nobody",
)
_GROUP = "bench-row-at-a-time"
_WARM_UP = 100
_TABLES = (
    *("customers", "handles", "identity_events", "customer_traits", "tickets", "ticket_participants"),
    *("messages", "decisions", "timers", "audit", "outbox", "workspaces", "rotations", "agents"),
)
_AGENTS = ("ann", "ben", "cem", "dee", "eve")
_RECENT = 5

_decode = decoder(InboundMessage).decode


class Writer:
    """The look-ups and the rows of the system under test, each by a statement of its own: is it stored already, whose is it,
    what did they write before, which number is next, who has least to do. No rule is asked, no language is told and no
    deadline is worked out: less work than the system does for a message."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        metadata = MetaData()
        self._tables = {name: Table(name, metadata, autoload_with=engine) for name in _TABLES}
        with engine.begin() as connection:
            self._add(connection, "workspaces", workspace=WORKSPACE, slug="demo", name="Demo")
            self._add(connection, "rotations", workspace=WORKSPACE, department="support", category="")
            for agent in _AGENTS:
                self._add(connection, "agents", workspace=WORKSPACE, agent=agent)

    def store(
        self, message: InboundMessage, partition: int, offset: int, payload: str
    ) -> tuple[UUID, bytes] | None:
        """One transaction. Returns the ticket and its event's bytes; None for a message that is stored."""
        with self._engine.begin() as connection:
            if self._is_stored(connection, message):
                return None
            customer = self._customer(connection, message)
            self._look_back(connection, message, customer)
            return self._ticket(connection, message, customer, partition, offset, payload)

    def _is_stored(self, connection: Connection, message: InboundMessage) -> bool:
        messages = self._tables["messages"]
        stored = select(messages.c.topic).where(
            messages.c.workspace == message.workspace, messages.c.message_id == message.message_id
        )
        return connection.execute(stored).scalar() is not None

    def _look_back(self, connection: Connection, message: InboundMessage, customer: UUID) -> None:
        tickets = self._tables["tickets"]
        recent = (
            select(tickets.c.number, tickets.c.subject, tickets.c.status, tickets.c.department)
            .where(tickets.c.workspace == message.workspace, tickets.c.customer_id == customer)
            .order_by(tickets.c.created_at.desc())
            .limit(_RECENT)
        )
        connection.execute(recent).all()

    def _next_number(self, connection: Connection) -> int:
        workspaces = self._tables["workspaces"]
        taken = (
            update(workspaces)
            .where(workspaces.c.workspace == WORKSPACE)
            .values(next_number=workspaces.c.next_number + 1)
            .returning(workspaces.c.next_number)
        )
        return int(connection.execute(taken).scalar_one())

    def _agent(self, connection: Connection, now: datetime) -> str:
        agents, tickets, rotations = (self._tables[name] for name in ("agents", "tickets", "rotations"))
        connection.execute(select(rotations).where(rotations.c.workspace == WORKSPACE).with_for_update())
        ours = agents.c.workspace == WORKSPACE
        known = connection.execute(select(agents.c.agent).where(ours).with_for_update()).scalars().all()
        counted = (
            select(tickets.c.agent, func.count())
            .where(tickets.c.workspace == WORKSPACE, tickets.c.agent.in_(known), tickets.c.status != "solved")
            .group_by(tickets.c.agent)
        )
        loads = dict(connection.execute(counted).tuples().all())
        chosen = min(known, key=lambda agent: loads.get(agent, 0))
        connection.execute(update(agents).where(ours, agents.c.agent == chosen).values(last_assigned_at=now))
        turns = update(rotations).where(rotations.c.workspace == WORKSPACE).values(turns=[chosen])
        connection.execute(turns)
        return str(chosen)

    def _customer(self, connection: Connection, message: InboundMessage) -> UUID:
        handles = self._tables["handles"]
        values = [(handle.kind, handle.value.strip().lower()) for handle in message.sender.handles]
        for kind, value in values:
            known = select(handles.c.customer_id).where(
                handles.c.workspace == message.workspace, handles.c.kind == kind, handles.c.value == value
            )
            if (found := connection.execute(known).scalar()) is not None:
                return UUID(str(found))
        customer, kind, value = uuid4(), *values[0]
        self._add(
            connection,
            "customers",
            workspace=message.workspace,
            customer_id=customer,
            founding_kind=kind,
            founding_value=value,
            proven=False,
            display_name=message.sender.display_name,
            created_at=message.received_at,
        )
        for kind, value in values:
            self._add(
                connection,
                "handles",
                workspace=message.workspace,
                kind=kind,
                value=value,
                customer_id=customer,
                state="claimed",
                proof="claimed",
                since=message.received_at,
                evidence=message.message_id,
            )
            self._add(
                connection,
                "identity_events",
                workspace=message.workspace,
                event_id=uuid4(),
                message_id=message.message_id,
                customer_id=customer,
                action="attached",
                kind=kind,
                value=value,
                proof="claimed",
                at=message.received_at,
            )
            self._add(
                connection,
                "customer_traits",
                workspace=message.workspace,
                kind=kind,
                value=value,
                customer_id=customer,
            )
        return customer

    def _ticket(
        self,
        connection: Connection,
        message: InboundMessage,
        customer: UUID,
        partition: int,
        offset: int,
        payload: str,
    ) -> tuple[UUID, bytes]:
        now, ticket = datetime.now(UTC), uuid4()
        shared = {"workspace": message.workspace, "ticket_id": ticket}
        common = {"channel": message.channel, "account": message.account, "customer_id": customer}
        self._add(
            connection,
            "tickets",
            **shared,
            **common,
            number=self._next_number(connection),
            agent=self._agent(connection, now),
            version=1,
            trust="claimed",
            subject=message.subject,
            department=message.fields.get("department", "support"),
            priority="medium",
            status="new",
            messages=1,
            created_at=now,
            updated_at=now,
            audit_head=b"",
        )
        for handle in message.sender.handles:
            self._add(
                connection,
                "ticket_participants",
                **shared,
                kind=handle.kind,
                value=handle.value.strip().lower(),
            )
        self._add(
            connection,
            "messages",
            **shared,
            **common,
            message_id=message.message_id,
            provider_id=message.provider_id,
            kind=message.kind,
            direction=message.direction,
            happened_at=message.received_at,
            received_at=message.received_at,
            topic=INBOUND.name,
            partition=partition,
            offset=offset,
            payload=payload,
        )
        self._add(
            connection,
            "decisions",
            **shared,
            message_id=message.message_id,
            rule_set="peer",
            decided_at=now,
            record={"said": message.text},
        )
        self._add(
            connection, "timers", workspace=message.workspace, kind="first", subject=str(ticket), due_at=now
        )
        self._add(
            connection,
            "audit",
            **shared,
            version=1,
            at=now,
            actor="peer",
            action="created",
            detail={"message": str(message.message_id)},
            hash=b"",
        )
        event = payload.encode()
        for kind in ("ticket", "notification"):
            self._add(
                connection,
                "outbox",
                workspace=message.workspace,
                id=uuid4(),
                aggregatetype=kind,
                aggregateid=ticket,
                type="created",
                payload=event,
                shard=0,
                created_at=now,
            )
        return ticket, event

    def _add(self, connection: Connection, table: str, **values: Any) -> None:
        connection.execute(insert(self._tables[table]).values(**values))


def measure(chain: Chain, count: int) -> float:
    """Messages a second over `count` records that wait on the inbound topic, after a warm-up."""
    bootstrap = chain.settings.kafka
    asyncio.run(ensure_topics(bootstrap, [EVENTS], partitions=4, replication=1, min_insync=1))
    template = migrated_template(chain.postgres)
    with fresh_database(chain.postgres, template) as dsns:
        engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsns.owner))
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_consume(bootstrap, Writer(engine), count))
        finally:
            engine.dispose()


async def _consume(bootstrap: str, writer: Writer, count: int) -> float:
    consumer = AIOKafkaConsumer(
        INBOUND.name,
        bootstrap_servers=bootstrap,
        group_id=_GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    async with consumer, producer:
        began = 0.0
        for number in range(_WARM_UP + count):
            if number == _WARM_UP:
                began = time.monotonic()
            record = await consumer.getone()
            message, payload = _decode(record.value), record.value.decode()
            if stored := writer.store(message, record.partition, record.offset, payload):
                ticket, event = stored
                await producer.send_and_wait(EVENTS.name, value=event, key=str(ticket).encode())
            await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
        return count / (time.monotonic() - began)
