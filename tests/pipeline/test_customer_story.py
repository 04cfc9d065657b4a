"""One customer on the running system: every process, real Kafka and Postgres, a shop and a mail server, over a week."""

from __future__ import annotations

import asyncio
import json
import re
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer

from contracts.ticket import TicketEvent
from contracts.topics import TICKET
from contracts.workspace import Account, Workspace
from frontdesk.embedded import free_port
from frontdesk.workspace_setup import DEMO
from runtime.postgres import Database
from sinks.config_files import load_folder
from sinks.postgres.config_store import ConfigStore
from tests.support import hooks
from tests.support.background import in_background
from tests.support.chain import Chain, wait_for
from tests.support.mail_server import MailServer, mail_server
from tests.support.shopify import ShopifyShop, order, shopify

DAY_0 = datetime(2026, 11, 13, 10, tzinfo=UTC)
DAY_7 = DAY_0 + timedelta(days=7)
PROCESSES = ("gateway", "smtp", "identity", "router", "relay", "senders", "desk")
NORTH, SOUTH = "support@demo.example", "south@demo.example"
WHY = {"reason": "she called"}


def config() -> Workspace:
    """The demo, with a shop at Shopify, a mailbox for each shop, and no ticket that reopens."""
    demo = load_folder(DEMO)
    north, south = demo.stores
    mailbox = Account(
        channel="email", id="south", store="south", address=SOUTH, authserv=("mx.demo.example",)
    )
    accounts = tuple(
        msgspec.structs.replace(account, authserv=mailbox.authserv) if account.channel == "email" else account
        for account in demo.accounts
    )
    return msgspec.structs.replace(
        demo,
        stores=(msgspec.structs.replace(north, orders="shopify"), south),
        accounts=(*accounts, mailbox),
        reopen_days=0,
    )


