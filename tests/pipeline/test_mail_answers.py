"""Agents answer by mail: from the department that has the ticket, in the customer's conversation, and what comes back finds it
(R-24)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from contracts import reply_tokens
from contracts.base import decoder
from contracts.ids import workspace_id
from contracts.outbound import OutboundMessage
from contracts.ticket import TicketEvent
from contracts.workspace import Agent, MailSender
from desk.letters import Answered, answer_mail
from tests.support.desk import NOON, Desk, running_desk, ticket
from tests.support.routing import mail, message, workspace
from tests.support.stages import Stages, stages
from tests.support.system import Dsns

SECRET = "of-the-installation"
WORKSPACE = workspace_id("shop")
KEY = reply_tokens.workspace_key(SECRET.encode(), WORKSPACE)
RETURNS = MailSender(name="Shop Returns", address="returns@shop.example", signature="S1")
SUPPORT = MailSender(name="Shop Support", address="support@shop.example", signature="S2")
_BASE = workspace(slug="shop")
CONFIG = msgspec.structs.replace(
    _BASE,
    agents=(*_BASE.agents, Agent(id="lea", name="Lea", role="lead")),
    departments=tuple(
        msgspec.structs.replace(one, sender={"returns": RETURNS, "support": SUPPORT}.get(one.id))
        for one in _BASE.departments
    ),
)
_mails = decoder(OutboundMessage)


@dataclass(frozen=True, slots=True)
class Rig:
    desk: Desk
    line: Stages
    lea: httpx.AsyncClient

    async def opened(self, **given: Any) -> TicketEvent:
        """A mail of Anna's, as a ticket of Returns."""
        told = {
            "workspace": WORKSPACE,
            "subject": "Exchange",
            "fields": {"department": "returns", "message_id": "m1"},
        }
        (event,) = await self.line.take(mail("m1", "anna@x.example", **(told | given)))
        return event

    async def answer(self, number: int, text: str = "Send it back.", key: str = "k1") -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return await self.lea.post(f"/tickets/{number}/messages", json={"text": text}, headers=headers)

    async def mails(self) -> list[OutboundMessage]:
        query = "SELECT payload FROM outbox WHERE aggregatetype = 'outbound' ORDER BY seq"
        return [_mails.decode(bytes(payload)) for (payload,) in await self.desk.rows(query)]


@pytest.fixture
async def rig(database: Dsns) -> AsyncIterator[Rig]:
    async with running_desk(database, reply_secrets=(SECRET,)) as desk, stages(database) as line:
        await desk.configure(CONFIG, "v2")
        async with await desk.client("lea", "lead", CONFIG) as lea:
            yield Rig(desk, line, lea)


async def test_an_answer_is_from_the_department_and_leads_back_to_the_ticket(rig: Rig) -> None:
    opened = (await rig.opened()).ticket
    assert opened.department == "returns"
    assert (await rig.answer(opened.number)).status_code == 201
    (sent,) = await rig.mails()
    assert (sent.sender, sent.recipient, sent.subject) == (
        "Shop Returns <returns@shop.example>",
        "anna@x.example",
        "Re: Exchange",
    )
    assert sent.text.rstrip().split("\n")[-1] == "S1"
    assert (sent.in_reply_to, sent.references) == ("m1", ("m1",))
    for place in (sent.reply_to, sent.message_id):
        (token,) = reply_tokens.found(place or "")
        found = reply_tokens.opened([KEY], WORKSPACE, token, ["anna@x.example"])
        assert found == (opened.number, True)
    back = mail("m2", "anna@x.example", sent.message_id or "", workspace=WORKSPACE)
    (joined,) = await rig.line.take(back)
    assert (joined.number, joined.change) == (opened.number, "message_added")
    told = (await rig.lea.get(f"/tickets/{opened.number}")).json()["conversation"]
    assert sorted(one["direction"] for one in told) == ["in", "in", "out"]


async def test_after_a_transfer_it_is_the_other_department_in_the_same_conversation(rig: Rig) -> None:
    opened = (await rig.opened()).ticket
    await rig.answer(opened.number)
    moved = await rig.lea.post(
        f"/tickets/{opened.number}/transfer", json={"department": "support", "reason": "a question"}
    )
    assert moved.status_code == 200, moved.text
    await rig.answer(opened.number, key="k2")
    first, second = await rig.mails()
    assert (second.sender, second.in_reply_to) == ("Shop Support <support@shop.example>", first.in_reply_to)
    assert second.text.rstrip().endswith("S2")


async def test_the_same_key_sends_one_mail(rig: Rig) -> None:
    opened = (await rig.opened()).ticket
    answers = [await rig.answer(opened.number) for _ in range(2)]
    assert answers[0].json()["message"] == answers[1].json()["message"]
    assert len(await rig.mails()) == 1


async def test_a_department_without_a_sender_cannot_answer_by_mail(rig: Rig) -> None:
    opened = (await rig.opened(fields={"department": "sales"})).ticket
    answer = await rig.answer(opened.number)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_sender")
    assert (await rig.lea.get(f"/tickets/{opened.number}")).json()["ticket"]["messages"] == 1, (
        "nothing is half done"
    )


async def test_a_form_is_answered_at_the_address_in_it_and_without_one_not_at_all(rig: Rig) -> None:
    fields = {"department": "returns"}
    form = message("form", email="Bob@X.example", workspace=WORKSPACE, fields=fields)
    (event,) = await rig.line.take(form)
    assert (await rig.answer(event.number)).status_code == 201
    (sent,) = await rig.mails()
    assert (sent.recipient, sent.in_reply_to) == ("Bob@X.example", None)
    (nobody,) = await rig.line.take(message("none", workspace=WORKSPACE, fields=fields))
    refused = await rig.answer(nobody.number)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_chat")


@pytest.mark.parametrize(
    ("subject", "expected"),
    [("Exchange", "Re: Exchange"), ("RE: Exchange", "RE: Exchange"), ("a\r\n b", "Re: a b"), (None, "Re:")],
)
def test_subjects(subject: str | None, expected: str) -> None:
    to = Answered("support", "anna@x.example", subject, "m1")
    sent = answer_mail(WORKSPACE, ticket("support"), to, "text", SUPPORT, (), NOON)
    assert sent.subject == expected
