"""Decisions made again: the same bytes by the same rules, and what other rules would make of them."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.inbound import InboundMessage
from contracts.rules import Actions, Condition, Rule, Template, TicketState
from contracts.workspace import MailSender, Workspace
from frontdesk.commands.replaying import Comparison, back_test
from router import prioritise
from router.ruleset import RuleSet
from sinks.config_files import export_folder, version
from sinks.postgres.decision_history import DecisionHistory
from tests.support.command import frontdesk
from tests.support.routed import Routed, routed
from tests.support.routing import DAY, NOW, WORKSPACE, chat, mail, message, workspace
from tests.support.system import Dsns

COUNT = 10_000
SIZE = 50
WORDS = ("printer", "zwrot", "refund", "hello", "now", "drukarka")


def keyword(name: str, *words: str, when: str = "ticket created", **actions: Any) -> Rule:
    return Rule(
        id=name, name=name, when=when, groups=((Condition(keywords=words),),), actions=Actions(**actions)
    )


def configured(*more: Rule) -> Workspace:
    again = Condition(ticket=TicketState(department=("returns",), assigned=True), keywords=("now",))
    return workspace(
        *more,
        keyword("printers", "printer", "drukark*", category="Hardware/Printers"),
        keyword("returns", "zwrot*", "refund", category="Exchange"),
        keyword("hello", "hello", when="message received", auto_reply="hello", tags=("greets",)),
        Rule(
            id="now",
            name="Now",
            when="customer replied",
            groups=((again,),),
            actions=Actions(priority="high"),
        ),
        sender=MailSender(name="Shop", address="support@shop.example"),
        templates=(Template(id="hello", text="Hello"),),
    )


def messages(count: int) -> list[InboundMessage]:
    """Forms that open tickets, chats that go on, mails that are answered."""
    made = []
    for number in range(count):
        text = " ".join(WORDS[number % (place + 2) + place] for place in range(3))
        kind, at = number % 3, {"received_at": NOW + timedelta(seconds=number), "text": text}
        if kind == 0:
            made.append(chat(f"chat{number}", str(number % 40), **at))
        elif kind == 1:
            made.append(mail(f"mail{number}", f"p{number % 25}@x.example", **at))
        else:
            made.append(message(f"form{number}", email=f"f{number}@x.example", **at))
    return made


async def route(desk: Routed, given: list[InboundMessage], workers: int) -> None:
    """By so many routers at once, each with a share of the customers, as partitions give them."""
    shares: list[list[InboundMessage]] = [[] for _ in range(workers)]
    for one in given:
        shares[hash(one.sender.handles[0].value) % workers].append(one)
    await asyncio.gather(*(_work(desk, share) for share in shares))


async def _work(desk: Routed, share: list[InboundMessage]) -> None:
    router = desk.another()
    for at in range(0, len(share), SIZE):
        await router.run(await desk.batch(share[at : at + SIZE]))


async def compared(desk: Routed) -> Comparison:
    found = Comparison(history := DecisionHistory(desk.database, WORKSPACE))
    async for page in history.between(NOW - DAY, NOW + DAY):
        await found.add(page)
    return found


async def test_decisions_by_any_number_of_workers_come_out_again_byte_for_byte(
    database: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = messages(COUNT)
    async with routed(database, configured()) as desk:
        await route(desk, given[: COUNT // 2], workers=1)
        await route(desk, given[COUNT // 2 :], workers=4)
        same = await compared(desk)
        assert (same.same, len(same.different)) == (COUNT, 0)
        joined = await desk.rows(
            "SELECT count(*) FROM decisions WHERE record->'continuity'->>'ticket' IS NOT NULL"
        )
        assert 0 < joined[0][0] < COUNT
        # A decision that depends on anything but its inputs is found out.
        dice, fair = itertools.cycle((False, True, False)), prioritise.prioritise

        def planted(*given: Any) -> Any:
            priority, candidates = fair(*given)
            return ("low" if next(dice) else priority), candidates

        monkeypatch.setattr(prioritise, "prioritise", planted)
        other = await compared(desk)
        assert len(other.different) > COUNT // 10
        assert other.same + len(other.different) == COUNT


async def test_a_back_test_tells_what_would_change_and_stores_nothing(database: Dsns) -> None:
    before = configured()
    after = configured(
        keyword("urgent", "refund", priority="urgent"), keyword("sales", "printer", department="sales")
    )
    async with routed(database, before) as desk:
        one, two, three = (
            message("one", email="a@x.example", text="refund"),
            message("two", email="b@x.example", text="printer"),
            message("three", email="c@x.example", text="else"),
        )
        await desk.take(one, two, three)
        rows = await desk.rows("SELECT count(*) FROM audit")
        # Urgent is half an hour, and nobody has answered for one: medium has three.
        later = NOW + timedelta(hours=1)
        report = await back_test(desk.database, WORKSPACE, RuleSet(after, version(after)), 1, later)
        assert (report.decisions, report.changed) == (3, 2)
        assert dict(report.moves) == {"support -> sales": 1}
        assert (report.breaches_before, report.breaches_after) == (0, 1)
        changed = {example.message: example for example in report.examples}
        assert changed[str(one.message_id)].changed["priority"] == ("medium", "urgent")
        assert changed[str(one.message_id)].rules == ("urgent", "returns")
        assert await desk.rows("SELECT count(*) FROM audit") == rows
        same = await back_test(desk.database, WORKSPACE, RuleSet(before, version(before)), 1, later)
        assert (same.decisions, same.changed, same.share) == (3, 0, 0.0)


async def test_a_configuration_that_would_change_much_is_applied_only_when_accepted(
    database: Dsns, tmp_path: Path
) -> None:
    before, after = configured(), configured(Rule(id="all", name="all", actions=Actions(priority="low")))
    export_folder(after, tmp_path)
    at = NOW + timedelta(hours=1)
    given = {"postgres": database.app, "workspace": "test", "clock": at.isoformat()}
    async with routed(database, before) as desk:
        await desk.take(*messages(30))
        refused = await frontdesk("config", "apply", str(tmp_path), **given)
        assert refused.code == 1
        assert "--accept" in refused.errors
        tried = await frontdesk("backtest", str(tmp_path), "--json", **given)
        assert (tried.code, tried.rows[0]["breaches"]["delta"]) == (1, 0)
        assert tried.rows[0]["by_target"]["priority"] > 10
        accepted = await frontdesk("config", "apply", str(tmp_path), "--accept", **given)
        assert accepted.code == 0
        in_force = await desk.config.current([WORKSPACE], at)
        assert in_force[WORKSPACE][0] == version(after)
        replayed = await frontdesk("replay", "--since", (NOW - DAY).strftime("%Y-%m-%d"), "--json", **given)
        assert (replayed.code, replayed.rows) == (0, [{"different": 0, "same": 30}])


async def test_people_give_customers_tags_and_take_them_away(database: Dsns) -> None:
    given = {"postgres": database.app, "workspace": "test"}
    async with routed(database, configured()) as desk:
        await desk.take(message("one", email="a@x.example"))
        customer = str((await desk.rows("SELECT customer_id FROM customers"))[0][0])
        assert (
            await frontdesk("customer", "tag", customer, "vip", "press", **given)
        ).output == "press, vip\n"
        left = await frontdesk("customer", "tag", customer, "press", "--remove", "--json", **given)
        assert left.rows == [["vip"]]
        unknown = await frontdesk("customer", "tag", "email:nobody@x.example", "vip", **given)
        assert unknown.code == 1


async def test_versions_come_into_force_when_they_are_to_and_an_older_one_can_be_applied_again(
    database: Dsns,
) -> None:
    first, second = configured(), configured(Rule(id="x", name="x", actions=Actions(tags=("x",))))
    async with routed(database, first) as desk:
        monday = NOW + timedelta(days=3)
        await desk.config.apply(second, version(second), "ann", monday)

        async def in_force(at: Any) -> str:
            return (await desk.config.current([WORKSPACE], at))[WORKSPACE][0]

        assert await in_force(NOW) == await in_force(monday - timedelta(seconds=1)) == version(first)
        assert await in_force(monday) == version(second)
        await desk.config.apply(first, version(first), "ben", monday + timedelta(hours=1))
        assert await in_force(monday + timedelta(hours=2)) == version(first)


async def test_a_running_router_takes_a_new_version_up_between_two_batches(database: Dsns) -> None:
    first, second = configured(), configured(Rule(id="x", name="x", actions=Actions(tags=("x",))))
    async with routed(database, first) as desk:
        numbers = itertools.count()

        async def versions() -> set[str]:
            """Which version decided the messages of one more batch."""
            batch = [message(f"form{next(numbers)}", email="a@x.example") for _ in range(5)]
            await desk.take(*batch)
            query = "SELECT DISTINCT rule_set FROM decisions WHERE message_id = ANY(%s)"
            return {row[0] for row in await desk.rows(query, [one.message_id for one in batch])}

        assert await versions() == {version(first)}
        await desk.config.apply(second, version(second), "ann", NOW)

        async with asyncio.timeout(60):
            while (used := await versions()) == {version(first)}:
                await asyncio.sleep(0.1)
        assert used == {version(second)}
