"""Proofs without a message: a code that was mailed comes back, a colleague vouches, a shop imports its list. From the desk over
the outbox to the identity stage, on a real database."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from contracts.base import decoder, encode
from contracts.ids import workspace_id
from contracts.inbound import InboundMessage
from contracts.outbound import OutboundMessage
from contracts.workspace import MailSender
from desk.code_texts import CODE_TEXTS
from desk.erasure import Erasure
from desk.proofs import PER_ADDRESS
from identity.audit import differences
from identity.tombstones import Tombstones
from ingest.form_texts import LANGUAGES
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.postgres.delivery_store import DeliveryStore
from sinks.postgres.proof_store import MAX_ATTEMPTS
from tests.support.command import frontdesk
from tests.support.desk import NOON, SHOP, Desk, running_desk, ticket
from tests.support.identity import shown
from tests.support.stages import Stages, stages
from tests.support.system import Dsns

WORKSPACE = workspace_id(SHOP.slug)
SENDER = MailSender(name="Shop", address="help@shop.example", signature="Your shop")
CONFIG = msgspec.structs.replace(SHOP, sender=SENDER)
ANNA = ("email", "anna@x.example", "verified")
WHY = {"reason": "she showed her passport"}

_proofs = decoder(InboundMessage)
_mails = decoder(OutboundMessage)


@dataclass(frozen=True, slots=True)
class Rig:
    desk: Desk
    line: Stages
    lea: httpx.AsyncClient

    async def write(self, name: str, *handles: tuple[Any, str, Any], **given: Any) -> UUID:
        """Somebody writes; whose the message is."""
        (resolved,) = await self.line.resolve(shown(name, *handles, workspace=WORKSPACE, **given))
        assert resolved.customer is not None
        return resolved.customer.id

    async def outbox(self, kind: str) -> list[bytes]:
        query = "SELECT payload FROM outbox WHERE aggregatetype = %s ORDER BY seq"
        return [bytes(payload) for (payload,) in await self.desk.rows(query, (kind,))]

    async def mailed(self) -> tuple[OutboundMessage, str, str]:
        """The newest mail, its code and its token."""
        mail = _mails.decode((await self.outbox("outbound"))[-1])
        code, token = re.search(r": (\d{4} \d{4})", mail.text), re.search(r"/proofs/(\S+)", mail.text)
        assert code
        assert token
        return mail, code[1], token[1]

    async def send(self, customer: UUID, email: str = "anna@x.example") -> UUID:
        answer = await self.lea.post(f"/customers/{customer}/codes", json={"email": email})
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["proof"])

    async def confirm(self, proof: UUID, code: str) -> httpx.Response:
        return await self.lea.post(f"/codes/{proof}", json={"code": code})

    async def prove(self) -> list[Any]:
        """Identity reads every proof there is, also those it has read before."""
        events = [_proofs.decode(payload) for payload in await self.outbox("proof")]
        return await self.line.resolve(*events) if events else []

    async def customer(self, named: object) -> dict[str, Any]:
        return (await self.lea.get(f"/customers/{named}")).json()


@pytest.fixture
async def rig(database: Dsns) -> AsyncIterator[Rig]:
    async with running_desk(database) as desk, stages(database) as line:
        await desk.configure(CONFIG, "v2")
        async with await desk.client("lea", "lead") as lea:
            yield Rig(desk, line, lea)
            assert await differences(desk.database, WORKSPACE) == []


async def test_a_code_that_comes_back_links_the_address_and_mails_from_it_find_the_customer(rig: Rig) -> None:
    dm = await rig.write("dm", ("igsid", "178", "channel"), channel="instagram", account="ig")
    proof = await rig.send(dm)
    mail, code, _ = await rig.mailed()
    assert (mail.recipient, mail.sender, mail.bounces_to) == (ANNA[1], "Shop <help@shop.example>", "")
    assert mail.text.rstrip().endswith(SENDER.signature)
    assert (await rig.confirm(proof, f" {code} ")).status_code == 202
    (resolved,) = await rig.prove()
    assert (resolved.customer.id, resolved.customer.trust) == (dm, "verified")
    assert await rig.write("mail", ANNA, channel="email", account="support") == dm
    seen = await rig.customer(dm)
    assert {(one["kind"], one["state"], one["proof"]) for one in seen["handles"]} == {
        ("igsid", "verified", "channel"),
        ("email", "verified", "verified"),
    }
    # The mail proves it too, so it comes before.
    _, entry = [one for one in seen["history"] if one["kind"] == "email"]
    assert (entry["action"], entry["evidence"], entry["source"], entry["actor"]) == (
        "linked",
        f"otp:{proof}",
        "proof/code",
        "agent:lea",
    )


async def test_an_account_joins_who_holds_the_address_already(rig: Rig) -> None:
    anna = await rig.write("mail", ANNA, channel="email", account="support")
    dm = await rig.write("dm", ("igsid", "178", "channel"), channel="instagram", account="ig")
    proof = await rig.send(dm)
    await rig.confirm(proof, (await rig.mailed())[1])
    (resolved,) = await rig.prove()
    assert resolved.customer.id == anna
    assert (await rig.prove())[0].customer.id == anna, "read again it says the same"
    assert await rig.write("dm2", ("igsid", "178", "channel"), channel="instagram", account="ig") == anna
    (merge,) = (await rig.customer(anna))["merges"]
    assert (merge["customer"], merge["automatic"], merge["value"]) == (str(dm), True, ANNA[1])
    assert len(await rig.outbox("customer")) == 1


async def test_who_typed_an_address_and_reads_its_mail_is_its_holder(rig: Rig) -> None:
    """Example 3 of the trust model."""
    victim = await rig.write("mail", ANNA, channel="email", account="support")
    typed = ("email", "anna@x.example", "claimed")
    claimed = await rig.write("form", typed, authentication="fail")
    assert claimed != victim
    await rig.send(claimed)
    assert (await rig.customer(claimed))["id"] == str(claimed), "a code alone changes nothing"
    await rig.confirm(await rig.send(claimed), (await rig.mailed())[1])
    await rig.prove()
    assert (await rig.customer(claimed))["id"] == str(victim)


async def test_two_people_who_both_have_more_to_show_are_left_to_people(rig: Rig) -> None:
    anna = await rig.write("chat", ("external_id", "1", "authoritative"), ANNA)
    other = await rig.write("call", ("phone", "+48600100200", "verified"))
    proof = await rig.send(other)
    await rig.confirm(proof, (await rig.mailed())[1])
    (resolved,) = await rig.prove()
    assert resolved.customer.id == other
    assert [(one.customer, one.reason) for one in resolved.suggestions] == [(anna, "verified_together")]
    assert (await rig.customer(anna))["merges"] == []


async def test_two_logins_are_never_one_whatever_comes_back(rig: Rig) -> None:
    anna = await rig.write("chat", ("external_id", "1", "authoritative"), ANNA)
    eve = await rig.write("chat2", ("external_id", "2", "authoritative"))
    await rig.confirm(await rig.send(eve), (await rig.mailed())[1])
    (resolved,) = await rig.prove()
    assert [(one.customer, one.reason) for one in resolved.suggestions] == [(anna, "different_logins")]
    assert await rig.write("chat3", ("external_id", "1", "authoritative")) == anna
    assert await rig.write("chat4", ("external_id", "2", "authoritative")) == eve


async def test_a_code_is_good_once_and_every_no_sounds_the_same(rig: Rig) -> None:
    dm = await rig.write("dm", ("igsid", "178", "channel"))
    used = await rig.send(dm)
    _, code, _ = await rig.mailed()
    assert (await rig.confirm(used, code)).status_code == 202
    old = await rig.send(dm)
    _, late, _ = await rig.mailed()
    await rig.desk.rows(
        "UPDATE proof_codes SET expires_at = asked_at WHERE proof_id = %s RETURNING 1", (old,)
    )
    fresh = await rig.send(dm)
    wrong = [
        await rig.confirm(used, code),
        await rig.confirm(old, late),
        await rig.confirm(fresh, "0000 000"),
        await rig.confirm(fresh, ""),
        await rig.confirm(uuid4(), "1234 5678"),
    ]
    assert {(answer.status_code, answer.content) for answer in wrong} == {(422, wrong[0].content)}
    assert len(await rig.outbox("proof")) == 1


async def test_who_guesses_is_stopped(rig: Rig) -> None:
    proof = await rig.send(await rig.write("dm", ("igsid", "178", "channel")))
    _, code, _ = await rig.mailed()
    for _ in range(MAX_ATTEMPTS):
        assert (await rig.confirm(proof, "1")).status_code == 422
    assert (await rig.confirm(proof, code)).status_code == 422
    assert await rig.outbox("proof") == []


async def test_nobody_is_mailed_too_often_nor_learns_who_is_known(rig: Rig) -> None:
    await rig.write("mail", ANNA)
    people = [await rig.write(f"dm{n}", ("igsid", str(n), "channel")) for n in range(PER_ADDRESS + 1)]
    known, unknown = [
        await rig.lea.post(f"/customers/{people[0]}/codes", json={"email": email})
        for email in (ANNA[1], "nobody@x.example")
    ]
    assert (known.status_code, known.json().keys()) == (unknown.status_code, unknown.json().keys())
    for person in people[1:-1]:
        await rig.send(person)
    refused = await rig.lea.post(f"/customers/{people[-1]}/codes", json={"email": "ANNA@x.example"})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_codes")


async def test_a_code_is_mailed_in_the_customer_s_language(rig: Rig) -> None:
    dm, other = [await rig.write(name, ("igsid", name, "channel")) for name in ("178", "179")]

    async def subject(**wish: str) -> str:
        await rig.desk.rows("DELETE FROM proof_codes RETURNING 1")
        answer = await rig.lea.post(f"/customers/{dm}/codes", json={"email": "anna@x.example", **wish})
        assert answer.status_code == 202, answer.text
        return (await rig.mailed())[0].subject or ""

    async def used(name: str, customer: UUID, locale: str) -> None:
        """The customer writes in a form or a chat of this language."""
        said = shown(name, workspace=WORKSPACE, locale=locale)
        await rig.desk.rows(
            "INSERT INTO messages (workspace, message_id, customer_id, channel, account, provider_id, kind, direction, happened_at,"
            " received_at, topic, partition, \"offset\", payload) VALUES (%s, %s, %s, 'chat', 'page', %s, 'message', 'in', now(), now(),"
            " 'x', 0, %s, %s) RETURNING 1",
            (WORKSPACE, said.message_id, customer, name, len(name), encode(said).decode()),
        )

    assert await subject() == "Your code for Shop"
    await rig.desk.add(ticket("support", customer=dm, language="pl"))
    assert await subject() == "Twój kod dla Shop"
    await used("chat", dm, "lt-LT")
    await used("other", other, "tr")
    assert await subject() == "Jūsų kodas – Shop"
    assert await subject(language="no") == "Koden din for Shop"
    assert await subject(language="de") == "Jūsų kodas – Shop"
    mail, code, token = await rig.mailed()
    assert code in mail.text
    assert token in mail.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_of_forms_has_a_code_s_words(language: str) -> None:
    subject, text = CODE_TEXTS[language]
    assert set(re.findall(r"\{(\w+)\}", text)) == {"name", "link", "code", "minutes"}
    assert "{name}" in subject


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("anna", "not_an_address"),
        ("office@x.example", "identifies_nobody"),
        ("ann@shop.example", "identifies_nobody"),
        ("a@x.example\r\nBcc: b@x.example", "not_an_address"),
    ],
)
async def test_what_could_identify_nobody_is_refused(rig: Rig, email: str, code: str) -> None:
    dm = await rig.write("dm", ("igsid", "178", "channel"))
    answer = await rig.lea.post(f"/customers/{dm}/codes", json={"email": email})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await rig.outbox("outbound") == []


async def test_without_a_sender_no_mail_leaves(rig: Rig) -> None:
    await rig.desk.configure(SHOP, "v3")
    dm = await rig.write("dm", ("igsid", "178", "channel"))
    answer = await rig.lea.post(f"/customers/{dm}/codes", json={"email": "anna@x.example"})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_sender")


async def test_a_lead_vouches_and_agents_do_not(rig: Rig) -> None:
    dm = await rig.write("dm", ("igsid", "178", "channel"))
    order = {"handle": "phone:+48600100200", **WHY}
    assert (await rig.lea.post(f"/customers/{dm}/handles", json=order)).status_code == 202
    await rig.prove()
    held = {(one["kind"], one["proof"]) for one in (await rig.customer(dm))["handles"]}
    assert held == {("igsid", "channel"), ("phone", "authoritative")}
    assert (await rig.customer(dm))["history"][0]["reason"] == WHY["reason"]
    other = await rig.write("dm2", ("igsid", "179", "channel"))
    refused = await rig.lea.post(f"/customers/{other}/handles", json=order)
    assert (refused.status_code, str(dm) in refused.text) == (409, True)
    shared = await rig.lea.post(f"/customers/{dm}/handles", json={"handle": "email:ann@shop.example", **WHY})
    assert (shared.status_code, shared.json()["code"]) == (422, "identifies_nobody"), "our own domain"
    async with await rig.desk.client("ann") as ann:
        assert (await ann.post(f"/customers/{dm}/handles", json=order)).status_code == 403


async def test_an_admins_list_is_the_truth_and_a_leads_is_a_claim(rig: Rig) -> None:
    anna = await rig.write("mail", ANNA)
    rows = [
        {"id": "42", "email": "Anna@X.example", "phone": "600 100 200", "name": "Anna"},
        {"id": "43", "email": "bob@x.example"},
        {"name": "nobody"},
    ]
    claims = await rig.lea.post("/customers/import", json={"customers": rows[1:2]})
    assert claims.json() == {"recorded": 1}
    await rig.prove()
    assert {one["state"] for one in (await rig.customer("external_id:43"))["handles"]} == {"claimed"}
    async with await rig.desk.client("lea", "admin") as admin:
        for _ in range(2):
            answer = await admin.post("/customers/import", json={"customers": rows, "region": "PL"})
            assert (answer.status_code, answer.json()) == (202, {"recorded": 2})
    await rig.prove()
    seen = await rig.customer("external_id:42")
    assert seen["id"] == str(anna)
    assert {(one["kind"], one["value"]) for one in seen["handles"] if one["state"] == "verified"} == {
        ("email", "anna@x.example"),
        ("external_id", "42"),
        ("phone", "+48600100200"),
    }
    bob = await rig.customer("external_id:43")
    assert {one["state"] for one in bob["handles"]} >= {"verified"}


async def test_the_commands(rig: Rig, database: Dsns, tmp_path: Path) -> None:
    dm = await rig.write("dm", ("igsid", "178", "channel"))
    settings = {"postgres": database.app, "workspace": CONFIG.slug}
    sent = await frontdesk("customer", "code", str(dm), "anna@x.example", "--json", **settings)
    (row,) = sent.rows
    _, code, _ = await rig.mailed()
    confirmed = await frontdesk("customer", "confirm", row["proof"], code, **settings)
    assert confirmed.code == 0, confirmed.errors
    vouched = await frontdesk(
        "customer", "vouch", str(dm), "phone:+48600100200", "--reason", "seen", "--json", **settings
    )
    assert vouched.rows == [{"recorded": 1}]
    file = tmp_path / "list.csv"
    file.write_text("id,email\n7,carl@x.example\n")
    imported = await frontdesk("customer", "import", str(file), "--json", **settings)
    assert imported.rows == [{"recorded": 1}]
    await rig.prove()
    kinds = {one["kind"] for one in (await rig.customer(dm))["handles"]}
    assert kinds == {"igsid", "email", "phone"}
    assert (await rig.customer("external_id:7"))["handles"][0]["proof"] == "authoritative"


async def test_an_erased_customer_leaves_no_code_and_no_mail(rig: Rig, database: Dsns) -> None:
    dm = await rig.write("dm", ("igsid", "178", "channel"))
    await rig.confirm(await rig.send(dm), (await rig.mailed())[1])
    await rig.prove()
    async with Database(database.app) as app:
        await DeliveryStore(app).add([(await rig.mailed())[0]])
    settings = {"postgres": database.app, "workspace": CONFIG.slug}
    erased = await frontdesk("customer", "erase", str(dm), "--reason", "asked for", **settings)
    assert erased.code == 0, erased.errors
    assert await rig.desk.rows("SELECT 1 FROM proof_codes") == []
    rows = await rig.desk.rows("SELECT state, reason, recipient, payload::text FROM deliveries")
    assert rows == [("failed", "erased", "", "{}")]


async def test_what_was_proven_for_a_customer_who_is_erased_meanwhile_is_nobody_s(
    rig: Rig, database: Dsns
) -> None:
    dm = await rig.write("dm", ("igsid", "178", "channel"))
    await rig.confirm(await rig.send(dm), (await rig.mailed())[1])
    async with Database(database.app, max_size=1) as app:
        # With the key of the stage.
        erasure = Erasure(app, Clock(NOON), Tombstones(b""))
        await erasure.erase(WORKSPACE, "agent:lea", str(dm), "asked for")
    (resolved,) = await rig.prove()
    assert resolved.customer is None
    assert await rig.desk.rows("SELECT 1 FROM handles WHERE value LIKE '%anna%'") == []
    order = {"handle": "phone:+48600100200", **WHY}
    for path, given in (("handles", order), ("codes", {"email": ANNA[1]})):
        answer = await rig.lea.post(f"/customers/{dm}/{path}", json=given)
        assert (answer.status_code, answer.json()["code"]) == (409, "erased")


async def test_a_lead_says_whose_a_disputed_address_is(rig: Rig) -> None:
    logins = [("external_id", name, "authoritative") for name in ("1", "2")]
    anna, _ = [await rig.write(f"login-{login[1]}", login, ANNA) for login in logins]
    order = {"handle": f"email:{ANNA[1]}", **WHY}
    assert (await rig.lea.post(f"/customers/{anna}/handles", json=order)).status_code == 202
    for _ in range(2):
        await rig.prove()
    assert await rig.write("mail", ANNA, channel="email", account="support") == anna
    rows = "SELECT customer_id, state, proof FROM handles WHERE kind = 'email' ORDER BY state"
    (_, lost, _), held = await rig.desk.rows(rows)
    assert (lost, held) == ("revoked", (anna, "verified", "authoritative"))
    # What proved it first says nothing new, nor against it, when it is read again.
    assert await rig.write("login-1", logins[0], ANNA) == anna
    assert (await rig.desk.rows(rows))[1] == held
    ended = next(
        one for one in (await rig.customer("external_id:2"))["history"] if one["action"] == "revoked"
    )
    assert (ended["actor"], ended["reason"]) == ("agent:lea", WHY["reason"])
