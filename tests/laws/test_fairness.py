"""A rotation is fair: among agents who are there all the time, nobody is ever more than one ticket ahead."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from contracts.workspace import Agent, Department
from router.facts import Staff
from router.staffing import find
from tests.support import desk
from tests.support.routing import NOW, WORKSPACE, rule_set

PEOPLE = ("ann", "ben", "cem", "dee", "eli")
RULES = rule_set(
    agents=tuple(Agent(id=name, name=name) for name in PEOPLE),
    departments=(Department(id="support", name="Support", calendar="std", sla="std", members=PEOPLE),),
    categories=(),
)
steps = st.lists(st.one_of(st.none(), st.sampled_from(["dee", "eli"])), max_size=80)


@given(st.permutations(PEOPLE), steps)
def test_nobody_who_stays_is_ever_more_than_one_ahead(begins: list[str], happens: list[str | None]) -> None:
    """`happens`: a ticket arrives (None), or somebody else comes or goes."""
    staff, got, there = Staff(), Counter[str](), {"dee", "eli"}
    asked = desk.ticket("support", slug="test")
    staff.rotations[(WORKSPACE, "support", "")] = tuple(begins)
    for who in happens:
        if who is not None:
            there ^= {who}
            staff.said[(WORKSPACE, who)] = "present" if who in there else "away"
            continue
        found = find(asked, staff, RULES, NOW)
        assert found.agent is not None
        assert found.rotation is not None
        staff.rotations[found.rotation[0]] = found.rotation[1]
        got[found.agent] += 1
        stayed = [got[name] for name in ("ann", "ben", "cem")]
        assert max(stayed) - min(stayed) <= 1
