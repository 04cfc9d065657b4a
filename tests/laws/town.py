"""A made-up population with its ground truth: families on one device, telephone numbers that changed hands, mailboxes of
several people, and attackers who type, forge and quote. The same seed gives the same messages."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from contracts.inbound import Handle, Sender
from identity.decide import ClaimPolicy
from tests.laws.population import Individual, Population, Sent, Shown
from tests.support.routing import NOW, message

FIRST = (
    "Ana Boris Carla Dimitar Elena Filip Gergana Hristo Irina Jan Kalina Lukas Maria Nikola Olga "
    "Petar Raya Stefan Tanya Viktor Agnieszka Bartosz Chiara Dorota Emil Franz Greta Hugo Ines "
    "Jonas Katya Lena Milan Nora Oskar Paula Rosa Simon Teodora Ulrich Vera Walter Xenia Yana Zoran "
    "Adela Bruno Celia Dario Edith "
)
"""First names, with spaces between them; likewise the three parts of surnames."""
SURNAMES = (
    "iv pet dim geor niko stoy tod ang kol mar vas hris ili dob kost zhel pav rad sim tsvet",
    "an ar en er in ir on or un ur",
    "ov ev sky ski mann son sen etti ek ic",
)
HOSTS = ("gmail.com", "mail.example", "post.example", "web.example", "correo.example")
_YEAR = timedelta(days=365)


def population(size: int, messages: int, seed: int = 7) -> Population:
    """So many people, of whom one in twenty attacks others, and about so many messages of two years, in their order."""
    made = _Maker(random.Random(seed), size)
    made.people_of_the_town()
    made.first_messages()
    made.recycle_numbers()
    made.share_mailboxes()
    while len(made.sent) < messages:
        made.some_message()
    made.sent.sort(key=lambda sent: (sent.message.received_at, sent.message.message_id))
    return Population(made.people, made.sent, made.owners)


class _Maker:
    def __init__(self, chance: random.Random, size: int) -> None:
        self.chance, self.size = chance, size
        self.people: list[Individual] = []
        self.sent: list[Sent] = []
        self.owners: dict[Shown, set[int]] = {}
        self._number = 0
        self._locals: set[str] = set()

    def people_of_the_town(self) -> None:
        while len(self.people) < self.size:
            family = self.chance.choices((1, 2, 3, 4), (80, 10, 6, 4))[0]
            surname, device = self._surname(), f"device-{len(self.people)}"
            for _ in range(family):
                self.people.append(self._individual(surname, device if self.chance.random() < 0.5 else None))

    def _individual(self, surname: str, device: str | None) -> Individual:
        number, chance = len(self.people), self.chance
        one = Individual(
            number, f"{chance.choice(FIRST.split())} {surname}", device=device, order=f"{100000 + number}"
        )
        one.emails = [f"{self._local(one.name.lower())}@{chance.choice(HOSTS)}"]
        if chance.random() < 0.8:
            one.phone = f"+35988{number:07d}"
        if chance.random() < 0.3:
            one.login = str(900000 + number)
        kinds = chance.sample(
            ("telegram_user", "viber_user", "igsid", "psid"), chance.choices((0, 1, 2), (50, 35, 15))[0]
        )
        one.accounts = [(kind, f"{kind[:2]}{number}") for kind in kinds]
        for key in self.known(one):
            self.owners.setdefault(key, set()).add(number)
        if device:
            self.owners.setdefault(("visitor", device), set()).add(number)
        return one

    def _local(self, name: str) -> str:
        """Each address is one of its own, and few look like a namesake's."""
        first, last = name.split()
        year = str(self.chance.randrange(1950, 2010))
        local = self.chance.choice(
            (f"{first}.{last}", f"{last}{year}", f"{first[0]}{last}", f"{last}.{first}{year[2:]}")
        )
        while local in self._locals:
            local += str(self.chance.randrange(10, 100))
        self._locals.add(local)
        return local

    def known(self, one: Individual) -> Iterator[Shown]:
        yield from (("email", email) for email in one.emails)
        yield from one.accounts
        if one.phone:
            yield ("phone", one.phone)
        if one.login:
            yield ("external_id", one.login)

    def first_messages(self) -> None:
        """Everybody writes once, and then shows, one after the other, what else is theirs, through the account of it."""
        for one in self.people:
            at = self._moment(NOW - 2 * _YEAR, NOW - _YEAR)
            self._mail(one, at)
            for kind, value in one.accounts:
                at += timedelta(days=self.chance.uniform(0.1, 20))
                self._say(one, at, [(kind, value, "channel")])
                if self.chance.random() < 0.7:
                    own = one.phone if one.phone and self.chance.random() < 0.5 else None
                    contact = ("phone", own, "verified") if own else ("email", one.emails[0], "verified")
                    self._say(one, at + timedelta(days=2), [(kind, value, "channel"), contact])
            if one.login:
                self._chat(one, at + timedelta(days=3))

    def recycle_numbers(self) -> None:
        """A number that was silent for long comes back with somebody else's new account."""
        for one in self.people:
            if one.phone and self.chance.random() < 0.03:
                heir = self.chance.choice(self.people)
                if heir is one:
                    continue
                account = ("viber_user", f"new{one.number}")
                self.owners[account] = {heir.number}
                self.owners["phone", one.phone].add(heir.number)
                early = self._moment(NOW - 2 * _YEAR, NOW - 1.9 * _YEAR)
                self._say(
                    one, early, [("phone", one.phone, "verified"), ("email", one.emails[0], "verified")]
                )
                self._say(
                    heir, NOW + timedelta(days=1), [(*account, "channel"), ("phone", one.phone, "verified")]
                )
                one.phone = None

    def share_mailboxes(self) -> None:
        """Colleagues and couples use one address, each with a login of their own or by a role."""
        logins = [one for one in self.people if one.login]
        for place in range(0, len(logins) - 2, 25):
            pair = logins[place : place + 2]
            box = f"office{place}@firm.example" if place % 50 else f"info@firm{place}.example"
            self.owners[("email", box)] = {one.number for one in pair}
            for one in pair:
                at = self._moment(NOW - _YEAR, NOW)
                self._say(
                    one, at, [("external_id", str(one.login), "authoritative"), ("email", box, "verified")]
                )

    def some_message(self) -> None:
        one = self.chance.choice(self.people)
        at = self._moment(NOW - _YEAR, NOW)
        if self.chance.random() < 0.05:
            self._attack(one, self.chance.choice(self.people), at)
            return
        kind = self.chance.choices(
            ("mail", "account", "chat", "form", "typo", "whatsapp"), (30, 20, 12, 25, 3, 10)
        )[0]
        if kind == "account" and one.accounts:
            self._say(one, at, [(*self.chance.choice(one.accounts), "channel")], fields=self._details(one))
        elif kind == "chat":
            self._chat(one, at)
        elif kind == "form":
            self._form(one, one.emails[0], at)
        elif kind == "typo":
            self._form(one, self._mistyped(one.emails[0]), at)
        elif kind == "whatsapp" and one.phone:
            self._say(one, at, [("phone", one.phone, "verified")], fields=self._details(one))
        else:
            self._mail(one, at)

    def _attack(self, one: Individual, victim: Individual, at: datetime) -> None:
        """Types the victim's address, forges a mail, or writes from an own account under the victim's name."""
        email = victim.emails[0]
        how = self.chance.randrange(4)
        if how == 0:
            self._add(one, at, [("email", email, "claimed")], honest=False)
        elif how == 1:
            self._add(
                one, at, [("email", email, "claimed")], honest=False, authentication="fail", channel="email"
            )
        elif how == 2:
            account = ("telegram_user", f"evil{one.number}")
            self.owners.setdefault(account, set()).add(one.number)
            self._add(one, at, [(*account, "channel"), ("email", email, "claimed")], honest=False)
        else:
            self._add(
                one,
                at,
                [("email", email, "mentioned"), ("phone", victim.phone or "1", "claimed")],
                honest=False,
            )

    def _mail(self, one: Individual, at: datetime) -> None:
        self._say(one, at, [("email", one.emails[0], "verified")], channel="email", account="support")

    def _chat(self, one: Individual, at: datetime) -> None:
        shown: list[tuple[str, str, Any]] = []
        if one.device:
            shown.append(("visitor", one.device, "channel"))
        if one.login:
            shown += [("external_id", one.login, "authoritative"), ("email", one.emails[0], "verified")]
        self._say(one, at, shown or [("email", one.emails[0], "claimed")])

    def _form(self, one: Individual, email: str, at: datetime) -> None:
        self._say(one, at, [("email", email, "claimed")], fields=self._details(one))

    def _details(self, one: Individual) -> dict[str, str]:
        """What people are asked for, as far as they answer."""
        return {"order_number": one.order} if self.chance.random() < 0.5 else {}

    def _say(self, one: Individual, at: datetime, shown: list[tuple[str, str, Any]], **given: Any) -> None:
        self._add(one, at, shown, True, **given)

    def _add(
        self,
        one: Individual,
        at: datetime,
        shown: list[tuple[str, str, Any]],
        honest: bool = True,
        **given: Any,
    ) -> None:
        self._number += 1
        handles = tuple(Handle(kind=kind, value=value, proof=proof) for kind, value, proof in shown)  # type: ignore[arg-type]
        name = one.name if self.chance.random() < 0.9 else one.name.split()[0]
        sender = Sender(handles=handles, display_name=name, authentication=given.pop("authentication", None))
        made = message(f"p{self._number}", sender=sender, received_at=at, **given)
        policy: ClaimPolicy = "separate" if self.chance.random() < 0.2 else "attach"
        self.sent.append(Sent(made, policy, one.number, honest))

    def _mistyped(self, email: str) -> str:
        """Two neighbours swapped, a letter left out, or the dots of Gmail."""
        local, _, host = email.partition("@")
        if host == "gmail.com" and self.chance.random() < 0.4:
            return f"{local.replace('.', '')}@{host}"
        at = self.chance.randrange(1, len(local) - 1)
        if self.chance.random() < 0.5:
            return f"{local[:at]}{local[at + 1 :]}@{host}"
        return f"{local[: at - 1]}{local[at]}{local[at - 1]}{local[at + 1 :]}@{host}"

    def _surname(self) -> str:
        return "".join(self.chance.choice(parts.split()) for parts in SURNAMES).capitalize()

    def _moment(self, start: datetime, end: datetime) -> datetime:
        return start + (end - start) * self.chance.random()
