"""The set-based write of rows that are known beforehand: what Postgres allows when nothing has to be read or decided."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

from contracts.topics import TICKET
from runtime.arrays import ArrayDumper
from runtime.kafka import begin_offsets, end_offsets, read_range
from runtime.stage import Record
from sinks.postgres.outbox import shard_of
from tests.bench.forms import WORKSPACE
from tests.support.chain import Chain
from tests.support.system import fresh_database, migrated_template

BATCH = 500
_STORED = (
    *("customers", "handles", "identity_events", "customer_traits", "messages", "tickets", "ticket_refs"),
    *("ticket_participants", "decisions", "timers", "audit"),
)
_OUTBOX = "outbox"

# Tables whose rows a transaction sorts by their first columns, as any writer of several would.
_KEY = 2


class Column(NamedTuple):
    name: str
    type: str

    @property
    def as_text(self) -> bool:
        """Documents need not be parsed here, and `unnest` cannot carry arrays of arrays."""
        return self.type.endswith("[]") or self.type.startswith("json")


class Table(NamedTuple):
    """The rows of one table in the order of their making."""

    name: str
    columns: list[Column]
    rows: list[tuple[Any, ...]]


def measure(chain: Chain, tables: Sequence[Table], binary: bool = False) -> float:
    """Messages a second, 500 a transaction on one connection, into a fresh database: with arrays as psycopg
    sends them by itself, as text, which is what the targets were set against; or with binary ones, as this system
    sends them."""
    template = migrated_template(chain.postgres)
    with fresh_database(chain.postgres, template) as dsns, psycopg.connect(dsns.owner) as connection:
        return _write(connection, tables, binary)


def stored(connection: psycopg.Connection[Any], names: Sequence[str]) -> list[Table]:
    """All rows of these tables."""
    tables = []
    for name in names:
        columns = _columns(connection, name)
        fields = sql.SQL(", ").join(
            sql.SQL("{}::text" if column.as_text else "{}").format(sql.Identifier(column.name))
            for column in columns
        )
        query = sql.SQL("SELECT {} FROM {} ORDER BY ctid").format(fields, sql.Identifier(name))
        tables.append(Table(name, columns, connection.execute(query).fetchall()))
    return tables


def written(chain: Chain) -> list[Table]:
    """All rows that the pipeline has written."""
    with psycopg.connect(chain.settings.postgres_owner) as connection:
        tables = stored(connection, _STORED)
        events = asyncio.run(_events(chain.settings.kafka))
        columns = _columns(connection, _OUTBOX)
        rows = [tuple(row[column.name] for column in columns) for row in map(_outbox_row, events)]
        return [*tables, Table(_OUTBOX, columns, rows)]


def _columns(connection: psycopg.Connection[Any], table: str) -> list[Column]:
    """Without what the server fills in by itself."""
    found = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass "
        "AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attname <> 'xid' ORDER BY attnum",
        (table,),
    )
    return [Column(*row) for row in found]


async def _events(bootstrap: str) -> list[Record]:
    starts, ends = await begin_offsets(bootstrap, [TICKET]), await end_offsets(bootstrap, [TICKET])
    records: list[Record] = []
    for (topic, partition), start in starts.items():
        found = read_range(bootstrap, topic, partition, start, ends[topic, partition])
        records += [record async for record in found]
    return sorted(records, key=lambda record: record.timestamp_ms)


def _outbox_row(event: Record) -> dict[str, Any]:
    """The row that the relay made this event of."""
    headers = {name: value.decode() for name, value in event.headers}
    aggregate = UUID(headers["ce_subject"])
    return {
        "id": UUID(headers["ce_id"]),
        "aggregatetype": "ticket",
        "aggregateid": aggregate,
        "type": headers["ce_type"].split(".")[3],
        "payload": event.value,
        "workspace": WORKSPACE,
        "traceparent": headers.get("traceparent"),
        "shard": shard_of(aggregate),
        "created_at": datetime.fromisoformat(headers["ce_time"]),
    }


def _write(connection: psycopg.Connection[Any], tables: Sequence[Table], binary: bool) -> float:
    """The first transaction prepares the statements and is not counted."""
    messages = next(len(table.rows) for table in tables if table.name == "messages")
    batches = -(-messages // BATCH)
    statements = [_insert(table) for table in tables]
    work = [[_arrays(table, number, batches) for table in tables] for number in range(batches)]
    connection.prepare_threshold = 0
    if binary:
        connection.adapters.register_dumper(list, ArrayDumper)
    began = 0.0
    for number, batch in enumerate(work):
        if number == 1:
            began = time.monotonic()
        with connection.transaction(), connection.pipeline():
            for statement, arrays in zip(statements, batch, strict=True):
                if arrays:
                    connection.execute(statement, arrays)
    return (messages - messages // batches) / (time.monotonic() - began)


def _insert(table: Table) -> sql.Composed:
    arrays = sql.SQL(", ").join(
        sql.SQL("%s::" + ("text" if column.type.endswith("[]") else column.type) + "[]")
        for column in table.columns
    )
    names = [sql.Identifier(column.name) for column in table.columns]
    fields = [
        sql.SQL("{}::" + column.type).format(name) if column.type.endswith("[]") else name
        for column, name in zip(table.columns, names, strict=True)
    ]
    comma = sql.SQL(", ")
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS new ({})").format(
        sql.Identifier(table.name), comma.join(names), comma.join(fields), arrays, comma.join(names)
    )


def _arrays(table: Table, number: int, batches: int) -> list[list[Any]]:
    """The share of a table's rows that belongs to one of so many transactions, as one array a column."""
    at, end = (len(table.rows) * place // batches for place in (number, number + 1))
    rows = sorted(table.rows[at:end], key=lambda row: row[:_KEY])
    return [list(values) for values in zip(*rows, strict=True)]
