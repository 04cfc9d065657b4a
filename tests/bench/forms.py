"""Contact forms of 1.5 kB: 70 % from people who wrote before, half with a phone number. The same seed, the same forms."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

import msgspec

from contracts import ids
from contracts.ids import workspace_id

WORKSPACE = workspace_id("demo")
ACCOUNT = "contact"

_BYTES = 1500
_KNOWN = 0.7
_TEXT = (
    "the parcel that came on Monday had another colour than the picture in your shop and I would like to know what "
    "can be done about it before the weekend because it was meant as a present for somebody who leaves then"
)
_OPENINGS = (
    "My printer is broken.",
    "Wrong size, I want to exchange it.",
    "Please send me the invoice.",
    "Hello.",
)


@dataclass(frozen=True)
class Form:
    """One submission; `key` is its Idempotency-Key."""

    key: str
    body: bytes

    @cached_property
    def message(self) -> UUID:
        """The id under which it is stored."""
        return ids.message_id(WORKSPACE, "webform", ACCOUNT, self.key)


class People:
    """Makes forms. `tag` keeps the keys and addresses of several instances apart."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._random = random.Random(tag)
        self._known: list[int] = []
        self._people = 0
        self._forms = 0

    def newcomers(self, count: int) -> list[Form]:
        """First messages of as many people, who are known from then on."""
        forms = [self._form(self._somebody_new()) for _ in range(count)]
        self._known = list(range(self._people))
        return forms

    def mixed(self, count: int) -> list[Form]:
        """70 % from people who are known, each of the rest from somebody new."""
        return [self._form(self._somebody()) for _ in range(count)]

    def _somebody(self) -> int:
        return self._random.choice(self._known) if self._random.random() < _KNOWN else self._somebody_new()

    def _somebody_new(self) -> int:
        self._people += 1
        return self._people - 1

    def _form(self, person: int) -> Form:
        self._forms += 1
        form = {
            "name": f"Person {person}",
            "email": f"{self._tag}.{person}@example.com",
            "department": self._random.choice(("returns", "support", "")),
            "subject": f"Order {self._random.randrange(10**6)}",
            "message": self._random.choice(_OPENINGS),
        }
        if person % 2:
            form["phone"] = f"+48 600 {person // 1000 % 1000:03} {person % 1000:03}"
        missing = _BYTES - len(msgspec.json.encode(form))
        text = " ".join(self._random.choices(_TEXT.split(), k=missing // 3))
        form["message"] += " " + text[: missing - 1]
        return Form(f"{self._tag}-{self._forms}", msgspec.json.encode(form))
