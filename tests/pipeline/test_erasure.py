"""A customer is erased: nothing of the person is in any table, others are untouched, and neither a replay nor a second
import brings anything back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from contracts.base import encode
from contracts.customer import CustomerEvent
from contracts.errors import Refused, Transient
from contracts.ids import customer_id
from contracts.inbound import Handle
from contracts.ticket import TicketEvent
from desk.customers import Customers
from identity.audit import differences
from identity.tombstones import Tombstones
from runtime.clock import Clock
from runtime.postgres import Database
from runtime.settings import Settings
from runtime.stage import Done, Drop
from sinks.archive import FolderArchive
from sinks.audit import verify_audit
from tests.support.line import line_of, stored
from tests.support.routing import NOW, WORKSPACE, message
from tests.support.system import Dsns
from tests.support.violet import (
    KEY,
    MAIL,
    NAMED,
    NEEDLES,
    PHONE,
    TOMBSTONES,
    Shop,
    found_in,
    others,
    shop_of_violet,
    shows,
    surrounded,
    victims,
)

WHY = "asked for it"


@pytest.fixture
async def shop(database: Dsns, tmp_path: Path) -> AsyncIterator[Shop]:
    async with shop_of_violet(database, tmp_path) as shop:
        yield shop


async def test_nothing_of_the_person_is_left_and_others_are_untouched(database: Dsns, shop: Shop) -> None:
    await surrounded(database)
    before = stored(database)
    assert {needle for needles in found_in(before).values() for needle in needles} == set(NEEDLES)
    erased = await shop.customers.erasure.erase(WORKSPACE, "agent:lea", NAMED, WHY)
    after = stored(database)
    assert found_in(after) == {}
    assert erased.messages == len(victims())
    ben = [row for rows in before.values() for row in rows if "ben@other.example" in row]
    assert ben
    assert set(ben) <= {row for rows in after.values() for row in rows}
    async with Database(database.app, max_size=1) as app:
        assert await differences(app, WORKSPACE) == []
    async with Database(database.system, max_size=1) as system:
        assert await verify_audit(Settings(postgres_system=database.system, audit_key=KEY), system) == []
    with pytest.raises(Refused, match="erased"):
        await shop.customers.erasure.erase(WORKSPACE, "agent:lea", str(erased.customers[0]), WHY)


async def test_a_replay_and_a_second_import_bring_nothing_back(database: Dsns, shop: Shop) -> None:
    await shop.customers.erasure.erase(WORKSPACE, "agent:lea", NAMED, WHY)
    before = stored(database)
    passed_on = len(shop.line.resolved)
    assert {type(outcome) for outcome in await shop.line.replay()} == {Drop}
    assert stored(database) == before
    # The router reads its own topic again too, which still has what was on it.
    await shop.line.take(*victims())
    after = stored(database)
    assert found_in(after) == {}
    assert len(after["duplicates"]) == len(victims())
    values = b"".join(record.value or b"" for record in shop.line.resolved[passed_on:])
    assert not [needle for needle in NEEDLES if needle.encode() in values]


async def test_what_was_on_its_way_is_kept_for_the_books_alone(database: Dsns, shop: Shop) -> None:
    """Accepted before the erasure, and stored after: by identity it is bared, or by the router if identity had it already."""
    late = message("late-needle", sender=shows(MAIL), subject="Subject Needle", text="my parcel never came")
    halfway = message(
        "halfway-needle", sender=shows(MAIL), subject="Subject Needle", text="my parcel never came"
    )
    (record,) = shop.line.inbound[-1:]
    resolved = await shop.line.resolve([replace(record, offset=1000, value=encode(halfway))], [halfway])
    await shop.customers.erasure.erase(WORKSPACE, "agent:lea", NAMED, WHY)
    tickets = len(stored(database)["tickets"])
    assert await shop.line.route(resolved) == [Done()]
    assert await shop.line.take(late) == [Done()]
    after = stored(database)
    assert found_in(after) == {}
    assert len(after["tickets"]) == tickets
    assert len(after["messages"]) == len(victims()) + len(others()) + 2


async def test_who_writes_again_is_somebody_new_each_time(database: Dsns, shop: Shop) -> None:
    later, found = NOW + timedelta(days=2), []
    async with Database(database.app, max_size=1) as app:
        for turn in range(3):
            at = later + timedelta(days=turn)
            if turn:
                await Customers(app, Clock(at), TOMBSTONES, FolderArchive(Path("unused"))).erasure.erase(
                    WORKSPACE, "agent:lea", NAMED, WHY
                )
                assert found_in(stored(database), ["violet"]) == {}
            await shop.line.take(
                message(f"again-{turn}", sender=shows(MAIL), received_at=at + timedelta(hours=1))
            )
            found.append((await shop.customers.detail(WORKSPACE, NAMED)).id)
        assert found[1:] == [customer_id(WORKSPACE, True, "email", MAIL[1], turn) for turn in (1, 2)]
        split = await shop.customers.split(WORKSPACE, "agent:lea", str(found[-1]), NAMED, WHY)
        assert split.new not in found
        assert await differences(app, WORKSPACE) == []


async def test_a_handle_that_somebody_else_has_too_stays_theirs(database: Dsns, shop: Shop) -> None:
    """The number was in dispute: its other holder goes on, also with what was accepted before the erasure."""
    login = ("external_id", "77", "authoritative")
    await shop.line.take(
        message("theirs-1", handles=(Handle(kind=login[0], value=login[1], proof="authoritative"),)),
        message("theirs-2", sender=shows(login, PHONE), received_at=NOW + timedelta(days=200)),
    )
    await shop.customers.erasure.erase(WORKSPACE, "agent:lea", NAMED, WHY)
    theirs = await shop.customers.detail(WORKSPACE, "external_id:77")
    assert [(one.kind, one.state) for one in theirs.handles if one.kind == "phone"] == [("phone", "disputed")]
    await shop.line.take(
        message("theirs-3", handles=(Handle(kind="phone", value=PHONE[1], proof="verified"),))
    )
    assert "theirs-3" in "".join(stored(database)["messages"])


async def test_another_key_is_refused_before_it_forgets_anybody(database: Dsns, shop: Shop) -> None:
    await shop.customers.erasure.erase(WORKSPACE, "agent:lea", NAMED, WHY)
    async with line_of(database, Tombstones(b"another")) as other:
        with pytest.raises(Transient, match="FRONTDESK_ERASURE_KEY"):
            await other.take(*victims())


async def test_events_tell_other_services_to_forget(database: Dsns, shop: Shop) -> None:
    erased = await shop.customers.erasure.erase(WORKSPACE, "agent:lea", NAMED, WHY)
    async with Database(database.system, max_size=1) as system:
        rows = await system.fetch([], "SELECT aggregatetype, payload FROM outbox ORDER BY seq")
    told = [msgspec.json.decode(payload, type=CustomerEvent) for kind, payload in rows if kind == "customer"]
    assert {event.customer for event in told if event.change == "erased"} == set(erased.customers)
    versions: dict[UUID, list[int]] = {}
    newest: dict[UUID, TicketEvent] = {}
    for kind, payload in rows:
        if kind == "ticket":
            event = newest[event.ticket_id] = msgspec.json.decode(payload, type=TicketEvent)
            versions.setdefault(event.ticket_id, []).append(event.version)
    assert all(seen == list(range(1, len(seen) + 1)) for seen in versions.values()), "no gap"
    ended = [event for event in newest.values() if event.change == "erased"]
    assert len(ended) == erased.tickets
    assert {event.ticket.subject for event in ended} == {None}
