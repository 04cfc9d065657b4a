"""No query reaches another workspace, under either role. Every query of every file is tried, a new one too: its parameters'
types are asked of Postgres, and filled with what names the rows of one workspace while another one asks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import ExecStatus

from contracts.ids import workspace_id
from sinks.postgres.sql import queries
from tests.support.line import stored
from tests.support.routing import WORKSPACE
from tests.support.system import Dsns
from tests.support.violet import shop_of_violet, surrounded

OTHER = workspace_id("other")
FILES = sorted(
    path.name.removesuffix(".sql") for path in files("sinks.postgres").joinpath("queries").iterdir()
)
NAMED = [(file, name) for file in FILES for name in queries(file)]
_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")
_READS = re.compile(r"(--.*\n)*SELECT")
_NOTHING = {None, b"", b"0", b"f", b"t", b"{}", b"[]"}
"""What a query may say of rows that it does not see: counts, locks, empty lists."""
_REFUSED = {"42501", "22P02", "22023", "23502", "23503", "23505", "23514", "22004", "P0001"}
"""Not allowed, or not with these values: nothing is read or written either way."""


class Asked:
    """A query with numbered parameters, prepared on a connection."""

    def __init__(self, connection: psycopg.Connection[Any], query: str) -> None:
        self._pg = connection.pgconn
        self.reads, self.refused = bool(_READS.match(query)) and "FROM" in query, False
        self.names: list[str] = []
        self._pg.prepare(b"", _PLACEHOLDER.sub(self._numbered, query).encode())
        described = self._pg.describe_prepared(b"")
        self.failed = described.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
        self.types = [] if self.failed else [described.param_type(n) for n in range(described.nparams)]

    def _numbered(self, found: re.Match[str]) -> str:
        if found[1] is None:
            return "%"
        if found[1] not in self.names:
            self.names.append(found[1])
        return f"${self.names.index(found[1]) + 1}"

    @property
    def names_workspace(self) -> bool:
        """Whether it is told which workspace to look into. Others are of tables without one, or for who sees all."""
        return any("workspace" in name for name in self.names)

    def values(self, identity: UUID, workspace: UUID) -> list[bytes | None]:
        """What names rows by this id, in this workspace."""
        return [
            _value(name, oid, identity, workspace) for name, oid in zip(self.names, self.types, strict=True)
        ]

    def rows(self, values: list[bytes | None]) -> list[list[bytes | None]]:
        """What it found. Refusals find nothing; what no query may do fails."""
        result = self._pg.exec_prepared(b"", values)
        self.refused = result.status == ExecStatus.FATAL_ERROR
        if self.refused:
            code = (result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode()
            assert code in _REFUSED, result.error_message
        said = [[result.get_value(row, at) for at in range(result.nfields)] for row in range(result.ntuples)]
        given = b" ".join(value for value in values if value)
        # What was only given back is nothing that it found.
        return [
            row for row in said if any(v not in _NOTHING and v not in given for v in row if v is not None)
        ]


_TEXTS = {
    2950: "{uuid}",
    25: "x",
    23: "1",
    20: "1",
    21: "1",
    16: "t",
    1184: "2027-01-01",
    17: "\\x78",
    114: "{{}}",
}
_ARRAYS = {2951: 2950, 1009: 25, 1007: 23, 1016: 20, 1005: 21, 1000: 16, 1185: 1184, 1001: 17, 199: 114}
_OF_TEXTS = {"kind": "email", "value": "violet@vermeulen.example", "proof": "verified", "action": "seen"}


def _value(name: str, oid: int, identity: UUID, workspace: UUID) -> bytes | None:
    """Text of a parameter: the workspace where its name says so, else what names a row."""
    if oid in _ARRAYS:
        one = _value(name, _ARRAYS[oid], identity, workspace)
        return None if one is None else b'{"' + one.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"}'
    if oid == 2950:
        return str(workspace if "workspace" in name else identity).encode()
    text = _OF_TEXTS.get(name.rstrip("s")) if oid == 25 else None
    return (text or _TEXTS[oid].format()).encode() if oid in _TEXTS else None


@pytest.fixture
async def filled(database: Dsns, tmp_path: Path) -> AsyncIterator[Dsns]:
    """Customers, tickets, messages and what is around them, in WORKSPACE alone."""
    async with shop_of_violet(database, tmp_path):
        await surrounded(database)
        yield database


def _ours(database: Dsns) -> dict[str, list[str]]:
    return {table: [row for row in rows if str(WORKSPACE) in row] for table, rows in stored(database).items()}


def _identities(database: Dsns) -> list[UUID]:
    """A customer, a ticket and a message: what an id may be of."""
    with psycopg.connect(database.owner) as owner:
        found = owner.execute(
            "SELECT customer_id, ticket_id, message_id FROM messages WHERE ticket_id IS NOT NULL LIMIT 1"
        )
        return [UUID(str(value)) for value in found.fetchone() or ()]


def _asked(connection: psycopg.Connection[Any], keeps: bool) -> Iterator[tuple[str, Asked]]:
    """Every query that the role may ask. `keeps`: what it changes is there for the next one."""
    for file, name in NAMED:
        connection.execute("SAVEPOINT before")
        asked = Asked(connection, queries(file)[name])
        if not asked.failed:
            yield f"{file}.{name}", asked
        undone = asked.failed or asked.refused or not keeps
        connection.execute(f"{'ROLLBACK TO' if undone else 'RELEASE'} before")


def _digest(connection: psycopg.Connection[Any], tables: Iterable[str]) -> Any:
    """Of our rows, as the connection's role sees them now."""
    each = (
        f"SELECT '{t}', count(*), sum(hashtext(t::text)) FROM {t} t WHERE workspace = %(ours)s"
        for t in tables
    )
    return connection.execute(" UNION ALL ".join(each), {"ours": WORKSPACE}).fetchall()


