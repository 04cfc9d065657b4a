"""A process with one guard removed: `python -m tests.faults.mutant NAME run PROCESS`. Its test must go red."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

MUTANTS: dict[str, Callable[[], None]] = {}


def mutant(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def register(remove: Callable[[], None]) -> Callable[[], None]:
        MUTANTS[name] = remove
        return remove

    return register


@mutant("offset_before_work")
def offset_before_work() -> None:
    """Moves the offset before the batch is processed: what a crash interrupts is lost."""
    from runtime.hosts.aiokafka import AiokafkaHost, TopicPartition

    fetch = AiokafkaHost._fetch

    async def fetch_and_commit(self: Any, consumer: Any, *arguments: Any) -> Any:
        records = await fetch(self, consumer, *arguments)
        for record in records:
            self._done[TopicPartition(record.topic, record.partition)] = record.offset + 1
        await self._commit(consumer)
        return records

    AiokafkaHost._fetch = fetch_and_commit  # type: ignore[method-assign]


@mutant("delete_before_publishing")
def delete_before_publishing() -> None:
    """Deletes outbox rows before Kafka has them: a crash leaves holes in the public topic."""
    from runtime import failpoints
    from sinks import relay
    from sinks.postgres.outbox import Outbox

    unpublished = Outbox.unpublished

    async def take(self: Any) -> Any:
        rows = await unpublished(self)
        await self.published(rows)
        if rows:
            failpoints.failpoint("relay.after_produce")
        return rows

    Outbox.unpublished = take  # type: ignore[method-assign]
    assert relay.Outbox is Outbox


@mutant("answer_before_storing")
def answer_before_storing() -> None:
    """Tells the sender that a form is safe although Kafka and the spool have not got it."""
    from ingest.intake import Intake

    async def pretend(self: Any, *_: Any) -> bool:
        return False

    Intake._deliver = pretend  # type: ignore[method-assign]


def main() -> None:
    name = sys.argv.pop(1)
    MUTANTS[name]()
    from frontdesk.cli import main as frontdesk

    frontdesk()


if __name__ == "__main__":
    main()
