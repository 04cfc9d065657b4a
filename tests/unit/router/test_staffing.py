"""Who gets a ticket: presence, room, skills, language, affinity, overflow, orders; and that the record holds all of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from contracts.base import encode
from contracts.ticket import Ticket
from contracts.workspace import Absence, Agent, Category, Department, Overflow
from router.facts import Staff
from router.ruleset import RuleSet
from router.staffing import Found, find, needs, staff_of
from tests.support import desk
from tests.support.routing import DAY, NOW, WORKSPACE, rule_set

TODAY = Absence(first="2026-11-20", last="2026-11-20", deputy="cem")


def shop(agents: dict[str, dict[str, Any]] | None = None, **department: Any) -> RuleSet:
    """Support with ann, ben and cem, and Sales with dee and eli, who help out when they may."""
    given = agents or {}
    people = tuple(
        Agent(id=name, name=name, **given.get(name, {})) for name in ("ann", "ben", "cem", "dee", "eli")
    )
    values = {"method": "round_robin", "members": ("ann", "ben", "cem")} | department
    return rule_set(
        agents=people,
        departments=(
            Department(id="support", name="Support", calendar="std", sla="std", **values),
            Department(id="sales", name="Sales", calendar="std", sla="std", members=("dee", "eli")),
        ),
        categories=(
            Category(path="Printers", department="support", skills=("hardware",), relax_minutes=60),
            Category(path="Chats", department="support", method="least_open"),
        ),
    )


def ticket(**changes: Any) -> Ticket:
    return desk.ticket("support", slug="test", updated_at=NOW, held_since=NOW, **changes)


def staff(**facts: dict[str, Any]) -> Staff:
    """Facts by agent or department."""
    made = Staff()
    for name, values in facts.items():
        getattr(made, name).update({(WORKSPACE, key): value for key, value in values.items()})
    return made


def after(rules: RuleSet, given: Staff, asked: Ticket, wanted: str | None = None) -> Found:
    """Found, and found again from the record: the bytes are the same."""
    found = find(asked, given, rules, NOW, wanted)
    stored = encode(found.record)
    again = find(asked, staff_of(msgspec.json.decode(stored), asked), rules, NOW, wanted)
    assert encode(again.record) == stored
    return found


def test_turns_pass_over_who_is_away_off_shift_or_on_leave() -> None:
    rules = shop({"ben": {"absences": (TODAY,)}})
    found = after(rules, staff(said={"ann": "away", "cem": "present"}), ticket())
    assert found.agent == "cem"
    assert found.record["refused"] == {"ann": "away", "ben": "on_leave"}
    assert found.record["said"] == {"away": ["ann"], "present": ["cem"]}
    assert found.rotation is not None
    assert found.rotation[1] == ("ann", "ben", "cem")


def test_nobody_there_is_the_queue_with_its_reason() -> None:
    found = after(shop(), staff(said=dict.fromkeys(("ann", "ben", "cem"), "offline")), ticket())
    assert (found.agent, found.record["reason"]) == (None, "no_present_agent")


def test_capacity_counts_all_that_an_agent_holds_by_its_weight() -> None:
    rules = shop({name: {"capacity": 4, "weights": {"chat": 2}} for name in ("ann", "ben", "cem")})
    load = {"ann": 4, "ben": 3, "cem": 4}
    assert after(rules, staff(load=load), ticket()).agent == "ben"
    found = after(rules, staff(load=load), ticket(channel="chat"))
    assert (found.agent, found.record["reason"]) == (None, "no_free_agent")
    assert find(ticket(channel="chat"), staff(), rules, NOW).weight == 2


def test_least_open_goes_by_the_weighted_load() -> None:
    found = after(shop(), staff(load={"ann": 3, "ben": 2, "cem": 2}), ticket(category="Chats"))
    assert (found.agent, found.record["load"]) == ("ben", {"ann": 3, "ben": 2, "cem": 2})


def test_skills_are_asked_for_until_a_ticket_has_waited_long_enough() -> None:
    rules = shop({"cem": {"skills": ("hardware",)}})
    printer = ticket(category="Printers")
    assert after(rules, staff(), printer).agent == "cem"
    gone = staff(said={"cem": "offline"})
    assert after(rules, gone, printer).record["reason"] == "no_qualified_agent"
    waited = msgspec.structs.replace(printer, held_since=NOW - timedelta(minutes=60))
    assert after(rules, gone, waited).agent == "ann"


def test_a_language_is_for_those_who_speak_it() -> None:
    rules = shop({"ann": {"languages": ("en",)}, "ben": {"languages": ("tr", "en")}}, relax_minutes=30)
    assert after(rules, staff(), ticket(language="tr")).agent == "ben"
    # Cem names none: he knows them all; and so does everybody a text whose language is unknown.
    assert after(rules, staff(said={"ben": "away"}), ticket(language="tr")).agent == "cem"
    assert after(rules, staff(), ticket()).agent == "ann"
    late = ticket(language="tr")
    late = msgspec.structs.replace(late, held_since=NOW - timedelta(minutes=31))
    assert after(rules, staff(said={"ben": "away", "cem": "away"}), late).agent == "ann"


def test_the_last_agent_is_asked_first_and_takes_their_turn() -> None:
    rules, asked = shop(affinity_days=30), ticket()
    given = Staff()
    given.last_agents[(WORKSPACE, asked.customer, "support")] = ("cem", NOW - 2 * DAY)
    found = after(rules, given, asked)
    assert (found.agent, found.record["reason"]) == ("cem", "affinity")
    assert found.rotation is not None
    assert found.rotation[1] == ("ann", "ben", "cem")
    given.last_agents[(WORKSPACE, asked.customer, "support")] = ("cem", NOW - 31 * DAY)
    assert after(rules, given, asked).agent == "ann"


def test_the_deputy_gets_what_was_meant_for_who_is_on_leave() -> None:
    rules, asked = shop({"ben": {"absences": (TODAY,)}}, affinity_days=30), ticket()
    given = Staff()
    given.last_agents[(WORKSPACE, asked.customer, "support")] = ("ben", NOW - DAY)
    assert after(rules, given, asked).agent == "cem"
    ordered = after(rules, Staff(), asked, wanted="ben")
    assert (ordered.agent, ordered.record["reason"]) == ("cem", "rule:deputy")
    gone = after(rules, staff(said={"cem": "offline"}), asked, wanted="ben")
    assert (gone.agent, gone.record["reason"]) == (None, "rule:absent_agent")


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [(20, 4, "dee"), (19, 4, None), (20, 5, None)],
)
def test_a_department_helps_out_while_one_queue_is_long_and_its_own_is_short(
    here: int, there: int, expected: str | None
) -> None:
    rules = shop(overflow=(Overflow(to="sales", above=20, below=5),))
    given = staff(
        said=dict.fromkeys(("ann", "ben", "cem"), "offline"),
        waiting={"support": here, "sales": there},
        load={"eli": 1},
    )
    found = after(rules, given, ticket())
    assert found.agent == expected
    assert found.record["waiting"] == {"support": here, "sales": there}
    if expected:
        assert found.record["reason"] == "overflow:sales"


def test_who_helps_out_must_know_how() -> None:
    agents = {"ann": {"skills": ("hardware",)}, "eli": {"skills": ("hardware",)}}
    rules = shop(agents, overflow=(Overflow(to="sales", above=0),))
    found = after(rules, staff(said={"ann": "offline"}), ticket(category="Printers"))
    assert found.agent == "eli"


def test_what_is_not_to_be_solved_waits_for_a_name() -> None:
    rules = shop(to_solve=False)
    assert after(rules, staff(), ticket()).record["reason"] == "department:not_to_solve"
    assert after(rules, staff(), ticket(), wanted="ben").agent == "ben"


def test_a_rule_may_choose_the_method_or_nobody() -> None:
    rules = shop(method="queue")
    assert after(rules, staff(), ticket()).agent is None
    assert after(rules, staff(), ticket(), wanted="round_robin").agent == "ann"
    left = after(shop(), staff(), ticket(), wanted="nobody")
    assert (left.agent, left.held_back) == (None, True)


@pytest.mark.parametrize(
    ("make", "agents", "loads"),
    [
        (lambda: shop(method="queue"), (), ()),
        (shop, ("ann", "ben", "cem"), ()),
        (lambda: shop({"ben": {"capacity": 1}}), ("ann", "ben", "cem"), ("ben",)),
        (
            lambda: shop(overflow=(Overflow(to="sales", above=1),)),
            ("ann", "ben", "cem", "dee", "eli"),
            ("dee", "eli"),
        ),
    ],
)
def test_only_what_is_asked_for_is_locked_and_counted(
    make: Callable[[], RuleSet], agents: tuple[str, ...], loads: tuple[str, ...]
) -> None:
    asked = needs(ticket(), make())
    assert (asked.agents, asked.loads) == (agents, loads)