@dataclass(frozen=True, slots=True)
class Story:
    chain: Chain
    shop: ShopifyShop
    mails: MailServer

    @property
    def desk(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.chain.settings.desk_port}",
            headers={"Authorization": f"Bearer {self.chain.prepared.api_key}"},
            timeout=60,
            trust_env=False,
        )

    def call(self, channel: str, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        hook = next(hook for hook in self.chain.settings.hooks if hook.channel == channel)
        headers = hooks.headers(channel, hook.secrets[0], raw) | {"content-type": "application/json"}
        url = f"{self.chain.gateway}/webhooks/{channel}"
        answer = httpx.post(url, content=raw, headers=headers, timeout=60, trust_env=False)
        assert answer.status_code == 200, answer.text

    def dm(self, sender: str, text: str, at: datetime) -> None:
        when = int(at.timestamp() * 1000)
        message = {
            "sender": {"id": sender},
            "recipient": {"id": "17841400000000001"},
            "timestamp": when,
            "message": {"mid": str(uuid4()), "text": text},
        }
        entry = {"id": "17841400000000001", "time": when, "messaging": [message]}
        self.call("instagram", {"object": "instagram", "entry": [entry]})

    def mail(self, sender: str, to: str, subject: str, text: str) -> None:
        """By SMTP, as the shop's own mail server hands it over: it has checked who sent it."""
        domain = sender.rpartition("@")[2]
        lines = (
            f"Authentication-Results: mx.demo.example; dmarc=pass header.from={domain}",
            f"From: {sender}",
            f"To: {to}",
            f"Subject: {subject}",
            f"Message-ID: <{uuid4()}@{domain}>",
            "",
            text,
        )
        with smtplib.SMTP("127.0.0.1", self.chain.settings.smtp_port, timeout=60) as client:
            client.sendmail(sender, [to], "\r\n".join(lines).encode())

    def form(self, form: str, **fields: str) -> None:
        url = f"{self.chain.gateway}/forms/{form}/submissions"
        answer = httpx.post(url, json=fields, timeout=60, trust_env=False)
        assert answer.status_code == 202, answer.text

    def events(self, **wanted: Any) -> list[TicketEvent]:
        """Of the public topic, those whose ticket has these fields."""
        found = asyncio.run(_read(self.chain.settings.kafka))
        return [e for e in found if all(getattr(e.ticket, name) == value for name, value in wanted.items())]

    def opened(self, count: int, **wanted: Any) -> list[TicketEvent]:
        """So many tickets, as they were opened, oldest first."""
        found: list[TicketEvent] = []

        def there() -> bool:
            found[:] = [event for event in self.events(**wanted) if event.version == 1]
            return len(found) >= count

        wait_for(there, 120, lambda: f"{count} tickets with {wanted}, not {len(found)}")
        assert len(found) == count
        return sorted(found, key=lambda event: event.number)

    def customer(self, named: object) -> dict[str, Any]:
        with self.desk as desk:
            return desk.get(f"/customers/{named}").json()

    def prove(self, customer: object, email: str) -> None:
        """A code is mailed to the address, and its link is followed."""
        before = len(self.mails.taken)
        with self.desk as desk:
            answer = desk.post(f"/customers/{customer}/codes", json={"email": email})
            assert answer.status_code == 202, answer.text
        wait_for(lambda: len(self.mails.taken) > before, 120, "the mail with the code")
        mail = self.mails.taken[-1]
        assert mail["To"] == email
        link = re.search(r"http://\S+/proofs/\S+", mail.get_content())
        assert link
        for visit in (httpx.get, httpx.get):
            assert "button" in visit(link[0], timeout=60, trust_env=False).text
        pressed = [httpx.post(link[0], timeout=60, trust_env=False) for _ in range(2)]
        assert ["Thank you" in answer.text for answer in pressed] == [True, False]
        never = httpx.post(f"{link[0][:-5]}wrong", timeout=60, trust_env=False)
        assert (never.status_code, never.text) == (pressed[1].status_code, pressed[1].text)

        def linked() -> bool:
            handles = self.customer(customer)["handles"]
            return any((one["value"], one["state"]) == (email, "verified") for one in handles)

        wait_for(linked, 120, "the address is the customer's")

    def next_week(self) -> None:
        for name in PROCESSES:
            self.chain.stop(name)
        for name in PROCESSES:
            self.chain.start(name, clock=DAY_7)
        for name in PROCESSES:
            self.chain.wait_ready(name)


async def _read(bootstrap: str) -> list[TicketEvent]:
    consumer = AIOKafkaConsumer(TICKET.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found: list[TicketEvent] = []
        while [1 for partition, end in ends.items() if await consumer.position(partition) < end]:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [msgspec.json.decode(record.value, type=TicketEvent) for record in records]
        return found
    finally:
        await consumer.stop()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A week with one customer: an Instagram account, and the address that it proved."""
    folder = tmp_path_factory.mktemp("story")
    with in_background(shopify()) as shop, in_background(mail_server()) as mails:
        given = {
            "smarthosts": (mails.as_setting("demo"),),
            "shops": (shop.as_setting("demo", "north"),),
            "smtp_port": free_port(),
            "smtp_relays": "127.0.0.1",
            "host": "aiokafka",
            "reply_secrets": ("of-the-installation",),
            "orders_timeout_ms": 20_000,
        }
        shop.orders = [
            order("#1042", "anna@x.pl"),
            order("#1039", "anna@x.pl", closedAt="2026-10-01T00:00:00Z"),
        ]
        with Chain(folder, processes=(), **given) as chain:
            asyncio.run(_apply(chain, config()))
            for name in PROCESSES:
                chain.start(name, clock=DAY_0)
            for name in PROCESSES:
                chain.wait_ready(name)
            story = Story(chain, shop, mails)
            story.dm("178", "Is the promotion good for #1042 too?", DAY_0)
            (first,) = story.opened(1, channel="instagram")
            story.prove(first.ticket.customer, "anna@x.pl")
            with story.desk as desk:
                solved = desk.post(f"/tickets/{first.number}/status", json={"status": "solved"})
                assert solved.status_code == 200, solved.text
            story.next_week()
            yield story


async def _apply(chain: Chain, wanted: Workspace) -> None:
    async with Database(chain.settings.postgres_system, max_size=1) as database:
        at = datetime(2000, 1, 1, tzinfo=UTC)
        await ConfigStore(database).apply(wanted, "story", by="test", effective_from=at)


def test_a_question_by_instagram_and_a_mail_a_week_later_are_one_customers(story: Story) -> None:
    """R-13."""
    (first,) = story.opened(1, channel="instagram")
    assert first.ticket.context is not None
    assert [(one.number, one.named, one.proven) for one in first.ticket.context.orders] == [
        ("1042", True, False)
    ]
    story.mail("anna@x.pl", NORTH, "order 1042?", "Where is it?")
    (event,) = story.opened(1, channel="email", subject="order 1042?")
    assert (event.ticket.customer, event.ticket.trust) == (first.ticket.customer, "verified")
    context = event.ticket.context
    assert context is not None
    assert [(one.number, one.named, one.proven) for one in context.orders] == [
        ("1042", True, True),
        ("1039", False, True),
    ]
    (recent,) = context.recent_tickets
    assert (recent.ticket, recent.number, recent.status, recent.summary) == (
        first.ticket_id,
        first.number,
        "solved",
        "Is the promotion good for #1042 too?",
    )
    assert context.order_context == "available"
    replayed = story.chain.command("replay", str(event.number))
    assert replayed.returncode == 0, replayed.stdout


def test_a_customer_is_known_by_every_handle_in_every_spelling(story: Story) -> None:
    """R-11."""
    anna = story.customer("email:anna@x.pl")["id"]
    with story.desk as desk:
        vouched = desk.post(f"/customers/{anna}/handles", json={"handle": "phone:+48600100200", **WHY})
        assert vouched.status_code == 202, vouched.text
    wait_for(lambda: story.customer("phone:+48600100200").get("id") == anna, 120, "the number is hers")
    story.dm("178", "hello again", DAY_7)
    contact = {"profile": {"name": "Anna"}, "wa_id": "48600100200"}
    said = {"from": "48600100200", "id": "wamid.1", "timestamp": str(int(DAY_7.timestamp())), "type": "text"}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "16505551111", "phone_number_id": "1"},
        "contacts": [contact],
        "messages": [said | {"text": {"body": "and by WhatsApp"}}],
    }
    change = {"value": value, "field": "messages"}
    story.call(
        "whatsapp", {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
    )
    story.form("contact", name="Anna", email=" ANNA@X.PL ", subject="by address", message="hello")
    story.form("contact", name="Anna", phone="0048 600-100-200", subject="by number", message="hello")
    events = [
        *story.opened(1, channel="whatsapp"),
        *story.opened(1, channel="webform", subject="by address"),
        *story.opened(1, channel="webform", subject="by number"),
    ]
    assert {str(event.ticket.customer) for event in events} == {anna}
    assert [event.ticket.trust for event in events] == ["verified", "claimed", "claimed"]


def test_two_shops_have_two_tickets_and_one_customer(story: Story) -> None:
    """R-08."""
    for address in (NORTH, SOUTH):
        story.mail("two@x.pl", address, "two shops", "hello")
    events = story.opened(2, subject="two shops")
    assert {event.ticket.store for event in events} == {"north", "south"}
    assert len({event.ticket.customer for event in events}) == 1
    told = {
        event.ticket.store: event.ticket.context and event.ticket.context.order_context for event in events
    }
    assert told == {"north": "available", "south": "available"}


def test_people_merge_two_customers_and_take_it_back(story: Story) -> None:
    """R-12."""
    for number in range(2):
        story.mail("c1@x.pl", NORTH, f"c1 {number}", "hello")
    for number in range(3):
        story.mail("c2@x.pl", NORTH, f"c2 {number}", "hello")
    c1 = [story.opened(1, subject=f"c1 {number}")[0].ticket.customer for number in range(2)]
    c2 = [story.opened(1, subject=f"c2 {number}")[0].ticket.customer for number in range(3)]
    assert len({*c1}) == len({*c2}) == 1
    with story.desk as desk:
        merged = desk.post(f"/customers/{c2[0]}/merge", json={"into": str(c1[0]), **WHY})
        assert merged.status_code == 200, merged.text
    seen = story.customer(c1[0])
    assert len(seen["tickets"]) == 5
    assert [(one["actor"], one["reason"]) for one in seen["merges"]] == [("agent:lea", WHY["reason"])]
    story.mail("c2@x.pl", NORTH, "after", "hello")
    (after,) = story.opened(1, subject="after")
    assert after.ticket.customer == c1[0]
    assert after.ticket.context is not None
    assert len(after.ticket.context.recent_tickets) == 5
    with story.desk as desk:
        assert desk.post(f"/customers/{c2[0]}/unmerge", json=WHY).status_code == 200
    assert [len(story.customer(one)["tickets"]) for one in (c1[0], c2[0])] == [3, 3]


def test_a_shop_that_is_away_is_told_and_holds_up_nobody(story: Story) -> None:
    """R-14."""
    story.shop.says = "broken"
    story.mail("late@x.pl", NORTH, "shop away", "where is #1077?")
    (event,) = story.opened(1, subject="shop away")
    assert event.ticket.department == "support"
    assert event.ticket.context is not None
    assert (event.ticket.context.order_context, event.ticket.context.orders) == ("unavailable", ())
    assert event.ticket.context.order_numbers == ("1077",)
    explained = story.chain.command("explain", str(event.number), "--json")
    record = json.loads(explained.stdout)["record"]
    assert record["context"]["order_context"] == "unavailable"


def test_an_agents_answer_arrives_and_what_comes_back_finds_the_ticket(story: Story) -> None:
    """R-24: over the mail server, both ways."""
    story.mail("nora@x.pl", NORTH, "a question", "hello")
    (asked,) = story.opened(1, subject="a question")
    before = len(story.mails.taken)
    with story.desk as desk:
        answer = desk.post(f"/tickets/{asked.number}/messages", json={"text": "An answer."})
        assert answer.status_code == 201, answer.text
    wait_for(lambda: len(story.mails.taken) > before, 120, "the answer")
    came = story.mails.taken[-1]
    assert (came["To"], came["Subject"]) == ("nora@x.pl", "Re: a question")
    assert came["From"] == "Demo Trade <support@demo.example>"
    story.mail("nora@x.pl", came["Reply-To"], "quite another subject", "thank you")

    def joined() -> bool:
        return any(event.ticket.messages == 3 for event in story.events(number=asked.number))

    wait_for(joined, 120, "the customer's answer is on the ticket")


def test_the_books_balance_with_proofs_in_them(story: Story) -> None:
    assert story.chain.settle()["residual"] == 0
    checked = story.chain.command("customer", "check")
    assert checked.returncode == 0, checked.stdout
