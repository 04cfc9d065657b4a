"""What happens to chats besides messages, put on the topic for reports: started, picked up, ended, missed.

Postgres knows what has happened; here it is told, at least once, under ids that do not change.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from contracts.base import encode
from ingest.channel import Raw, channels
from ingest.channels.chat import Event as What
from ingest.channels.chat import Session as Event
from ingest.intake import Intake
from runtime.clock import Clock
from runtime.kafka import Producer
from runtime.postgres import Database
from sinks.periodic import Periodic
from sinks.postgres import chat_sessions
from sinks.postgres.chat_sessions import Session

_SECONDS = 2.0
SILENCE = timedelta(minutes=30)
"""After so long without a word a session is over."""


class ChatSessions(Periodic):
    """Runs once in an installation. `database`: as the system role; the producer is its own."""

    def __init__(self, database: Database, intake: Intake, producer: Producer, clock: Clock) -> None:
        super().__init__(_SECONDS)
        self._database = database
        self._intake = intake
        self._producer = producer
        self._clock = clock

    async def run(self) -> None:
        async with self._database:
            try:
                await super().run()
            finally:
                await self._producer.stop()

    async def tick(self) -> None:
        now = self._clock.now()
        await chat_sessions.end_silent(self._database, now - SILENCE, now)
        told = []
        for session in await chat_sessions.untold(self._database):
            events = [event for event in happened(session) if event.what not in session.told]
            for event in events:
                await self._intake.accept(channels()["chat"], self._raw(session, event))
            told.append((session, [event.what for event in events]))
        if told:
            await chat_sessions.mark_told(self._database, told)

    def _raw(self, session: Session, event: Event) -> Raw:
        return Raw(
            body=encode(event),
            workspace=session.chat.workspace,
            account=session.chat.account,
            received_at=self._clock.now(),
            content_type="application/json",
            store=session.store,
        )


def happened(session: Session) -> list[Event]:
    """All events of a session so far, in order. One that ends before anybody has answered was missed."""
    visitor, _, epoch = session.chat.conversation.rpartition(".")
    tell = partial(Event, visitor=visitor, epoch=int(epoch), opening=session.opening)
    found = [tell(what="started", at=session.started_at)]
    if session.picked_up_at:
        found.append(tell(what="picked_up", at=session.picked_up_at, agent=session.agent))
    if session.ended_at:
        last: What = "ended" if session.picked_up_at else "missed"
        found.append(tell(what=last, at=session.ended_at, agent=session.agent, by=session.ended_by))
    return found
