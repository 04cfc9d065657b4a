"""No query of identity reaches another workspace: each one, asked for the rows of one workspace by a session of another,
finds nothing and changes nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from contracts.base import encode
from contracts.ids import workspace_id
from contracts.outbound import OutboundMessage
from contracts.topics import INBOUND
from identity.worker import Identity
from runtime.clock import Clock
from runtime.hosts.memory import MemoryProducer
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Record
from sinks.postgres import order_store, proof_store
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from sinks.postgres.delivery_store import DeliveryStore
from sinks.postgres.order_store import OrderRow
from sinks.postgres.proof_store import NewCode
from sinks.postgres.sql import queries
from tests.support.identity import shown
from tests.support.routing import NOW, WORKSPACE
from tests.support.system import Dsns

OTHER = workspace_id("other")
FILES = (
    *("identity", "identity_merges", "identity_history", "identity_withdrawal", "customers", "suggestions"),
    *("context", "orders", "proofs", "deliveries"),
)
NAMED = [(file, name) for file in FILES for name in queries(file)]
TABLES = (
    *("customers", "handles", "identity_events", "merges", "separations"),
    *("merge_requests", "customer_traits", "orders", "proof_codes", "deliveries"),
)


_READS = re.compile(r"(--.*\n)*SELECT")


async def _filled(database: Dsns) -> UUID:
    """Two customers and a merge in WORKSPACE; the source's id."""
    chat, mail = ("telegram_user", "701", "channel"), ("email", "ann@x.example", "verified")
    messages = [shown("chat", chat), shown("mail", mail), shown("both", chat, mail)]
    async with Database(database.app, max_size=1) as app:
        stage = Identity(app, MemoryProducer(), WorkspaceCache(ConfigStore(app), Clock(NOW)))
        for offset, one in enumerate(messages):
            await stage.run(Batch([Delivery(Record(INBOUND.name, 0, offset, b"k", encode(one)), one)]))
        ((source,),) = await app.fetch([WORKSPACE], "SELECT source FROM merges")
        async with app.transaction([WORKSPACE]) as connection:
            at = datetime(2026, 11, 20, tzinfo=UTC)
            order = OrderRow(*(WORKSPACE, "a", "1042", None, None, *[None] * 5), at, at)
            await order_store.put(connection, [order])
            code = NewCode(WORKSPACE, source, source, "701", "1", "1", "test", at, at.replace(year=2028))
            await proof_store.add(connection, code)
        await DeliveryStore(app).add([_mail(source)])
    return UUID(str(source))


def _mail(named: UUID) -> OutboundMessage:
    return OutboundMessage(
        outbound_id=named,
        workspace=WORKSPACE,
        ticket_id=None,
        channel="email",
        account="",
        recipient="ann@x.example",
        text="",
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def _parameters(query: str, source: UUID, workspace: UUID = WORKSPACE) -> dict[str, Any]:
    """What names the rows of WORKSPACE, for whatever placeholders the query has: arrays of one, or single values."""
    found: dict[str, Any] = {}
    for name, cast in re.findall(r"%\((\w+)\)s(?:::(\w+(?:\[\])?))?", query):
        value = _value(name, cast.removesuffix("[]"), source, workspace)
        found.setdefault(name, [value] if cast.endswith("[]") else value)
    return found


_TIMES = ("now", "before", "until", "due", "asked_at", "expires_at")
_WORDS = ("store", "asked_by", "reply")
_TEXTS = {
    "state": "sent",
    "store": "a",
    "number": "1042",
    "kind": "telegram_user",
    "value": "701",
    "action": "seen",
    "proof": "channel",
    "evidence": "webform/contact",
}


def _value(name: str, cast: str, source: UUID, workspace: UUID) -> Any:
    if name.rstrip("s").endswith("workspace"):
        return workspace
    if cast == "timestamptz" or name in ("at", "created", "since") or name in _TIMES:
        return datetime(2027, 1, 1, tzinfo=UTC)
    if cast in ("int", "bigint") or name in ("attempts", "lock_class"):
        return 0
    if name in ("most", "limit"):
        return 1
    if name in ("code", "token"):
        return b"x"
    if cast in ("boolean", "bool") or name in ("automatic", "unsure"):
        return True
    if cast == "json":
        return "{}"
    is_text = (
        cast == "text"
        or name in ("kind", "value", "actor", "reason", "evidence")
        or name in _WORDS
        or name == "state"
    )
    return _TEXTS.get(name.rstrip("s"), "x") if is_text else source


async def _rows(app: Database) -> list[Any]:
    found = []
    for table in TABLES:
        found.append(await app.fetch([WORKSPACE], f"SELECT {table}::text FROM {table} ORDER BY 1"))
    return found


async def test_every_query_stays_in_its_workspace(database: Dsns) -> None:
    source = await _filled(database)
    async with Database(database.app, max_size=1) as app:
        before = await _rows(app)
        for file, name in NAMED:
            query = queries(file)[name]
            try:
                async with app.transaction([OTHER]) as connection:
                    cursor = await connection.execute(query, _parameters(query, source))
                    rows = await cursor.fetchall() if cursor.description else []
            except psycopg.errors.InsufficientPrivilege:
                continue
            assert [row for row in rows if any(value not in (None, 0, "") for value in row)] == [], (
                file,
                name,
            )
            assert cursor.description or cursor.rowcount == 0, (file, name)
        assert await _rows(app) == before


async def test_every_query_compares_the_workspace_too(database: Dsns) -> None:
    """For who sees all of them: with another workspace's id, no row of this one is found or changed."""
    source = await _filled(database)
    with psycopg.connect(database.system) as system:

        def ours() -> list[Any]:
            query = "SELECT to_jsonb({0}) FROM {0} WHERE workspace = %s ORDER BY to_jsonb({0})::text"
            return [system.execute(query.format(table), [WORKSPACE]).fetchall() for table in TABLES]

        before = ours()
        for file, name in NAMED:
            query = queries(file)[name]
            try:
                cursor = system.execute(query, _parameters(query, source, OTHER))
            except psycopg.IntegrityError:
                system.rollback()
                continue
            rows = cursor.fetchall() if cursor.description else []
            if _READS.match(query):
                assert not [row for row in rows if any(value not in (None, 0, "") for value in row)], (
                    file,
                    name,
                )
            assert ours() == before, (file, name)
            system.rollback()


async def test_the_same_queries_find_the_rows_of_their_own(database: Dsns) -> None:
    """So that the other test is no proof of nothing."""
    source = await _filled(database)
    found = set()
    async with Database(database.app, max_size=1) as app:
        for file, name in NAMED:
            query = queries(file)[name]
            if not _READS.match(query):
                continue
            async with app.transaction([WORKSPACE]) as connection:
                cursor = await connection.execute(query, _parameters(query, source))
                if cursor.description and await cursor.fetchall():
                    found.add(name)
    assert found >= {"holders", "lock", "links", "merges", "history", "customer", "handles", "events", "link"}
    assert "asked" in found


@pytest.mark.parametrize("table", TABLES)
async def test_a_row_of_another_workspace_cannot_be_written(database: Dsns, table: str) -> None:
    await _filled(database)
    async with Database(database.app, max_size=1) as app:
        copy = f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s::jsonb)"
        overriding = copy.replace(f"INTO {table}", f"INTO {table} OVERRIDING SYSTEM VALUE")
        row = psycopg.types.json.Jsonb({"workspace": str(WORKSPACE)})
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with app.transaction([OTHER]) as connection:
                await connection.execute(overriding, [row])
