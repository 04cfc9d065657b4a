"""The examples of the trust model, by their numbers: what a stranger can reach by typing, forging and quoting, and what a
proof gives. Those that need a part which is not there yet are skipped with its name."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from contracts.inbound import InboundMessage
from identity.aliases import suggestion_key
from identity.decide import ClaimPolicy, Link
from ingest.channel import Raw
from ingest.channels.email import CHANNEL
from tests.support.identity import Registry, shown
from tests.support.routing import DAY, NOW, WORKSPACE, Desk, mail, rule_set


class Step(NamedTuple):
    message: InboundMessage
    policy: ClaimPolicy = "attach"


class Result(NamedTuple):
    """Of the last step. `of`: the number of the step whose customer it is; its own number: a new one. `links` are kinds and
    proofs that are written (disputes: `disputed` for who proved it, `contested` for who held it), `suggests` the numbers of
    the steps whose customers are shown, with the reason. `merges`: whose customer is now the same."""

    of: int
    trust: str
    links: tuple[tuple[str, str], ...] = ()
    suggests: tuple[tuple[int, str], ...] = ()
    merges: int | None = None


VICTIM = ("email", "victim@x.example", "verified")
CLAIM = ("email", "victim@x.example", "claimed")
TELEGRAM = ("telegram_user", "777", "channel")
LOGIN, OTHER_LOGIN = ("external_id", "42", "authoritative"), ("external_id", "43", "authoritative")
TABLET = ("visitor", "v-1", "channel")
VIBER, NEW_VIBER = ("viber_user", "old", "channel"), ("viber_user", "new", "channel")
WHATSAPP = ("phone", "+359881234560", "verified")


def received(name: str, *results: str) -> InboundMessage:
    """A mail of the victim's address as the channel transcribes it, with these Authentication-Results, top to bottom."""
    headers = [f"Authentication-Results: {result}" for result in results]
    lines = [
        *headers,
        "From: victim@x.example",
        "To: support@shop.example",
        f"Message-ID: <{name}@x>",
        "",
        "hi",
    ]
    raw = Raw("\r\n".join(lines).encode(), WORKSPACE, "support", NOW, options={"authserv": "mx.ours.example"})
    return CHANNEL.normalise(raw).messages[0]


PASS = "mx.ours.example; dmarc=pass header.from=x.example"
FAIL = "mx.ours.example; dmarc=fail header.from=x.example"
KNOWN = Step(shown("known", VICTIM))

EXAMPLES: dict[str, tuple[list[Step], Result]] = {
    "1: a form claims a known address": (
        [KNOWN, Step(shown("form", CLAIM))],
        Result(0, "claimed"),
    ),
    "1b: the same, where claims stay apart": (
        [KNOWN, Step(shown("form", CLAIM), "separate")],
        Result(1, "claimed", (("email", "claimed"),), ((0, "claimed_handle"),)),
    ),
    "2: then the holder writes": (
        [KNOWN, Step(shown("form", CLAIM), "separate"), Step(received("two", PASS))],
        Result(0, "verified"),
    ),
    "4: a signed login with a verified address": (
        [KNOWN, Step(shown("chat", ("external_id", "42", "authoritative"), VICTIM))],
        Result(0, "authoritative", (("external_id", "authoritative"),)),
    ),
    "4: when the login is known already": (
        [KNOWN, Step(shown("chat", LOGIN)), Step(shown("again", LOGIN, VICTIM))],
        Result(0, "authoritative", merges=1),
    ),
    "4: a signed login of somebody who has another login": (
        [Step(shown("chat", LOGIN, VICTIM)), Step(shown("other", OTHER_LOGIN, VICTIM))],
        Result(
            1,
            "authoritative",
            (("external_id", "authoritative"), ("email", "disputed"), ("email", "contested")),
            ((0, "different_logins"),),
        ),
    ),
    "4: and two logins that are known": (
        [
            Step(shown("a", LOGIN, VICTIM)),
            Step(shown("b", OTHER_LOGIN)),
            Step(shown("c", OTHER_LOGIN, VICTIM)),
        ],
        Result(
            1, "authoritative", (("email", "disputed"), ("email", "contested")), ((0, "different_logins"),)
        ),
    ),
    "4: then a mail of the address that two logins have": (
        [
            Step(shown("a", LOGIN, VICTIM)),
            Step(shown("b", OTHER_LOGIN, VICTIM, received_at=NOW + DAY)),
            Step(received("c", PASS)),
        ],
        Result(0, "claimed"),
    ),
    "5: a signed login with an unverified address": (
        [KNOWN, Step(shown("chat", ("external_id", "42", "authoritative"), CLAIM))],
        Result(1, "authoritative", (("external_id", "authoritative"), ("email", "claimed"))),
    ),
    "7: a forged mail": (
        [KNOWN, Step(received("forged", FAIL))],
        Result(1, "none"),
    ),
    "8: a forged mail that brings its own result": (
        [KNOWN, Step(received("forged", FAIL, PASS))],
        Result(1, "none"),
    ),
    "8: a result of a server that is not ours": (
        [KNOWN, Step(received("forged", "mx.evil.example; dmarc=pass header.from=x.example"))],
        Result(0, "claimed"),
    ),
    "10: somebody's own contact card": (
        [Step(shown("whatsapp", WHATSAPP)), Step(shown("card", TELEGRAM, WHATSAPP))],
        Result(0, "verified", (("telegram_user", "channel"),)),
    ),
    "10: when the sender of the card is known already": (
        [
            Step(shown("whatsapp", WHATSAPP)),
            Step(shown("hello", TELEGRAM)),
            Step(shown("card", TELEGRAM, WHATSAPP)),
        ],
        Result(0, "verified", merges=1),
    ),
    "11: the contact card of somebody else": (
        [Step(shown("whatsapp", WHATSAPP)), Step(shown("card", TELEGRAM, (*WHATSAPP[:2], "mentioned")))],
        Result(1, "channel", (("telegram_user", "channel"),)),
    ),
    "12: two people on one tablet": (
        [Step(shown("a", LOGIN, TABLET)), Step(shown("b", OTHER_LOGIN, TABLET))],
        Result(
            1,
            "authoritative",
            (("external_id", "authoritative"), ("visitor", "disputed"), ("visitor", "contested")),
            ((0, "different_logins"),),
        ),
    ),
    "13: a mailbox of many": (
        [
            Step(mail("one", "office@firm.example", proof="verified")),
            Step(mail("two", "office@firm.example")),
        ],
        Result(1, "none"),
    ),
    "13: after the sixth person": (
        [
            *(Step(shown(f"login-{n}", ("external_id", f"4{n}", "authoritative"), VICTIM)) for n in range(6)),
            Step(received("seventh", PASS)),
        ],
        Result(6, "none"),
    ),
    "14: a number that changed hands": (
        [
            Step(shown("before", VIBER, WHATSAPP)),
            Step(shown("after", NEW_VIBER, WHATSAPP, received_at=NOW + 200 * DAY)),
        ],
        Result(
            1,
            "channel",
            (("viber_user", "channel"), ("phone", "disputed"), ("phone", "contested")),
            ((0, "changed_hands"),),
        ),
    ),
    "14: a number that comes with another account in time": (
        [
            Step(shown("before", VIBER, WHATSAPP)),
            Step(shown("after", NEW_VIBER, WHATSAPP, received_at=NOW + 100 * DAY)),
        ],
        Result(0, "verified", (("viber_user", "channel"),)),
    ),
    "15: two spellings of Gmail": (
        [
            Step(mail("one", "j.ivanov@gmail.com", proof="verified")),
            Step(mail("two", "jivanov@gmail.com", proof="verified")),
        ],
        Result(1, "verified", (("email", "verified"),)),
    ),
    "17: an address claimed before its owner comes": (
        [Step(shown("form", CLAIM)), Step(received("owner", PASS))],
        Result(1, "verified", (("email", "verified"),), ((0, "claimed_before"),)),
    ),
    "17: and claimed again after": (
        [Step(shown("form", CLAIM)), Step(received("owner", PASS)), Step(shown("again", CLAIM))],
        Result(1, "claimed"),
    ),
}

