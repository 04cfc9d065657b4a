"""`frontdesk dlq`: what was parked, and what to do with it."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
import typer

from contracts.errors import Refused
from frontdesk import console
from frontdesk.commands.ingestion import channel_named
from ingest.channel import RELEASED, Raw
from ingest.intake import Intake
from runtime.clock import Clock
from runtime.kafka import Producer
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.archive import archive_of
from sinks.deadletters import DeadLetters, ParkedLetter

app = typer.Typer(
    help="Parked messages: list, show, retry, drop; and blown fuses: resume.", no_args_is_help=True
)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="dlq")


T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="one JSON value a line")]
Id = Annotated[UUID, typer.Argument(help="as `dlq list` shows it")]
Ids = Annotated[list[UUID], typer.Argument(help="as `dlq list` shows them")]
State = Literal["waiting", "retried", "dropped"]
StageName = Literal["ingest", "identity", "router", "sinks"]


@app.command("list")
def list_(
    state: Annotated[State, typer.Option(help="what was done with it")] = "waiting",
    stage: Annotated[StageName | None, typer.Option(help="where it failed")] = None,
    reason: Annotated[str | None, typer.Option(help="why, as the list shows it")] = None,
    limit: Annotated[int, typer.Option(min=1, help="most to list")] = 1000,
    json: Json = False,
) -> None:
    """What waits for somebody, oldest first."""
    letters = _with(lambda store, _: store.find(state=state, stage=stage, reason=reason, limit=limit))
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
def retry(letters: Ids) -> None:
    """Sends them through the pipeline again, as new records. Stops at the first that cannot be sent."""
    _with(lambda store, settings: _retry(store, settings, letters))
    console.output.print(f"sent again: {len(letters)}")


@app.command()
def drop(letters: Ids) -> None:
    """Gives them up: they count as suppressed, with your name. Stops at the first that does not wait any more."""
    _with(lambda store, _: _drop(store, letters))
    console.output.print(f"dropped: {len(letters)}")


@app.command()
def resume(stage: StageName, topic: str, partition: int) -> None:
    """Closes a fuse: the partition goes on within seconds."""
    closed = _with(lambda store, _: store.resume(stage, topic, partition))
    if not closed:
        raise Refused("no_fuse", f"{stage} has no open fuse on {topic} {partition}")
    console.output.print("closed")


async def _drop(store: DeadLetters, letters: Sequence[UUID]) -> None:
    for letter in letters:
        await store.drop(letter, getpass.getuser())


async def _retry(store: DeadLetters, settings: Settings, letters: Sequence[UUID]) -> None:
    producer, archive = Producer(settings.kafka), archive_of(settings)
    clock = Clock(settings.clock)
    intake = Intake(producer, archive, None, clock, settings.reply_secrets)

    async def take_in(parked: ParkedLetter) -> None:
        if parked.workspace is None or parked.channel is None or parked.account is None:
            raise Refused("not_retriable", "it does not say which account received it")
        body = await archive.get(parked.raw_ref) if parked.raw_ref else parked.raw
        headers = msgspec.json.decode(parked.headers, type=dict[str, str])
        raw = Raw(
            body=body,
            workspace=parked.workspace,
            account=parked.account,
            received_at=clock.now(),
            content_type=headers.get("content-type", ""),
            headers=headers,
            options={RELEASED: "yes"},
        )
        if (await intake.accept(channel_named(parked.channel), raw)).outcome == "parked":
            raise Refused("parked_again", f"{parked.dead_letter_id}: it still cannot be read, and waits on")

    try:
        for letter in letters:
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