def _is_blind(asked: Asked, found: list[list[bytes | None]]) -> bool:
    """A read finds nothing at all; a write may say what it has just made, but nothing of ours."""
    texts = [b" ".join(value or b"" for value in row).lower() for row in found]
    ours = [text for text in texts if str(WORKSPACE).encode() in text or b"violet" in text]
    return not (found if asked.reads and asked.names_workspace else ours)


def test_no_query_shows_or_changes_rows_to_another_workspace_s_session(filled: Dsns) -> None:
    before, tried = _ours(filled), 0
    with psycopg.connect(filled.app) as app:
        app.execute("SELECT set_config('app.workspaces', %s, true)", [str(OTHER)])
        for identity in _identities(filled):
            for name, asked in _asked(app, keeps=True):
                values = asked.values(identity, WORKSPACE)
                assert _is_blind(asked, asked.rows(values)), name
                tried += 1
        app.commit()
    assert tried > 200
    assert _ours(filled) == before


def test_no_query_takes_another_workspace_s_id_for_ours(filled: Dsns) -> None:
    """For the role that sees all: a query that is given a workspace reads and changes nothing of any other."""
    tables, tried = [table for table, rows in _ours(filled).items() if rows and table != "workspaces"], 0
    with psycopg.connect(filled.system) as system:
        whole = _digest(system, tables)
        for identity in _identities(filled):
            for name, asked in _asked(system, keeps=False):
                if not asked.names_workspace:
                    continue
                values = asked.values(identity, OTHER)
                assert _is_blind(asked, asked.rows(values)), name
                assert asked.refused or _digest(system, tables) == whole, name
                tried += 1
    assert tried > 100


def test_the_same_queries_find_the_rows_of_their_own(filled: Dsns) -> None:
    """So that the other tests are no proof of nothing."""
    found = set()
    with psycopg.connect(filled.app) as app:
        app.execute("SELECT set_config('app.workspaces', %s, true)", [str(WORKSPACE)])
        for identity in _identities(filled):
            for name, asked in _asked(app, keeps=False):
                values = asked.values(identity, WORKSPACE)
                if asked.rows(values):
                    found.add(name)
    assert len(found) > 30, sorted(found)
