"""Who belongs where: the department's list and the agent's own as one answer."""

from __future__ import annotations

from contracts.membership import Membership
from contracts.workspace import Agent, Category, Department, Workspace

SHOP = Workspace(
    slug="shop",
    name="Shop",
    departments=(
        Department(id="support", name="Support", calendar="std", sla="std", members=("cem", "ann", "old")),
        Department(id="everybody", name="Everybody", calendar="std", sla="std", members="all"),
    ),
    categories=(
        Category(path="Hardware/Printers", department="support"),
        Category(path="Invoices", department="support", members=("ann", "ben")),
        Category(path="Software", department="support"),
    ),
    agents=(
        Agent(id="ann", name="Ann"),
        Agent(id="ben", name="Ben"),
        Agent(id="cem", name="Cem", categories=("Hardware",)),
        Agent(id="dee", name="Dee", departments=("support",)),
        Agent(id="old", name="Old", active=False),
    ),
)
KNOWN = Membership(SHOP)


def test_listed_members_come_first_and_those_who_name_the_department_after_them() -> None:
    assert KNOWN.members("support") == ("cem", "ann", "dee")
    assert KNOWN.members("nowhere") == ()


def test_all_is_every_active_agent() -> None:
    assert KNOWN.members("everybody") == ("ann", "ben", "cem", "dee")


def test_a_category_is_for_its_members_and_for_those_who_chose_it() -> None:
    assert KNOWN.members("support", "Hardware/Printers") == ("cem", "ann", "dee")
    assert KNOWN.members("support", "Software") == ("ann", "dee")
    # Ben is listed, but belongs to another department.
    assert KNOWN.members("support", "Invoices") == ("ann",)
    assert KNOWN.members("support", "of another department") == KNOWN.members("support")


def test_departments_of_an_agent_with_the_implied_one() -> None:
    assert KNOWN.departments("ann") == ("support", "everybody", "general")
    assert KNOWN.departments("old") == ()
