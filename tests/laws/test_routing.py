"""Laws of the router: batches fold, decisions repeat, deadlines are monotone and their segments add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contracts.base import encode
from contracts.inbound import InboundMessage
from contracts.rules import Actions, Condition, Rule, TicketState
from router.decide import place, settle
from router.facts import Facts, Plan, Staff
from tests.support.routing import NOW, Desk, chat, mail, message, resolved, rule_set

RULES = rule_set(
    Rule(
        id="printer",
        name="printer",
        groups=((Condition(keywords=("printer",)),),),
        actions=Actions(category="Hardware/Printers"),
    ),
    Rule(
        id="phone",
        name="phone",
        groups=((Condition(keywords=("phone*",)),),),
        actions=Actions(category="Hardware/Phones", tags=("phone",)),
    ),
    Rule(
        id="taken",
        name="taken",
        when="customer replied",
        groups=((Condition(ticket=TicketState(agent=("ann", "cem"))),),),
        actions=Actions(priority="urgent"),
    ),
)

texts = st.sampled_from(["printer", "phones", "hello"])
people = st.sampled_from(["anna@x.example", "bob@y.example"])
departments = st.sampled_from(["", "returns", "sales", "nonsense"])


@st.composite
def conversations(draw: st.DrawFn) -> list[InboundMessage]:
    """Forms, chats and mails, where a mail may name any earlier one."""
    found: list[InboundMessage] = []
    for number in range(draw(st.integers(1, 12))):
        name, text = f"m{number}", draw(texts)
        kind = draw(st.sampled_from(["form", "chat", "mail"]))
        if kind == "form":
            found.append(message(name, text=text, fields={"department": draw(departments)}))
        elif kind == "chat":
            found.append(chat(name, draw(st.sampled_from(["1", "2"])), text=text))
        else:
            named = draw(st.lists(st.integers(0, number), max_size=2))
            references = [f"m{n}" for n in named]
            found.append(mail(name, draw(people), *references, text=text))
    return found


def batch(messages: list[InboundMessage]) -> list[Plan]:
    """As the worker does it: everything is placed first, then agents are looked for."""
    facts, before, staff = Facts(), Facts(), Staff()
    placements = []
    for inbound in messages:
        placements.append(place(resolved(inbound), inbound, facts, RULES, NOW))
        facts.after(placements[-1])
    return [settle(placement, before, staff, RULES, NOW) for placement in placements]


@given(conversations())
def test_one_batch_of_many_is_many_batches_of_one(messages: list[InboundMessage]) -> None:
    desk = Desk(RULES)
    one_by_one = [desk.take(inbound) for inbound in messages]
    together = batch(messages)
    assert [encode(plan.ticket) for plan in together] == [encode(plan.ticket) for plan in one_by_one]
    assert [encode(plan.record) for plan in together] == [encode(plan.record) for plan in one_by_one]
    assert [plan.rotation for plan in together] == [plan.rotation for plan in one_by_one]


@given(conversations())
def test_same_inputs_same_bytes(messages: list[InboundMessage]) -> None:
    assert [encode(plan.record) for plan in batch(messages)] == [
        encode(plan.record) for plan in batch(messages)
    ]


@given(conversations())
def test_every_ticket_has_one_department_and_an_agent_or_a_queue_and_a_deadline(
    messages: list[InboundMessage],
) -> None:
    for plan in batch(messages):
        assert (plan.ticket.agent is None) != (plan.ticket.queue is None)
        assert plan.ticket.department
        assert plan.ticket.deadline is not None


conditions = st.builds(
    Condition,
    keywords=st.lists(st.sampled_from(["printer", "phone*"]), max_size=2).map(tuple),
    subject=st.lists(st.sampled_from(["printer", "hello"]), max_size=1).map(tuple),
    channel=st.sampled_from([(), ("webform",)]),
    negate=st.booleans(),
)
groups = st.lists(st.lists(conditions, max_size=2).map(tuple), max_size=2).map(tuple)


@given(st.lists(groups, min_size=1, max_size=4), texts, texts)
def test_rules_left_out_for_want_of_a_keyword_would_not_have_held(
    written: list[tuple[tuple[Condition, ...], ...]], subject: str, text: str
) -> None:
    rules = rule_set(
        *(
            Rule(id=f"r{n}", name="", groups=g, actions=Actions(tags=(f"r{n}",)))
            for n, g in enumerate(written)
        )
    )
    inbound = message(subject=subject, text=text)
    expected = tuple(
        f"r{n}"
        for n, g in enumerate(written)
        if not g or any(all(_holds(c, inbound) for c in part) for part in g)
    )
    assert Desk(rules).take(inbound).ticket.tags == expected


def _holds(condition: Condition, inbound: InboundMessage) -> bool:
    """The meaning of a condition, written as plainly as possible."""

    def said(word: str, *where: str | None) -> bool:
        return any((part or "").startswith(word.rstrip("*")) for part in where)

    holds = not condition.channel or inbound.channel in condition.channel
    if condition.keywords:
        holds &= any(said(word, inbound.subject, inbound.text) for word in condition.keywords)
    if condition.subject:
        holds &= any(said(word, inbound.subject) for word in condition.subject)
    return holds != condition.negate
