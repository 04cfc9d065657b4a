"""Chromium, a shop's page on another origin, and the whole chain behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from contracts.calendars import WEEKDAYS
from contracts.workspace import Calendar, Workspace
from runtime.postgres import Database
from sinks.config_files import version
from sinks.postgres.config_store import ConfigStore
from tests.browser.line import Line, line_to
from tests.browser.shop import ORIGIN
from tests.support.chain import Chain, wait_for

ZONE = "Europe/Warsaw"


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Gateway, identity, router and desk with the demo workspace, whose forms and chats the shop's page may use."""
    processes = ("gateway", "identity", "router", "relay", "desk")
    with Chain(tmp_path_factory.mktemp("browser"), processes) as running:
        asyncio.run(_apply(running, _opened(running.prepared.workspace)))
        wait_for(lambda: _allowed(running), 30, "the gateway allows the shop's page")
        yield running


def _opened(demo: Workspace) -> Workspace:
    """Open around the clock, but for Returns, which opens at eight in three days, whenever the tests run."""
    always = dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),))
    opens = datetime.now(ZoneInfo(ZONE)) + timedelta(days=3)
    calendars = (
        Calendar(id="std", zone=ZONE, hours=always),
        Calendar(id="soon", zone=ZONE, hours={WEEKDAYS[opens.weekday()]: (("08:00", "17:00"),)}),
    )
    return msgspec.structs.replace(
        demo,
        calendars=calendars,
        departments=tuple(
            msgspec.structs.replace(d, calendar="soon" if d.id == "returns" else "std")
            for d in demo.departments
        ),
        accounts=tuple(msgspec.structs.replace(account, origins=(ORIGIN,)) for account in demo.accounts),
    )


async def _apply(chain: Chain, config: Workspace) -> None:
    async with Database(chain.settings.postgres_system, max_size=1) as database:
        await ConfigStore(database).apply(
            config, version(config), by="test", effective_from=datetime.now(UTC)
        )


def _allowed(chain: Chain) -> bool:
    url = f"{chain.gateway}/forms/contact/definition"
    answer = httpx.get(url, headers={"Origin": ORIGIN}, trust_env=False)
    return "access-control-allow-origin" in answer.headers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with async_playwright() as playwright:
        # Tests may run as root, where Chromium refuses its sandbox; /dev/shm is small in containers.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        # The shop's page stands for one on the Internet, and the gateway's address for a public one.
        arguments.append("--disable-features=LocalNetworkAccessChecks")
        opened = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def line(chain: Chain) -> AsyncIterator[Line]:
    """How the browser reaches the gateway."""
    async with line_to(chain.settings.gateway_port) as opened:
        yield opened
