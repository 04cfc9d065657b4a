"""The gauges that are read from the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from prometheus_client import REGISTRY

from runtime.clock import Clock
from runtime.postgres import Connection, Database
from sinks.gauges import Gauges
from tests.support.system import Dsns, eventually

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def minutes(count: int) -> datetime:
    return NOW + timedelta(minutes=count)


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"frontdesk_{name}", labels)


async def ticket(connection: Connection, department: str, status: str, due: int, agent: str | None) -> None:
    await connection.execute(
        "INSERT INTO tickets (workspace, ticket_id, number, version, customer_id, trust, channel, account, department,"
        " priority, status, agent, due_at, messages, created_at, updated_at, audit_head)"
        " VALUES (%s, %s, 1, 1, %s, 'none', 'email', 'a', %s, 'low', %s, %s, %s, 1, %s, %s, '')",
        (uuid4(), uuid4(), uuid4(), department, status, agent, minutes(due), minutes(-5), NOW),
    )


async def test_open_work_and_what_waits(database: Dsns) -> None:
    async with Database(database.system) as system:
        async with system.transaction() as connection:
            await ticket(connection, "sales", "new", 10, None)
            await ticket(connection, "sales", "new", 45, "ana")
            await ticket(connection, "sales", "open", -1, "ana")
            await ticket(connection, "sales", "solved", -1, "ana")
            await connection.execute(
                "INSERT INTO dead_letters (dead_letter_id, stage, reason, detail, disposition, raw, headers, topic,"
                " partition, \"offset\", occurred_at) VALUES (%s, 'router', 'r', '', 'parked', '', '{}', 't', 0, 0, %s)",
                (uuid4(), minutes(-60)),
            )
            await connection.execute(
                "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, workspace, shard, created_at)"
                " VALUES (%s, 'ticket', %s, 'created', '', %s, 0, %s)",
                (uuid4(), uuid4(), uuid4(), minutes(-2)),
            )
        gauges = Gauges(system, Clock(NOW))
        await gauges.tick()
        assert gauge("tickets", department="sales", status="new") == 2
        assert gauge("tickets", department="sales", status="solved") == 1
        assert gauge("due_soon", department="sales") == 1
        assert gauge("overdue", department="sales") == 1
        assert gauge("unassigned_oldest_age_seconds", department="sales") == 300
        assert gauge("parked_messages", stage="router") == 1
        assert gauge("parked_oldest_age_seconds", stage="router") == 3600
        assert gauge("outbox_pending") == 1
        assert gauge("outbox_oldest_age_seconds") == 120
        async with system.transaction() as connection:
            await connection.execute("DELETE FROM outbox")
            await connection.execute("UPDATE tickets SET status = 'solved'")
        await gauges.tick()
        assert gauge("tickets", department="sales", status="new") is None
        assert gauge("outbox_oldest_age_seconds") == 0


async def test_connections_of_the_pools_by_state(database: Dsns) -> None:
    def connections(state: str) -> float:
        return gauge("db_pool_connections", state=state) or 0

    # Other tests of this process may have left pools behind.
    used, idle = connections("used"), connections("idle")
    async with Database(database.app) as app:
        async with app.transaction():
            # Who asks while the first connection is being made has a second one made, which is used until it stands.
            await eventually(lambda: connections("used") == used + 1)
        assert connections("used") == used
        assert connections("idle") > idle
    assert connections("idle") == idle
