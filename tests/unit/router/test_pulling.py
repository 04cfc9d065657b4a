"""Which queues an agent may pull from."""

from __future__ import annotations

from datetime import datetime, timedelta

from contracts.workspace import Agent, Category, Department, Overflow, Workspace
from router.pulling import asked, is_offered, reach, shares
from router.ruleset import RuleSet
from sinks.postgres.queue_store import Share
from tests.support.desk import ticket
from tests.support.routing import NOW, rule_set

PAIRS = [
    ("support", None),
    ("support", "Printers"),
    ("support", "Invoices"),
    ("legal", None),
    ("sales", None),
]


def shop() -> RuleSet:
    return rule_set(
        agents=(
            Agent(id="ann", name="Ann", categories=("Printers",)),
            Agent(id="ben", name="Ben", skills=("hardware",)),
            Agent(id="dee", name="Dee"),
        ),
        departments=(
            Department(
                id="support",
                name="Support",
                calendar="std",
                sla="std",
                members=("ann", "ben"),
                overflow=(Overflow(to="sales", above=2, below=2),),
            ),
            Department(id="legal", name="Legal", calendar="std", sla="std", members="all", to_solve=False),
            Department(id="sales", name="Sales", calendar="std", sla="std", members=("dee",)),
        ),
        categories=(
            Category(path="Printers", department="support", skills=("hardware",), relax_minutes=60),
            Category(path="Invoices", department="support"),
        ),
    )


def test_own_departments_categories_and_skills_and_nothing_that_is_not_to_be_solved() -> None:
    hour_ago = NOW - timedelta(hours=1)
    assert shares("ben", PAIRS, shop(), {}, NOW) == [
        Share("support", None),
        Share("support", "Printers", True, hour_ago),
        Share("support", "Invoices"),
    ]
    # Ann works on printers, but does not know how: only what has waited long enough.
    assert shares("ann", PAIRS, shop(), {}, NOW) == [
        Share("support", None),
        Share("support", "Printers", False, hour_ago),
    ]


def test_who_helps_out_pulls_while_the_queues_are_so_and_knows_how() -> None:
    rules = shop()
    assert asked("dee", rules) == ["sales", "support"]
    assert asked("ann", rules) == []
    long = {"support": 3, "sales": 1}
    helped = [Share("support", None), Share("support", "Invoices"), Share("sales", None)]
    assert shares("dee", PAIRS, rules, long, NOW) == helped
    for short in ({"support": 2, "sales": 1}, {"support": 3, "sales": 2}):
        assert shares("dee", PAIRS, rules, short, NOW) == [Share("sales", None)]


def test_nobody_pulls_outside_their_reach() -> None:
    rules, full = shop(), {"support": 9, "sales": 0}
    for agent in rules.agents:
        found = {share.department for share in shares(agent, PAIRS, rules, full, NOW)}
        assert found <= set(reach(agent, rules) or ())
    assert reach("ann", rules) == ("general", "legal", "support")
    assert reach("dee", rules) == ("general", "legal", "sales", "support")


def test_without_departments_everything_is_everybodys() -> None:
    open_plan = RuleSet(Workspace(slug="test", name="Test", agents=(Agent(id="ann", name="Ann"),)), "0")
    assert reach("ann", open_plan) is None
    assert [share.department for share in shares("ann", PAIRS, open_plan, {}, NOW)] == [d for d, _ in PAIRS]


def test_a_ticket_is_offered_to_who_knows_how_or_when_it_has_waited_long_enough() -> None:
    hour_ago = NOW - timedelta(hours=1)
    queues = [Share("support", None), Share("support", "Printers", False, hour_ago)]
    ann = Agent(id="ann", name="Ann", languages=("en",))
    rules = RuleSet(Workspace(slug="test", name="Test", agents=(ann,)), "0")

    def offered(category: str | None, since: datetime | None = None, language: str | None = None) -> bool:
        waiting = ticket("support", category=category, held_since=since, language=language)
        return is_offered(waiting, queues, "ann", rules)

    assert offered(None)
    assert offered(None, language="en")
    assert not offered(None, language="tr")
    assert not offered("Invoices")
    assert not offered("Printers")
    assert not offered("Printers", hour_ago + timedelta(minutes=1))
    assert offered("Printers", hour_ago, "tr")
