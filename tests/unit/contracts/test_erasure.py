"""What is left of payloads without the person."""

from __future__ import annotations

from typing import get_type_hints

import msgspec

from contracts.erasure import PERSONAL_OF_TICKETS, TEXTS_OF_TICKETS, record_without_person, without_person
from contracts.ticket import Ticket
from tests.support.routing import NOW, message


def test_every_text_of_a_ticket_is_either_personal_or_kept() -> None:
    """A new field: put it into the one of the two lists where it belongs."""
    hints = get_type_hints(Ticket)
    texts = {name for name, kind in hints.items() if "str" in str(kind) or "Literal" in str(kind)}
    assert texts | {"context"} == TEXTS_OF_TICKETS | PERSONAL_OF_TICKETS
    assert not TEXTS_OF_TICKETS & PERSONAL_OF_TICKETS


def test_of_a_message_remain_its_id_its_door_and_its_time() -> None:
    bare = without_person(
        message("one", email="ann@x.example", subject="s", fields={"city": "Lodz"}, target="t")
    )
    left = msgspec.to_builtins(bare)
    assert left.pop("provider_id") == f"erased:{bare.message_id}"
    assert left.keys() == {"message_id", "workspace", "channel", "account", "received_at", "kind", "marks"}
    assert (bare.received_at, bare.kind, bare.marks) == (NOW, "system", ("erased",))


def test_a_decision_keeps_what_was_decided() -> None:
    record = {
        "now": "then",
        "department": {"value": "sales"},
        "rules": [{"words": ["ann"]}],
        "continuity": {},
    }
    assert record_without_person(record) == {
        "now": "then",
        "department": {"value": "sales"},
        "erased": True,
    }
