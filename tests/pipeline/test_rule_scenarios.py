"""What the demo's rules do with real messages, on the router and its database: the stories that the product is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from contracts.inbound import InboundMessage
from contracts.rules import Actions, Condition, Rule
from contracts.workspace import Account, Workspace
from frontdesk.workspace_setup import DEMO
from sinks.config_files import load_folder
from tests.support.routed import Routed, routed
from tests.support.routing import NOW, WORKSPACE, chat, mail, message, workspace
from tests.support.system import Dsns

SOCIAL = ("messenger", "facebook_wall", "x", "instagram", "viber")


def demo(**changes: Any) -> Workspace:
    """The demo under the slug of the tests' workspace."""
    return msgspec.structs.replace(load_folder(DEMO), slug="test", **changes)


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Routed]:
    async with routed(database, demo()) as running:
        yield running


def form(name: str, text: str, **fields: str) -> InboundMessage:
    return message(name, email=f"{name}@x.example", text=text, fields=fields)


async def decided(desk: Routed, one: InboundMessage) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ticket's row and the decision record of a message that is routed now."""
    await desk.take(one)
    ticket = await desk.ticket_of(one)
    columns = "department, category, priority, agent, due_at, next_action_at, tags"
    query = f"SELECT to_json(t) FROM (SELECT {columns} FROM tickets WHERE ticket_id = %s) AS t"
    record = await desk.rows("SELECT record FROM decisions WHERE message_id = %s", one.message_id)
    return (await desk.rows(query, ticket))[0][0], record[0][0]


async def tag(desk: Routed, one: InboundMessage, tagged: str) -> None:
    """Tags the customer who sends this message."""
    customer = next(iter(await desk.batch([one]))).message.customer
    assert customer is not None
    async with desk.database.transaction([WORKSPACE]) as connection:
        query = "INSERT INTO customer_tags (workspace, customer_id, tag) VALUES (%s, %s, %s)"
        await connection.execute(query, (WORKSPACE, customer.id, tagged))


async def test_the_exchange_story_lands_in_returns_at_once(desk: Routed) -> None:
    ticket, record = await decided(desk, form("one", "the size is wrong size, I want to exchange"))
    assert (ticket["department"], ticket["category"]) == ("returns", "Returns/Exchange")
    assert record["department"]["reason"] == "rule:exchanges"


@pytest.mark.parametrize("channel", SOCIAL)
async def test_social_networks_go_to_marketing_unassigned(desk: Routed, channel: str) -> None:
    ticket, record = await decided(desk, chat("dm", channel=channel, account=channel))
    assert (ticket["department"], ticket["agent"]) == ("marketing", None)
    assert record["assignment"]["reason"] == "rule:nobody"
    other, _ = await decided(desk, mail("m@x.example", "ann@x.example", text="hello"))
    assert other["department"] == "support"


async def test_an_inactive_rule_does_nothing(database: Dsns) -> None:
    off = tuple(
        msgspec.structs.replace(rule, active=rule.id != "social-to-marketing") for rule in demo().rules
    )
    async with routed(database, demo(rules=off)) as desk:
        ticket, _ = await decided(desk, chat("dm", channel="instagram", account="instagram"))
        assert ticket["department"] == "support"


async def test_the_selector_of_a_form_is_kept_and_an_unknown_one_is_no_loss(desk: Routed) -> None:
    picked, record = await decided(desk, form("one", "my printer", department="returns"))
    assert (picked["department"], record["department"]["reason"]) == ("returns", "form.selector")
    unknown, record = await decided(desk, form("two", "hello", department="unknown"))
    assert (unknown["department"], record["department"]["reason"]) == ("general", "form.unknown_department")
    node = "Technical support/Hardware/Printers"
    chosen, _ = await decided(desk, form("three", "hello", category=node))
    assert (chosen["department"], chosen["category"]) == ("support", node)


async def test_a_keyword_of_a_mail_sets_the_category_and_is_named(desk: Routed) -> None:
    one = mail("m@x.example", "ann@x.example", subject="Drukarka nie działa", text="Proszę o pomoc")
    ticket, record = await decided(desk, one)
    assert ticket["category"] == "Technical support/Hardware/Printers"
    matched = next(entry for entry in record["rules"] if entry["rule"] == "printers")
    assert matched["words"] == ["drukarka"]


