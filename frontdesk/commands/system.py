"""`up`, `run`, `migrate`, `topics`."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from contracts.errors import Refused
from contracts.topics import TOPICS
from frontdesk import console
from frontdesk.processes import PROCESSES
from runtime.kafka import ensure_topics
from runtime.settings import load


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(run)
    app.command()(migrate)
    app.command()(topics)


def up() -> None:
    """The whole system in one terminal: embedded broker and Postgres, a demo workspace, every process."""
    from frontdesk import up as supervisor

    supervisor.run(load(), console.errors if not sys.stdout.isatty() else console.output)


def run(name: Annotated[str, typer.Argument(help=", ".join(PROCESSES))]) -> None:
    """One process, for production. Settings come from the environment (deploy/config/example.env)."""
    from runtime.process import run_process

    if name not in PROCESSES:
        raise Refused("unknown_process", f"{name!r}; known are {', '.join(PROCESSES)}")
    settings = load()
    run_process(name, settings, PROCESSES[name].build(settings))


def migrate() -> None:
    """Applies the migrations and creates the topics that are missing."""
    from sinks.postgres.migrate import migrate as apply_migrations

    settings = console.settings()
    for step in apply_migrations(settings.postgres_owner):
        console.output.print(f"applied {step}")
    console.output.print("the schema is up to date")
    least = 1 if settings.allow_less_replication else settings.replication
    insync = 1 if settings.allow_less_replication else settings.min_insync
    asyncio.run(
        ensure_topics(settings.kafka, partitions=settings.partitions, replication=least, min_insync=insync)
    )
    console.output.print("every topic is there")


def topics(json: Annotated[bool, typer.Option("--json", help="one a line")] = False) -> None:
    """Every topic: payload, key, retention, who writes and who reads."""
    rows = [
        (t.name, t.payload.__name__, t.key, f"{t.retention_days} d", t.written_by, t.read_by) for t in TOPICS
    ]
    headings = ("topic", "payload", "key", "retention", "written_by", "read_by")
    if json:
        for row in rows:
            console.write_json(dict(zip(headings, row, strict=True)))
        return
    console.write_table(headings, rows)
