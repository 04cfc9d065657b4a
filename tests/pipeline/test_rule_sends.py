"""What rules send leaves with the ticket: once a cause, to whom it is meant for, and never on redelivery."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from contracts.ids import ticket_event_id
from contracts.rules import Actions, Condition, Rule, Template, TicketState, Webhook
from contracts.workspace import MailSender, Workspace
from router.reactions import Reaction, run_rules
from router.ruleset import RuleSet
from runtime.clock import Clock
from runtime.settings import Settings, WebhookSecret
from sinks.config_files import version
from sinks.postgres.answer_store import answers_of
from sinks.postgres.chat_store import ChatKey, ChatStore
from sinks.postgres.note_store import notes_of
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_store import lock_tickets
from sinks.webhooks import MAX_ATTEMPTS, Webhooks
from tests.support.provider import Answer, Provider, provider
from tests.support.routed import Routed, routed
from tests.support.routing import NOW, WORKSPACE, chat, mail, workspace
from tests.support.system import Dsns

RETURNS = Rule(
    id="returns",
    name="Returns",
    groups=((Condition(keywords=("zwrot*",)),),),
    actions=Actions(department="returns"),
)
LEAD = Rule(
    id="lead",
    name="Angry",
    when="message received",
    groups=((Condition(keywords=("angry",)),),),
    actions=Actions(notify=("cem", "returns")),
)
HELLO = Rule(id="hello", name="Hello", when="message received", actions=Actions(auto_reply="hello"))
CALLS = Rule(id="calls", name="Calls", actions=Actions(webhook=("crm",)))
SECRET = WebhookSecret(workspace="test", webhook="crm", secret="hook-secret")


def configured(*rules: Rule, url: str = "https://crm.example/hook") -> Workspace:
    return workspace(
        *rules,
        sender=MailSender(name="Shop", address="support@shop.example", signature="Bye"),
        templates=(Template(id="hello", text="We have it: {number}"),),
        webhooks=(Webhook(id="crm", url=url),),
    )


@pytest.fixture
async def files() -> AsyncIterator[Provider]:
    async with provider() as running:
        yield running


async def test_a_group_is_told_once_of_a_new_ticket_and_once_of_a_reply(database: Dsns) -> None:
    async with routed(database, configured(RETURNS, LEAD)) as desk:
        opening, reply = chat("one", text="zwrot"), chat("two", text="angry zwrot")
        await desk.take(opening)
        await desk.take(reply)
        told = await desk.sent("notification")
        assert [(t["group"], t["reason"], t["agents"]) for t in told] == [
            ("returns", "ticket created", ["ann", "ben"]),
            ("returns", "customer replied", ["ann", "ben"]),
            ("cem", "rule", ["cem"]),
        ]
        # The same records again, also by a router that has just started, tell nobody.
        desk.router = desk.another()
        await desk.take(opening, reply)
        await desk.take(chat("three", direction="out", kind="echo"))
        assert await desk.sent("notification") == told


async def test_an_address_is_answered_once_whoever_writes_from_it(database: Dsns) -> None:
    async with routed(database, configured(HELLO)) as desk:
        first = mail("one@x.example", "ann@x.example")
        await desk.take(first, mail("two@x.example", "Ann@x.example"))
        answers = await desk.sent("outbound")
        assert [(a["recipient"], a["sender"]) for a in answers] == [
            ("ann@x.example", "Shop <support@shop.example>")
        ]
        assert answers[0]["ticket_id"] == str(await desk.ticket_of(first))
        assert answers[0]["text"].endswith("\n\nBye")
        number = (await desk.rows("SELECT min(number) FROM tickets"))[0][0]
        assert f"We have it: {number}" in answers[0]["text"]
        desk.router = desk.another()
        await desk.take(mail("three@x.example", "ann@x.example"))
        assert len(await desk.sent("outbound")) == 1
        desk.clock = Clock(NOW + timedelta(hours=25))
        desk.router = desk.another()
        await desk.take(mail("four@x.example", "ann@x.example"))
        assert len(await desk.sent("outbound")) == 2


async def test_a_chat_is_answered_by_its_next_line(database: Dsns) -> None:
    async with routed(database, configured(HELLO)) as desk:
        opening = chat("one", channel="chat", text="Anybody there?")
        await desk.take(opening, chat("two", channel="chat", text="Hello?"))
        desk.router = desk.another()
        await desk.take(opening)
        key = ChatKey(WORKSPACE, opening.account, opening.conversation_key or "")
        lines = await ChatStore(desk.database).lines_after({key: 0}, 10)
        number = (await desk.rows("SELECT number FROM tickets"))[0][0]
        assert [(line.seq, line.text, line.name) for line in lines] == [
            (1, "Anybody there?", None),
            (2, "Hello?", None),
            (3, f"We have it: {number}", "Shop"),
        ]
        answers = await answers_of(desk.database, WORKSPACE, await desk.ticket_of(opening))
        assert [answer.text for answer in answers] == [f"We have it: {number}"]
        assert await desk.rows("SELECT picked_up_at, agent FROM chat_sessions") == [(None, None)]
        assert await desk.sent("outbound") == []


def _webhooks(desk: Routed, files: Provider, **changes: Any) -> Webhooks:
    settings = Settings(webhooks=(SECRET,), webhook_origins=(files.origin,))
    return Webhooks(desk.system, msgspec.structs.replace(settings, **changes), desk.clock)


async def test_a_webhook_is_signed_and_settled(database: Dsns, files: Provider) -> None:
    url = files.gives("/hook", Answer(status=204))
    async with routed(database, configured(CALLS, url=url)) as desk:
        opening = chat("one")
        await desk.take(opening)
        await desk.take(opening)
        await _webhooks(desk, files).tick()
        await _webhooks(desk, files).tick()
        assert await desk.rows("SELECT state, outcome, attempts FROM webhook_calls") == [
            ("delivered", "http 204", 1)
        ]
        assert len(files.asked) == 1
        body = msgspec.json.decode(files.bodies[0])
        assert body["ticket"]["id"] == str(await desk.ticket_of(opening))
        given = dict(part.split("=", 1) for part in files.asked[0][1]["frontdesk-signature"].split(","))
        signed = hmac.digest(b"hook-secret", given["t"].encode() + b"." + files.bodies[0], "sha256")
        assert given == {"t": str(int(NOW.timestamp())), "v1": signed.hex()}
        assert files.asked[0][1]["frontdesk-call"] == body["call_id"]


async def test_a_webhook_that_fails_is_called_again_and_at_last_given_up(
    database: Dsns, files: Provider
) -> None:
    url = files.gives("/hook", Answer(status=302, headers=(("location", "/other"),)), Answer(status=500))
    async with routed(database, configured(CALLS, url=url)) as desk:
        await desk.take(chat("one"))
        await _webhooks(desk, files).tick()
        await _webhooks(desk, files).tick()
        assert len(files.asked) == 1
        for attempt in range(2, MAX_ATTEMPTS + 1):
            desk.clock = Clock(NOW + timedelta(hours=4 * attempt))
            await _webhooks(desk, files).tick()
        assert await desk.rows("SELECT state, outcome, attempts FROM webhook_calls") == [
            ("failed", "http 500", MAX_ATTEMPTS)
        ]
        assert [target for target, _ in files.asked] == ["/hook"] * MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("url", "changes", "outcome"),
    [
        ("https://127.0.0.1/hook", {}, "refused: address"),
        ("http://crm.example/hook", {}, "refused: scheme"),
        ("https://crm.example:8443/hook", {}, "refused: port"),
        ("https://crm.example/hook", {"webhooks": ()}, "refused: no secret"),
    ],
)
async def test_a_webhook_reaches_nothing_that_is_ours(
    database: Dsns, files: Provider, url: str, changes: dict[str, Any], outcome: str
) -> None:
    async with routed(database, configured(CALLS, url=url)) as desk:
        await desk.take(chat("one"))
        await _webhooks(desk, files, **changes).tick()
        assert await desk.rows("SELECT state, outcome FROM webhook_calls") == [("failed", outcome)]
        assert files.connections == 0


async def test_rules_of_timers_and_people_write_one_version_with_their_record(database: Dsns) -> None:
    asked = Condition(ticket=TicketState(assigned=True), keywords=("zwrot*",))
    escalates = Rule(
        id="late",
        name="Late",
        when="breached",
        groups=((asked,),),
        actions=Actions(priority="urgent", notify=("ben",), webhook=("crm",), note="Too late"),
    )
    config = configured(escalates)
    rules = RuleSet(config, version(config))
    async with routed(database, config) as desk:
        late, other = chat("one", "1", text="zwrot"), chat("two", "2", text="else")
        form = {"fields": {"department": "returns"}}
        await desk.take(msgspec.structs.replace(late, **form), msgspec.structs.replace(other, **form))
        keys = [(WORKSPACE, await desk.ticket_of(message)) for message in (late, other)]
        async with desk.database.transaction([WORKSPACE]) as connection:
            stored = await lock_tickets(connection, keys)
            changed = await run_rules(
                connection, [Reaction(stored[key], "breached", rules) for key in keys], NOW
            )
        assert list(changed) == keys[:1]
        after: StoredTicket = changed[keys[0]]
        assert (after.ticket.priority, after.version) == ("urgent", 2)
        trail = await desk.rows("SELECT actor, action, detail FROM audit WHERE version = 2")
        assert [(actor, action) for actor, action, _ in trail] == [("rules", "prioritised")]
        assert trail[0][2]["notes"] == ["Too late"]
        notes = await notes_of(desk.database, *keys[0])
        assert [(note.agent, note.text, note.at) for note in notes] == [("rules", "Too late", NOW)]
        assert trail[0][2]["decision"]["rules"][0]["words"] == ["zwrot"]
        told = (await desk.sent("notification"))[-1]
        assert (told["group"], told["reason"]) == ("ben", "rule")
        calls = await desk.rows("SELECT body FROM webhook_calls")
        cause = msgspec.json.decode(calls[0][0])["cause"]
        assert cause == str(ticket_event_id(keys[0][1], 2))


async def test_what_waited_in_a_pool_is_given_by_the_method_of_a_rule(database: Dsns) -> None:
    held = Rule(
        id="held",
        name="Held",
        groups=((Condition(channel=("telegram",)),),),
        actions=Actions(assign="nobody"),
    )
    waited = Rule(
        id="waited",
        name="Waited",
        when="unassigned for 2 hours",
        groups=((Condition(ticket=TicketState(assigned=False)),),),
        actions=Actions(assign="least_open"),
    )
    config = configured(held, waited)
    rules = RuleSet(config, version(config))
    async with routed(database, config) as desk:
        messages = [chat(f"m{n}", f"{n}", fields={"department": "returns"}) for n in range(3)]
        await desk.take(*messages)
        keys = [(WORKSPACE, await desk.ticket_of(message)) for message in messages]
        async with desk.database.transaction([WORKSPACE]) as connection:
            stored = await lock_tickets(connection, keys)
            assert {one.ticket.agent for one in stored.values()} == {None}
            reactions = [Reaction(stored[key], "unassigned for 2 hours", rules) for key in keys]
            changed = await run_rules(connection, reactions, NOW)
        assert [changed[key].ticket.agent for key in keys] == ["ann", "ben", "ann"]
        actions = await desk.rows("SELECT DISTINCT action FROM audit WHERE version = 2")
        assert actions == [("assigned",)]
        assert await desk.rows("SELECT DISTINCT agent FROM tickets WHERE held_back") == []
