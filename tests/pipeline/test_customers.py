"""People merge customers, take it back and split handles off, on a real desk: what moves, what is written, who may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import msgspec
import psycopg
import pytest

from contracts.customer import CustomerEvent
from contracts.ids import customer_id, workspace_id
from identity.audit import differences
from sinks.postgres import identity_store
from sinks.postgres.identity_rows import CustomerRow, EventRow
from tests.support.command import Command, frontdesk
from tests.support.desk import NOON, SHOP, Desk, running_desk, ticket
from tests.support.system import Dsns

WORKSPACE = workspace_id(SHOP.slug)
OTHER = workspace_id("other")
WHY = {"reason": "the customer said so on the telephone"}


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database) as desk:
        yield desk


@pytest.fixture
async def lea(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with await desk.client("lea", "lead") as client:
        yield client


async def person(desk: Desk, *handles: tuple[str, str], of: UUID = WORKSPACE) -> UUID:
    """A customer who has verified these handles, as identity writes it."""
    founder = customer_id(of, True, *handles[0])
    events = [
        EventRow(of, customer_id(of, False, *one), "linked", founder, *one, "verified", NOON, founder)
        for one in handles
    ]
    async with desk.database.transaction([of]) as connection:
        row = CustomerRow(of, founder, *handles[0], True, f"Name of {handles[0][1]}", NOON)
        await identity_store.write(connection, [row], events)
    return founder


async def ann_and_her_phone(desk: Desk) -> tuple[UUID, UUID]:
    """Two customers, with two tickets and with three."""
    ann, phone = await person(desk, ("email", "ann@x.example")), await person(desk, ("phone", "+48600100200"))
    await desk.add(*(ticket("support", customer=ann) for _ in range(2)))
    await desk.add(*(ticket("returns", customer=phone) for _ in range(3)))
    return ann, phone


async def tables(desk: Desk) -> list[Any]:
    """Who is who, without what only grows."""
    wanted = (
        "SELECT customer_id, merged_into FROM customers ORDER BY 1",
        "SELECT customer_id, kind, value, state FROM handles ORDER BY 1, 2, 3",
        "SELECT number, customer_id, version FROM tickets ORDER BY 1",
        "SELECT source, target FROM merges ORDER BY 1",
    )
    return [await desk.rows(query) for query in wanted]


async def is_what_its_history_says(desk: Desk) -> bool:
    return await differences(desk.database, WORKSPACE) == []


async def published(desk: Desk) -> list[CustomerEvent]:
    rows = await desk.rows("SELECT payload FROM outbox WHERE aggregatetype = 'customer' ORDER BY seq")
    return [msgspec.json.decode(payload, type=CustomerEvent) for (payload,) in rows]


async def test_a_merge_shows_all_tickets_and_taking_it_back_is_exact(
    desk: Desk, lea: httpx.AsyncClient
) -> None:
    ann, phone = await ann_and_her_phone(desk)
    before = await tables(desk)
    merged = await lea.post(f"/customers/{phone}/merge", json={"into": "email:Ann@x.example", **WHY})
    assert (merged.status_code, merged.json()) == (
        200,
        {"source": str(phone), "target": str(ann), "merged": True},
    )
    seen = (await lea.get("/customers/phone:+48600100200")).json()
    assert (seen["id"], len(seen["tickets"]), len(seen["handles"])) == (str(ann), 5, 2)
    assert [(one["actor"], one["reason"]) for one in seen["merges"]] == [("agent:lea", WHY["reason"])]
    assert seen["history"][0] | {"action": "merged", "actor": "agent:lea"} == seen["history"][0]
    async with desk.database.transaction([WORKSPACE]) as connection:
        (held,) = await identity_store.holders(connection, [(WORKSPACE, "phone", "+48600100200")])
    assert (held.customer, held.own) == (ann, phone), "later messages find the customer that remains"
    assert await is_what_its_history_says(desk)

    undone = await lea.post(f"/customers/{phone}/unmerge", json=WHY)
    assert len(undone.json()["tickets"]) == 3
    assert await tables(desk) == before
    assert len((await lea.get(f"/customers/{ann}")).json()["tickets"]) == 2
    assert await is_what_its_history_says(desk)
    assert [(event.customer, event.version, event.change, event.into) for event in await published(desk)] == [
        (phone, 1, "merged", ann),
        (phone, 2, "unmerged", None),
    ]
    assert {event.actor for event in await published(desk)} == {"agent:lea"}
    preview = await lea.get(f"/customers/{phone}/merge", params={"into": str(ann)})
    assert preview.json()["parted"] is True


async def test_merges_in_a_row_lead_to_the_last_at_once_and_come_apart_one_by_one(
    desk: Desk, lea: httpx.AsyncClient
) -> None:
    names = [("email", f"{name}@x.example") for name in "abcd"]
    people = [await person(desk, name) for name in names]
    before = await tables(desk)
    for one, other in pairwise(people):
        assert (await lea.post(f"/customers/{one}/merge", json={"into": str(other), **WHY})).is_success
    pointers = "SELECT DISTINCT merged_into FROM customers WHERE merged_into IS NOT NULL"
    assert await desk.rows(pointers) == [(people[-1],)], "no chain to walk"
    # From the middle: what came with it goes with it.
    assert (await lea.post(f"/customers/{people[1]}/unmerge", json=WHY)).is_success
    assert await desk.rows("SELECT customer_id, merged_into FROM customers ORDER BY founding_value") == [
        (people[0], people[1]),
        (people[1], None),
        (people[2], people[3]),
        (people[3], None),
    ]
    assert await is_what_its_history_says(desk)
    assert (await lea.post(f"/customers/{people[1]}/merge", json={"into": str(people[2]), **WHY})).is_success
    assert (await lea.get("/customers/email:a@x.example")).json()["id"] == str(people[3])
    for one in people[:-1]:
        assert (await lea.post(f"/customers/{one}/unmerge", json=WHY)).is_success
    assert await tables(desk) == before
    assert await is_what_its_history_says(desk)


async def test_what_is_refused(desk: Desk, lea: httpx.AsyncClient) -> None:
    ann, phone = await ann_and_her_phone(desk)
    before = await tables(desk)

    async def refused(named: object, into: object, reason: str = "why") -> tuple[int, str]:
        answer = await lea.post(f"/customers/{named}/merge", json={"into": str(into), "reason": reason})
        return answer.status_code, answer.json()["code"]

    assert await refused(ann, ann) == (409, "self_merge")
    assert await refused(ann, "email:ann@x.example") == (409, "self_merge")
    assert await refused(ann, "email:nobody@x.example") == (404, "unknown_customer")
    assert await refused("ann", ann) == (404, "unknown_handle")
    assert await refused(ann, phone, " ") == (422, "reason_required")
    assert (await lea.post(f"/customers/{ann}/unmerge", json=WHY)).status_code == 409
    missing = await lea.post(f"/customers/{ann}/split", json={"handle": "phone:+48600100200", **WHY})
    assert missing.status_code == 404
    assert await tables(desk) == before
    assert (await lea.post(f"/customers/{ann}/merge", json={"into": str(phone), **WHY})).is_success
    assert await refused(ann, phone) == (409, "merged_already")
    assert await refused(phone, ann) == (409, "merged_already")


async def test_an_agent_may_look_and_not_merge(desk: Desk) -> None:
    ann, phone = await ann_and_her_phone(desk)
    async with await desk.client("ben") as ben:
        seen = await ben.get(f"/customers/{ann}")
        assert (seen.status_code, seen.json()["tickets"]) == (200, []), "tickets of other departments"
        assert len((await ben.get(f"/customers/{phone}")).json()["tickets"]) == 3
        answers = [
            await ben.get(f"/customers/{ann}/merge", params={"into": str(phone)}),
            await ben.post(f"/customers/{ann}/merge", json={"into": str(phone), **WHY}),
            await ben.post(f"/customers/{ann}/unmerge", json=WHY),
            await ben.post(f"/customers/{ann}/split", json={"handle": "email:ann@x.example", **WHY}),
        ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert await desk.rows("SELECT 1 FROM merges UNION ALL SELECT 1 FROM separations") == []


async def test_two_logins_take_a_second_person(desk: Desk, lea: httpx.AsyncClient) -> None:
    one = await person(desk, ("external_id", "42"), ("email", "one@x.example"))
    two = await person(desk, ("external_id", "43"), ("email", "two@x.example"))
    preview = (await lea.get(f"/customers/{one}/merge", params={"into": str(two)})).json()
    assert (preview["second_person"], preview["requested_by"]) == (True, None)
    assert [(c["kind"], c["source"], c["target"], c["veto"]) for c in preview["conflicts"]] == [
        ("email", ["one@x.example"], ["two@x.example"], False),
        ("external_id", ["42"], ["43"], True),
    ]
    path, order = f"/customers/{one}/merge", {"into": str(two), **WHY}
    asked = await lea.post(path, json=order)
    assert (asked.status_code, asked.json()["merged"]) == (202, False)
    again = await lea.post(path, json=order)
    assert (again.status_code, again.json()["code"]) == (409, "second_person")
    assert await desk.rows("SELECT FROM merges") == []
    async with await desk.client("ann", "admin") as ann:
        confirmed = await ann.post(path, json=order)
    assert (confirmed.status_code, confirmed.json()["merged"]) == (200, True)
    ((actor, reason),) = await desk.rows("SELECT actor, reason FROM merges")
    assert actor == "agent:ann"
    assert "agent:lea" in reason
    assert await desk.rows("SELECT FROM merge_requests") == []


async def test_a_handle_that_is_split_off_makes_another_customer(desk: Desk, lea: httpx.AsyncClient) -> None:
    ann = await person(desk, ("email", "ann@x.example"), ("phone", "+48600100200"))
    await desk.add(ticket("support", customer=ann))
    split = await lea.post(f"/customers/{ann}/split", json={"handle": "email:ann@x.example", **WHY})
    new = UUID(split.json()["new"])
    assert new == customer_id(WORKSPACE, True, "email", "ann@x.example", 1)
    seen = (await lea.get("/customers/email:ann@x.example")).json()
    assert (seen["id"], len(seen["tickets"])) == (str(new), 0), "the tickets stay"
    assert (await lea.get(f"/customers/{ann}/merge", params={"into": str(new)})).json()["parted"] is True
    assert [(event.customer, event.change, event.into) for event in await published(desk)] == [
        (ann, "split", new)
    ]
    assert await is_what_its_history_says(desk)


async def test_another_workspace_s_customers_are_not_there(desk: Desk, lea: httpx.AsyncClient) -> None:
    ours = await person(desk, ("email", "ann@x.example"))
    theirs = await person(desk, ("email", "ben@x.example"), of=OTHER)
    for answer in (
        await lea.get(f"/customers/{theirs}"),
        await lea.get("/customers/email:ben@x.example"),
        await lea.post(f"/customers/{ours}/merge", json={"into": str(theirs), **WHY}),
        await lea.post(f"/customers/{theirs}/merge", json={"into": str(ours), **WHY}),
        await lea.post(f"/customers/{theirs}/unmerge", json=WHY),
        await lea.post(f"/customers/{theirs}/split", json={"handle": "email:ben@x.example", **WHY}),
    ):
        assert answer.status_code == 404
    assert await desk.rows("SELECT FROM merges") == []


async def test_merges_at_once_are_all_or_none(desk: Desk, lea: httpx.AsyncClient) -> None:
    """Everybody into everybody: whoever loses a race is told so, and no circle is made."""
    people = [await person(desk, ("email", f"{name}@x.example")) for name in "abcd"]
    pairs = [(one, other) for one in people for other in people if one != other]
    answers = await asyncio.gather(
        *(lea.post(f"/customers/{one}/merge", json={"into": str(other), **WHY}) for one, other in pairs)
    )
    assert {answer.status_code for answer in answers} <= {200, 409, 503}
    merged = sum(answer.status_code == 200 for answer in answers)
    assert await desk.rows("SELECT count(*) FROM merges") == [(merged,)]
    assert await is_what_its_history_says(desk)
    assert len(await desk.rows("SELECT FROM customers WHERE merged_into IS NULL")) == len(people) - merged


async def test_the_command_does_the_same(desk: Desk, database: Dsns) -> None:
    ann, phone = await ann_and_her_phone(desk)
    customer: Command = partial(frontdesk, "customer", postgres=database.app, workspace="shop")
    named = ("phone:+48600100200", "email:ann@x.example", "--json")
    [preview] = (await customer("merge", *named, "--preview")).rows
    assert (preview["source"]["tickets"], preview["target"]["tickets"]) == (3, 2)
    assert (await customer("merge", *named)).code == 1, "without a reason"
    [merged] = (await customer("merge", *named, "--reason", "told us", "--actor", "operator:eve")).rows
    assert merged["merged"] is True
    [shown] = (await customer("show", "phone:+48600100200", "--json")).rows
    assert (shown["id"], len(shown["tickets"])) == (str(ann), 5)
    assert shown["merges"][0]["actor"] == "operator:eve"
    assert (await customer("check")).code == 0
    [undone] = (await customer("unmerge", str(phone), "--reason", "another person", "--json")).rows
    assert (undone["id"], len(undone["tickets"])) == (str(phone), 3)
    [split] = (await customer("split", str(ann), "email:ann@x.example", "--reason", "hers", "--json")).rows
    assert split["customer"] == str(ann)
    with psycopg.connect(database.owner) as owner:
        owner.execute("UPDATE handles SET state = 'disputed' WHERE kind = 'phone'")
    broken = await customer("check")
    assert broken.code == 1
    assert "phone:+48600100200" in broken.output
