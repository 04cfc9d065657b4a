"""`frontdesk dlq`: what was parked, and what to do with it."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
import typer

from contracts.errors import Refused
from frontdesk import console
from frontdesk.commands.ingestion import channel_named
from ingest.channel import Raw
from ingest.intake import Intake
from runtime.clock import Clock
from runtime.kafka import Producer
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.archive import Archive
from sinks.deadletters import DeadLetters, ParkedLetter

app = typer.Typer(
    help="Parked messages: list, show, retry, drop; and blown fuses: resume.", no_args_is_help=True
)

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="one JSON value a line")]
Id = Annotated[UUID, typer.Argument(help="as `dlq list` shows it")]


@app.command("list")
def list_(
    state: Annotated[str, typer.Option(help="waiting, retried, dropped")] = "waiting",
    stage: Annotated[str | None, typer.Option(help="ingest, identity, router, sinks")] = None,
    json: Json = False,
) -> None:
    """What waits for somebody, oldest first."""
    letters = _with(lambda store, _: store.find(state=state, stage=stage))
    if json:
        for letter in letters:
            console.write_json(_shown(letter))
        return
    headings = ("id", "stage", "reason", "detail", "occurred")
    console.write_table(
        headings, ((x.dead_letter_id, x.stage, x.reason, x.detail, x.occurred_at) for x in letters)
    )


@app.command()
def show(letter: Id, json: Json = False) -> None:
    """One dead letter with its raw bytes (base64)."""
    found = _shown(_with(lambda store, _: store.show(letter)))
    console.write_json(found) if json else console.write_indented(found)


@app.command()
def retry(letter: Id) -> None:
    """Sends it through the pipeline again, as a new record."""
    _with(lambda store, settings: _retry(store, settings, letter))
    console.output.print("sent again")


@app.command()
def drop(letter: Id) -> None:
    """Gives it up: it counts as suppressed, with your name."""
    _with(lambda store, _: store.drop(letter, getpass.getuser()))
    console.output.print("dropped")


@app.command()
def resume(stage: str, topic: str, partition: int) -> None:
    """Closes a fuse: the partition goes on within seconds."""
    closed = _with(lambda store, _: store.resume(stage, topic, partition))
    if not closed:
        raise Refused("no_fuse", f"{stage} has no open fuse on {topic} {partition}")
    console.output.print("closed")


async def _retry(store: DeadLetters, settings: Settings, letter: UUID) -> None:
    producer, archive = Producer(settings.kafka), Archive(settings.archive)
    clock = Clock(settings.clock)
    intake = Intake(producer, archive, None, clock)

    async def take_in(parked: ParkedLetter) -> None:
        if parked.workspace is None or parked.channel is None or parked.account is None:
            raise Refused("not_retriable", "it does not say which account received it")
        body = await archive.get(parked.raw_ref) if parked.raw_ref else parked.raw
        raw = Raw(body=body, workspace=parked.workspace, account=parked.account, received_at=clock.now())
        await intake.accept(channel_named(parked.channel), raw)

    try:
        await store.retry(letter, getpass.getuser(), producer, take_in)
    finally:
        await producer.stop()


def _with(work: Callable[[DeadLetters, Settings], Awaitable[T]]) -> T:
    async def run() -> T:
        settings = console.settings()
        async with Database(settings.postgres_system, max_size=1) as database:
            return await work(DeadLetters(database), settings)

    return asyncio.run(run())


def _shown(letter: ParkedLetter) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(letter._asdict())
    return found
