"""What a message says about the person it belongs to, kept for suggestions."""

from __future__ import annotations

from collections.abc import Iterator

from identity.decide import Plan
from identity.suggest import FIELDS, blocks, profile
from sinks.postgres.suggestion_store import TraitRow


def traits(plan: Plan) -> Iterator[TraitRow]:
    """The message's name, order and details, and the blocks made of them and of the handles that it links. None of a claim
    that is attached to somebody who is there: it adds nothing to that person (I2)."""
    message = plan.message
    customer = plan.links[0].customer if plan.links else plan.customer
    if customer is None or not (plan.is_new or plan.trust not in ("none", "claimed")):
        return
    given = [(trait, message.fields[name]) for name, trait in FIELDS.items() if message.fields.get(name)]
    if message.sender.display_name:
        given.append(("name", message.sender.display_name))
    known = [link.observation.key[1:] for link in plan.links if link.customer == customer]
    found = profile([*given, *known])
    for trait, values in found.traits.items():
        if trait not in ("email", "phone"):
            yield from (TraitRow(message.workspace, trait, value, customer) for value in values)
    yield from (TraitRow(message.workspace, "block", block, customer) for block in blocks(found))
