"""Servers as the pipeline's tests need them: topics that exist, a database of its own for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runtime.kafka import ensure_topics
from tests.support.door import BOT, CONFIG, HOOKS, PUBLIC, Door, running
from tests.support.dovecot import Dovecot
from tests.support.dovecot import running as dovecot_running
from tests.support.mailbox import Reading
from tests.support.shop import configure, settings
from tests.support.system import Broker, Dsns, Server, fresh_database, migrated_template
from tests.support.topics import Since


@pytest.fixture(scope="session")
def broker(kafka: Broker) -> Broker:
    """The session's broker with all topics. What earlier tests produced is still on them."""
    asyncio.run(ensure_topics(kafka.bootstrap, partitions=4, replication=1, min_insync=1))
    return kafka


@pytest.fixture(scope="session")
def template(postgres: Server) -> str:
    return migrated_template(postgres)


@pytest.fixture
def database(postgres: Server, template: str) -> Iterator[Dsns]:
    """A migrated, empty database: DSNs of the owner, the application and the system role."""
    with fresh_database(postgres, template) as dsns:
        yield dsns


@pytest.fixture
async def door(broker: Broker, database: Dsns, tmp_path: Path) -> AsyncIterator[Door]:
    """A gateway with an account of every channel that is called, each opened by its secret."""
    await configure(database, CONFIG)
    chosen = settings(broker, database, tmp_path, bots=(BOT,), hooks=HOOKS, public_url=PUBLIC)
    async with running(chosen) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[Dovecot]:
    """An IMAP server with empty mailboxes."""
    with dovecot_running() as dovecot:
        yield dovecot


@pytest.fixture
async def since(broker: Broker, database: Dsns) -> Since:
    """What comes onto the door's topics from now on, of the configured shop."""
    await configure(database)
    return await Since.now(broker.bootstrap)


@pytest.fixture
def reading(broker: Broker, database: Dsns, server: Dovecot, tmp_path: Path) -> Reading:
    """A mail process that reads the server's mailbox, for the length of a block."""
    return Reading(broker, database, server.port, tmp_path)