async def test_the_first_rule_wins_and_the_others_are_listed(database: Dsns) -> None:
    async with routed(database, workspace(*_FOUR)) as desk:
        one = form("one", "product-a: I want to return it", country="DE")
        await tag(desk, one, "vip")
        ticket, record = await decided(desk, one)
        assert ticket["department"] == "sales"
        assert [(entry["rule"], entry.get("lost")) for entry in record["rules"]] == [
            ("vip", None),
            ("europe", {"department": "support"}),
            ("product-a", {"department": "marketing"}),
            ("returns", {"department": "returns"}),
        ]


def _rule(name: str, department: str, **asked: Any) -> Rule:
    return Rule(id=name, name=name, groups=((Condition(**asked),),), actions=Actions(department=department))


_FOUR = (
    _rule("vip", "sales", customer_tags=("vip",)),
    _rule("europe", "support", country=("DE", "PL")),
    _rule("product-a", "marketing", keywords=("product-a",)),
    _rule("returns", "returns", keywords=("return it",)),
)


async def test_the_priority_shows_what_it_won_against(desk: Routed) -> None:
    ticket, record = await decided(desk, form("one", "urgent: I want a refund"))
    assert ticket["priority"] == "urgent"
    assert record["priority"]["candidates"][:3] == [
        {"from": "rule:urgent", "priority": "urgent"},
        {"from": "category", "priority": "high"},
        {"from": "department", "priority": "medium"},
    ]


async def test_a_customer_s_priority_goes_before_the_mailbox_s(database: Dsns) -> None:
    mailbox = Account(channel="email", id="support", department="support", priority="low")
    config = workspace(accounts=(mailbox,), customer_priorities={"vip": "high"})
    async with routed(database, config) as desk:
        one, other = (mail(f"{name}@x.example", f"{name}@x.example") for name in ("ann", "bob"))
        await tag(desk, one, "vip")
        ticket, record = await decided(desk, one)
        assert ticket["priority"] == "high"
        assert record["priority"]["candidates"][:2] == [
            {"from": "customer:vip", "priority": "high"},
            {"from": "account", "priority": "low"},
        ]
        assert (await decided(desk, other))[0]["priority"] == "low"


async def test_every_one_of_a_thousand_messages_has_a_department_and_a_next_time(desk: Routed) -> None:
    texts = ("printer", "refund please", "fatura", "hello", "pilne", "toptan", "")
    channels = (*SOCIAL, "webform", "telegram", "sms")
    given = [
        chat(f"m{n}", str(n), channel=channels[n % len(channels)], text=texts[n % len(texts)])
        for n in range(1000)
    ]
    for at in range(0, len(given), 250):
        await desk.take(*given[at : at + 250])
    query = (
        "SELECT count(*), count(DISTINCT ticket_id), count(department), count(next_action_at), min(next_action_at) "
        "FROM tickets"
    )
    total, distinct, placed, timed, earliest = (await desk.rows(query))[0]
    assert (total, distinct, placed, timed) == (1000, 1000, 1000, 1000)
    assert earliest >= NOW


async def test_a_node_that_moves_keeps_its_id_and_its_tickets(database: Dsns) -> None:
    before = demo()
    node = "Technical support/Hardware/Printers"
    named = _renamed(before, node, node)
    async with routed(database, named) as desk:
        await desk.take(form("one", "my printer"))
        moved = _renamed(named, node, "Devices/Printers")
        await desk.configure(moved)
        desk.router = desk.another()
        await desk.take(form("two", "my printer"))
        rows = await desk.rows("SELECT category, category_id FROM tickets ORDER BY number")
        assert rows == [(node, "printers"), ("Devices/Printers", "printers")]
        # One rotation, which goes on where it was.
        assert await desk.rows("SELECT category FROM rotations") == [("printers",)]


def _renamed(config: Workspace, node: str, path: str) -> Workspace:
    categories = tuple(
        msgspec.structs.replace(c, path=path, id="printers") if node == c.path else c
        for c in config.categories
    )
    rules = tuple(
        msgspec.structs.replace(rule, actions=msgspec.structs.replace(rule.actions, category=path))
        if rule.actions.category == node
        else rule
        for rule in config.rules
    )
    return msgspec.structs.replace(config, categories=categories, rules=rules)