# Of the doors, of what comes back by mail, and of people; 15's key and 9's ticket are below.
ELSEWHERE = {
    "3": "tests/pipeline/test_proofs.py",
    "6": "tests/unit/ingest/test_chat_users.py",
    "16": "tests/pipeline/test_evidence.py",
    "18": "tests/pipeline/test_customers.py",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    steps, wanted = EXAMPLES[name]
    registry = Registry()
    plans = [registry.take(step.message, step.policy) for step in steps]
    customers, last = [plan.customer for plan in plans], plans[-1]
    found = Result(
        customers.index(last.customer),
        last.trust,
        tuple((link.observation.key[1], _written(link)) for link in last.links if link.action != "seen"),
        tuple((customers.index(s.customer), s.reason) for s in last.suggestions),
        customers.index(last.merge.source) if last.merge else None,
    )
    assert found == wanted
    assert last.is_new == (wanted.of == len(steps) - 1)


def test_example_9_a_quoted_ticket_opens_no_door() -> None:
    desk = Desk(rule_set())
    victim = desk.take(mail("m1", "victim@x.example", proof="verified"))
    attack = desk.take(mail("m2", "eve@evil.example", "m1", proof="verified"))
    assert attack.ticket.id != victim.ticket.id
    assert attack.ticket.refers_to == victim.ticket.id


def test_example_15_the_two_spellings_have_one_key() -> None:
    assert suggestion_key("j.ivanov@gmail.com") == suggestion_key("jivanov@gmail.com")


def _written(link: Link) -> str:
    return link.action if link.action in ("disputed", "contested") else link.observation.proof


def test_every_example_is_here() -> None:
    named = {name.partition(":")[0] for name in EXAMPLES} | ELSEWHERE.keys() | {"9"}
    assert named == {*map(str, range(1, 19)), "1b"}


def test_whatever_a_stranger_types_the_holder_s_links_stay() -> None:
    registry = Registry()
    registry.take(KNOWN.message)
    before = dict(registry.facts.verified)
    kinds: list[Any] = ["message", "edit", "bounce", "reaction", "rating"]
    for number, kind in enumerate(kinds):
        registry.take(shown(f"typed-{number}", CLAIM, ("phone", "601 100 200", "claimed"), kind=kind))
        registry.take(received(f"forged-{number}", FAIL, PASS))
        registry.take(shown(f"own-{number}", ("telegram_user", "666", "channel"), CLAIM, kind=kind))
    added = registry.facts.verified.keys() - before.keys()
    assert {key[1:] for key in added} == {("telegram_user", "666")}
    assert {key: registry.facts.verified[key] for key in before} == before
