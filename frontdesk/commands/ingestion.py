"""`try` and `ingest`: what a channel makes of bytes, without and with the real pipeline."""

from __future__ import annotations

import asyncio
import mailbox
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.progress import Progress

from contracts.errors import Poison, Refused
from contracts.ids import workspace_id
from contracts.workspace import Account, Workspace
from frontdesk import cases, console
from frontdesk.checkpoint import Checkpoint
from ingest.accounts import options
from ingest.channel import Channel, Handshakes, Raw, Request, Verifies, called
from ingest.channel import channels as discover
from ingest.intake import Intake
from runtime.clock import Clock
from runtime.kafka import Producer
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.archive import archive_of
from sinks.postgres.config_store import ConfigStore, WorkspaceCache

_AT_ONCE = 200


def register(app: typer.Typer) -> None:
    app.command("try")(try_)
    app.command()(ingest)


def channel_named(name: str) -> Channel:
    """The channel, by its name or its provider's, or `Refused` with the names that exist."""
    found = called(name)
    if found is None:
        known = ", ".join(sorted(discover()))
        raise Refused("unknown_channel", f"{name!r}; known are {known}", field="channel")
    return found


def try_(
    channel: Annotated[str, typer.Argument(help="email, webform, telegram …")],
    files: Annotated[list[Path] | None, typer.Argument(exists=True)] = None,
    from_cases: Annotated[Path | None, typer.Option("--cases", exists=True, help="a cases.jsonl")] = None,
    account: Annotated[str, typer.Option(help="the account that received it")] = "try",
    json: Annotated[bool, typer.Option("--json", help="one JSON line a file or case")] = False,
) -> None:
    """What the channel would produce from these bytes. No broker, no database."""
    found = channel_named(channel)
    given: list[Iterator[cases.Case]] = [iter(cases.of_file(channel, path) for path in files or [])]
    if from_cases:
        given.append(cases.of_corpus(found, from_cases))
    for source in given:
        for case in source:
            row = _tried(found, case, account)
            if json:
                console.write_json(row)
            else:
                named = row["id"] or row["file"]
                console.output.print(f"{named}: {row['outcome']} {row.get('reason', '')}", highlight=False)


def _tried(channel: Channel, case: cases.Case, account: str) -> dict[str, Any]:
    row: dict[str, Any] = {"id": case.id, "file": case.file, "outcome": "ok", "messages": []}
    raw = Raw(
        body=case.body,
        workspace=workspace_id("demo"),
        account=account,
        received_at=datetime.now(UTC),
        content_type=case.content_type,
        headers=case.headers,
        # Groups count as wanted: what is in the bytes is to be seen.
        options={"groups": "yes", **case.options},
    )
    try:
        if len(case.body) > channel.limits.body:
            raise Refused("too_large", f"over {channel.limits.body} bytes", status=413)
        if case.secret is not None:
            _prove(channel, case, raw, case.secret, row)
        if case.challenge is None:
            result = channel.normalise(raw)
            row["messages"] = console.spelled_out(result.messages)
            row["unread"] = [{"reason": part.reason, "detail": part.detail} for part in result.unread]
    except (Poison, Refused) as error:
        row["outcome"] = "parked" if isinstance(error, Poison) else "refused"
        row["reason"] = str(error)
    return row


def _prove(channel: Channel, case: cases.Case, raw: Raw, secret: str, row: dict[str, Any]) -> None:
    """Whether the call is genuine (`genuine`), or what its challenge is answered (`reply`)."""
    row["genuine"] = False
    if case.challenge is not None and isinstance(channel, Handshakes):
        row["reply"] = channel.handshake(case.challenge, [secret], secret).body.decode()
    elif isinstance(channel, Verifies):
        channel.verify(Request("POST", "/", {}, raw.headers, raw.body, case.url, raw.received_at), [secret])
    row["genuine"] = True


