"""The whole decision: agent or queue, deadline, and a record that the same inputs repeat byte for byte."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import msgspec

from contracts.base import encode
from contracts.resolved import Context, Order, RecentTicket
from contracts.rules import Actions, Rule
from contracts.workspace import Calendar
from router.decide import place
from router.facts import Facts, Staff
from router.ruleset import RuleSet
from tests.support.routing import NOW, WORKSPACE, Desk, chat, mail, message, resolved, rule_set, workspace


def test_a_ticket_has_a_department_an_owner_or_queue_and_a_deadline() -> None:
    plan = Desk(rule_set()).take(message(fields={"department": "returns"}, subject="Exchange"))
    ticket = plan.ticket
    assert (ticket.department, ticket.agent, ticket.queue, ticket.status) == ("returns", "ann", None, "new")
    assert ticket.deadline is not None
    assert ticket.deadline.due_at == datetime.fromisoformat("2026-11-23T09:00+01:00")
    assert (ticket.store, ticket.subject, ticket.messages) == ("a", "Exchange", 1)


def test_each_department_and_category_has_its_own_rotation() -> None:
    desk = Desk(rule_set())
    pick = [{"department": "returns"}, {"department": "support"}, {"category": "Hardware/Printers"}] * 2
    agents = [desk.take(message(str(n), fields=fields)).ticket.agent for n, fields in enumerate(pick)]
    assert agents == ["ann", "ann", "ann", "ben", "cem", "cem"]


def test_a_category_may_have_its_own_members_and_method() -> None:
    plan = Desk(rule_set()).take(message(fields={"category": "Hardware/Phones"}))
    assert (plan.ticket.agent, plan.record["assignment"]["method"]) == ("cem", "least_open")
    assert plan.record["assignment"]["load"] == {"cem": 0}


def test_all_absent_is_the_queue_and_the_record_says_who_was() -> None:
    plan = Desk(rule_set()).take(message(fields={"department": "sales"}))
    assert (plan.ticket.agent, plan.ticket.queue) == (None, "sales")
    assert plan.record["assignment"]["reason"] == "no_present_agent"
    assert plan.record["assignment"]["refused"] == {"dee": "absent"}


def test_a_rule_may_name_the_agent_unless_absent() -> None:
    def to(agent: str) -> RuleSet:
        return rule_set(Rule(id="r", name="r", actions=Actions(assign=agent)))

    assert Desk(to("ben")).take(message()).ticket.agent == "ben"
    absent = Desk(to("dee")).take(message())
    assert (absent.ticket.agent, absent.record["assignment"]["reason"]) == (None, "rule:absent_agent")


def test_the_rotation_is_recorded_before_and_after() -> None:
    plan = Desk(rule_set()).take(message(fields={"department": "returns"}))
    assert plan.record["assignment"]["rotation"] == {"before": ["ann", "ben"], "after": ["ben", "ann"]}
    assert plan.rotation == ((WORKSPACE, "returns", ""), ("ben", "ann"))


def test_a_reopened_ticket_counts_for_its_agent() -> None:
    desk = Desk(rule_set())
    plan = desk.take(mail("m1", "anna@x.example"))
    desk.set(plan, status="solved", updated_at=NOW)
    desk.staff = Staff()
    desk.take(mail("m2", "anna@x.example", "m1"))
    assert desk.staff.load == {(WORKSPACE, "ann"): 1}


def test_a_calendar_that_never_opens_leaves_no_ticket_without_a_deadline() -> None:
    rules = RuleSet(workspace(calendars=(Calendar(id="std", zone="UTC", hours={}),)), "v")
    ticket = Desk(rules).take(message(fields={"department": "returns"})).ticket
    assert ticket.deadline is not None
    assert ticket.deadline.due_at == NOW + timedelta(hours=3)


def test_the_same_inputs_give_the_same_bytes() -> None:
    inbound = message(fields={"department": "returns"}, text="printer", email="a@x.example")
    rules = rule_set(Rule(id="r", name="r", actions=Actions(priority="high", tags=("b", "a"))))
    one, two = (Desk(rules).take(inbound) for _ in range(2))
    assert encode(one.record) == encode(two.record)
    assert encode(one.ticket) == encode(two.ticket)


def test_the_record_is_small() -> None:
    plan = Desk(rule_set()).take(message(str(uuid4()), fields={"department": "returns"}))
    assert len(encode(plan.record)) < 4096


def test_a_ticket_stays_about_what_was_named_on_it() -> None:
    rules, facts, first, second = rule_set(), Facts(), chat("one"), chat("two")
    told = Order(number="1042", store="north", named=True, fulfilment="unfulfilled")
    known = msgspec.structs.replace(
        resolved(first), order_numbers=("1042",), orders=(told,), order_context="available"
    )
    opened = place(known, first, facts, rules, NOW)
    facts.after(opened)
    own = RecentTicket(ticket=opened.ticket.id, number=1)
    unknown = msgspec.structs.replace(
        resolved(second), order_numbers=("1039",), order_context="unavailable", recent_tickets=(own,)
    )
    context = place(unknown, second, facts, rules, NOW).ticket.context
    assert context == Context(
        order_numbers=("1042", "1039"), orders=(told,), order_context="unavailable", recent_tickets=()
    )