def ingest(
    channel: Annotated[str, typer.Argument(help="email, webform, telegram …")],
    paths: Annotated[
        list[Path], typer.Argument(exists=True, help="files or folders: eml, mbox, maildir, JSONL")
    ],
    account: Annotated[str, typer.Option(help="the account that receives them")] = "",
    json: Annotated[bool, typer.Option("--json", help="print the counts as one JSON line")] = False,
    restart: Annotated[bool, typer.Option(help="forget how far an interrupted run came")] = False,
) -> None:
    """Sends files through the real pipeline, and goes on where an interrupted run stopped."""
    counts = asyncio.run(_ingest(channel, paths, account, restart))
    if json:
        console.write_json(counts)
    else:
        console.output.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))


async def _ingest(name: str, paths: list[Path], account: str, restart: bool) -> dict[str, int]:
    settings = console.settings()
    channel, workspace = channel_named(name), workspace_id(settings.workspaces[0])
    config, into = await _account(settings, workspace, name, account)
    checkpoint = Checkpoint(settings.data / "ingest", (name, into.id, *map(str, paths)), restart)
    producer, clock = Producer(settings.kafka), Clock(settings.clock)
    await producer.start()
    # No spool: a file is there to be sent again, and nobody would drain it.
    intake = Intake(producer, archive_of(settings), None, clock, settings.reply_secrets)
    counts = {"accepted": 0, "duplicate": 0, "parked": 0, "suppressed": 0, "refused": 0}
    bodies = [body for path in paths for body in _bodies(path)]
    try:
        with Progress(console=console.errors, transient=True) as progress:
            task = progress.add_task(f"ingest {name}", total=len(bodies), completed=checkpoint.done)
            for start in range(checkpoint.done, len(bodies), _AT_ONCE):
                chunk = [read() for read in bodies[start : start + _AT_ONCE]]
                raws = [_raw(body, config, into, clock.now()) for body in chunk]
                results = await asyncio.gather(*(_accept(intake, channel, raw) for raw in raws))
                for outcome in results:
                    counts[outcome] += 1
                checkpoint.advance(len(chunk))
                progress.advance(task, len(chunk))
        checkpoint.finish()
    finally:
        await producer.stop()
    return {outcome: count for outcome, count in counts.items() if count or outcome == "accepted"}


async def _accept(intake: Intake, channel: Channel, raw: Raw) -> str:
    try:
        return (await intake.accept(channel, raw)).outcome
    except Refused:
        return "refused"


async def _account(
    settings: Settings, workspace: UUID, channel: str, named: str
) -> tuple[Workspace, Account]:
    """The account of this name, or the first one of that channel, with its workspace. Raises `Refused` when there is none."""
    async with Database(settings.postgres, max_size=1) as database:
        cache = WorkspaceCache(ConfigStore(database), Clock(settings.clock))
        await cache.refresh([workspace])
    found = cache.get(workspace)
    accounts = [a for a in found[1].accounts if a.channel == channel] if found else []
    for account in accounts:
        if found and named in ("", account.id):
            return found[1], account
    known = ", ".join(a.id for a in accounts) or "none"
    raise Refused("unknown_account", f"no account {named!r} of {channel}; known: {known}", field="account")


def _raw(body: bytes, config: Workspace, account: Account, now: datetime) -> Raw:
    return Raw(
        body=body,
        workspace=workspace_id(config.slug),
        account=account.id,
        received_at=now,
        store=account.store,
        region=account.region,
        options=options(config, account),
    )


def _bodies(path: Path) -> Iterator[Any]:
    """Readers of each message below a path, in a stable order: nothing is read before its turn."""
    if path.is_dir() and (path / "cur").is_dir():
        for name in ("cur", "new"):
            yield from (entry.read_bytes for entry in sorted((path / name).iterdir()))
    elif path.is_dir():
        for entry in sorted(p for p in path.rglob("*") if p.is_file()):
            yield from _bodies(entry)
    elif path.suffix in (".mbox", ".mbx"):
        box = mailbox.mbox(path, create=False)
        yield from ((lambda key=key: box.get_bytes(key)) for key in box.iterkeys())
    elif path.suffix == ".jsonl":
        yield from ((lambda line=line: line) for line in path.read_bytes().splitlines() if line.strip())
    else:
        yield path.read_bytes
