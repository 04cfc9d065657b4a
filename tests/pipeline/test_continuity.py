"""Which ticket a message belongs to, on the running system: two routers, real Kafka and Postgres, messages as their channels
send them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from frontdesk.workspace_setup import DEMO
from tests.support import hooks
from tests.support.chain import Chain, wait_for

PROCESSES = ("gateway", "identity", "router", "desk")
WHATSAPP, ANNA = "48600100200", "anna@x.example"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("continuity")
    config = folder / "config"
    shutil.copytree(DEMO, config)
    accounts = config / "accounts.yaml"
    address = "    address: support@demo.example\n"
    assert address in accounts.read_text()
    proven = address + "    authserv: [mx.demo.example]\n"
    accounts.write_text(accounts.read_text().replace(address, proven))
    with Chain(folder / "chain", processes=()) as running:
        applied = running.command("config", "apply", str(config))
        assert applied.returncode == 0, applied.stderr + applied.stdout
        # Two of what decides, so that one person's messages may be in several hands.
        names = {name: name for name in PROCESSES} | {"router-2": "router"}
        for label, name in names.items():
            running.start(name, as_=label)
        for label in names:
            running.wait_ready(label)
        yield running


def mail(name: str, sender: str, text: str = "Hello", **headers: str) -> bytes:
    """Proven by our own server, unless `proof` says otherwise."""
    proof = headers.pop("proof", f"dmarc=pass header.from={sender.partition('@')[2]}")
    given = {
        "Authentication-Results": f"mx.demo.example; {proof}",
        "From": sender,
        "To": "support@demo.example",
        "Message-ID": f"<{name}@mail.example>",
        "Subject": name,
    }
    lines = [f"{key.replace('_', '-')}: {value}" for key, value in (given | headers).items()]
    return "\r\n".join([*lines, "", text, ""]).encode()


def deliver(chain: Chain, **mails: bytes) -> None:
    """Through the real intake: mails by their names."""
    paths = []
    for name, content in mails.items():
        paths.append(chain.folder / f"{name}.eml")
        paths[-1].write_bytes(content)
    done = chain.command("ingest", "email", *map(str, paths), "--account", "support", "--restart")
    assert done.returncode == 0, done.stderr
    for name in mails:
        arrived(chain, f"{name}@mail.example")


def arrived(chain: Chain, like: str, count: int = 1) -> None:
    """Waits until so many messages with such ids are stored."""
    query = f"SELECT count(*) FROM messages WHERE provider_id LIKE '%{like}%'"
    wait_for(lambda: chain.scalar(query) == count, 60, f"{count} like {like} are stored")


def post(chain: Chain, channel: str, body: bytes) -> None:
    hook = next(hook for hook in chain.settings.hooks if hook.channel == channel)
    path = f"/webhooks/{channel}/{hook.account}"
    signed = hooks.headers(channel, hook.secrets[0], body, chain.gateway + path)
    answer = httpx.post(chain.gateway + path, content=body, headers=signed, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text


def whatsapp(identity: str, text: str, number: str = WHATSAPP, **sender: str) -> bytes:
    message = {"id": identity, "timestamp": "1767225600", "type": "text", "text": {"body": text}}
    value = {
        "metadata": {"phone_number_id": "1"},
        "contacts": [{"wa_id": number} | ({"user_id": sender["from_user_id"]} if sender else {})],
        "messages": [{"from": number} | sender | message],
    }
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def ticket_of(chain: Chain, provider_id: str) -> tuple[Any, ...]:
    """Number, messages, whom it refers to, customer, status of the ticket that holds this message."""
    found = chain.rows(
        "SELECT t.number, t.messages, o.number, t.customer_id, t.status FROM messages m "
        "JOIN tickets t ON t.workspace = m.workspace AND t.ticket_id = m.ticket_id "
        "LEFT JOIN tickets o ON o.workspace = t.workspace AND o.ticket_id = t.refers_to "
        f"WHERE m.provider_id LIKE '%{provider_id}%' AND m.kind IN ('message', 'call')"
    )
    assert len(found) == 1, found
    return found[0]


def reason(chain: Chain, provider_id: str) -> str:
    return str(
        chain.scalar(
            "SELECT d.record->'continuity'->>'reason' FROM decisions d JOIN messages m ON m.workspace = d.workspace "
            f"AND m.message_id = d.message_id WHERE m.provider_id LIKE '%{provider_id}%'"
        )
    )


def solve(chain: Chain, number: int) -> None:
    url = f"http://127.0.0.1:{chain.settings.desk_port}/tickets/{number}/status"
    key = {"authorization": f"Bearer {chain.prepared.api_key}"}
    answer = httpx.post(url, json={"status": "solved"}, headers=key, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text


def test_who_was_copied_by_a_proven_sender_answers_on_the_same_ticket(chain: Chain) -> None:
    """R-03, and I19 beside it: a stranger who has the same headers does not."""
    deliver(chain, r03=mail("r03", "carol@x.example", Cc="bob@y.example"))
    number, *_, customer, _ = ticket_of(chain, "r03")
    quoted = {"References": "<r03@mail.example>", "In-Reply-To": "<r03@mail.example>"}
    deliver(
        chain,
        answer=mail("answer", "bob@y.example", **quoted),
        stranger=mail("stranger", "eve@z.example", **quoted),
        forged=mail("forged", "bob@y.example", proof="dmarc=fail header.from=y.example", **quoted),
        guessed=mail("guessed", "mallory@z.example", Subject=f"Re: [#{number}]"),
    )
    assert ticket_of(chain, "answer@mail")[:4] == (number, 2, None, customer)
    for stranger in ("stranger", "forged", "guessed"):
        assert ticket_of(chain, f"{stranger}@mail")[2] == number, stranger
    author = chain.scalar(
        "SELECT payload->'sender'->'handles'->0->>'value' FROM messages WHERE provider_id LIKE '%answer@mail%'"
    )
    assert author == "bob@y.example"


def test_messages_of_one_conversation_are_one_ticket_that_reopens(chain: Chain) -> None:
    """R-06: three in one call and out of order; a fourth after it was solved."""
    event = {"sender": {"id": "178"}, "recipient": {"id": "17841"}}
    # A minute ago: what is older than a day is not believed.
    began = int(time.time() * 1000) - 60_000
    said = [
        {**event, "timestamp": began + n, "message": {"mid": f"r06-{n}", "text": f"text {n}"}}
        for n in (2, 3, 1)
    ]
    body = {"object": "instagram", "entry": [{"id": "17841", "time": 1, "messaging": said}]}
    post(chain, "instagram", json.dumps(body).encode())
    arrived(chain, "r06-", 3)
    number, messages, *_ = ticket_of(chain, "r06-1")
    in_order = chain.rows(
        "SELECT payload->>'text' FROM messages WHERE provider_id LIKE 'r06-%' ORDER BY happened_at"
    )
    assert (messages, in_order) == (3, [("text 1",), ("text 2",), ("text 3",)])
    solve(chain, number)
    later = {**event, "timestamp": began + 30_000, "message": {"mid": "r06-4", "text": "again"}}
    body["entry"][0]["messaging"] = [later]  # type: ignore[index]
    post(chain, "instagram", json.dumps(body).encode())
    arrived(chain, "r06-4")
    assert ticket_of(chain, "r06-4")[:2] == (number, 4)
    assert (ticket_of(chain, "r06-4")[4], reason(chain, "r06-4")) == ("open", "chat.reopened")


def test_a_customer_who_goes_on_elsewhere_about_an_order_stays_on_the_ticket(chain: Chain) -> None:
    """R-15: WhatsApp, then mail. They are one customer, since people merged them, and both sides are proven."""
    post(chain, "whatsapp", whatsapp("wamid.r15", "Where is order 1042?"))
    deliver(chain, before=mail("before", ANNA, "A question"))
    arrived(chain, "wamid.r15")
    number, *_, by_phone, _ = ticket_of(chain, "wamid.r15")
    by_mail = ticket_of(chain, "before@mail")[3]
    merged = chain.command(
        "customer", "merge", str(by_mail), str(by_phone), "--actor", "lea", "--reason", "said so"
    )
    assert merged.returncode == 0, merged.stderr
    deliver(
        chain,
        same=mail("same", ANNA, "Still no sign of order 1042."),
        other=mail("other", ANNA, "And order 1077?"),
        claimed=mail("claimed", ANNA, "order 1042!", proof="none"),
    )
    assert ticket_of(chain, "same@mail")[:2] == (number, 2)
    assert reason(chain, "same@mail") == "order"
    assert ticket_of(chain, "other@mail")[0] != number
    # Whoever wrote that may be anybody: never on the ticket, and never unlinked.
    assert ticket_of(chain, "claimed@mail")[2] == number
    assert reason(chain, "claimed@mail") == "order.unproven"


def test_the_same_form_twice_is_one_ticket_with_one_mark(chain: Chain) -> None:
    """R-16."""
    form = {
        "name": "Dan",
        "email": "dan@x.example",
        "message": "The size is wrong.",
        "fields": {"order_number": "1055"},
    }
    for _ in range(2):
        answer = httpx.post(
            f"{chain.gateway}/forms/contact/submissions", json=form, timeout=60, trust_env=False
        )
        assert answer.status_code == 202, answer.text
    said = "FROM messages WHERE payload->>'text' = 'The size is wrong.'"
    wait_for(lambda: chain.scalar(f"SELECT count(*) {said}") == 2, 60, "both are stored")
    stored = chain.rows(
        f"SELECT ticket_id, duplicate_of, message_id, payload->'raw'->>'sha256' {said} ORDER BY received_at"
    )
    (ticket, first_mark, first, raw), (same, mark, _, raw_again) = stored
    assert (ticket, first_mark, mark, raw) == (same, None, first, raw_again)
    url = f"http://127.0.0.1:{chain.settings.desk_port}/tickets/{ticket}"
    key = {"authorization": f"Bearer {chain.prepared.api_key}"}
    shown = httpx.get(url, headers=key, timeout=60, trust_env=False).json()["conversation"]
    assert [view.get("duplicate_of") for view in shown] == [None, str(first)]


def test_fifty_messages_of_one_person_at_once_are_one_ticket(chain: Chain) -> None:
    def send(number: int) -> None:
        post(chain, "whatsapp", whatsapp(f"wamid.fifty-{number}", f"part {number}", number="48600999888"))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(send, range(50)))
    arrived(chain, "wamid.fifty-", 50)
    found = chain.rows(
        "SELECT count(*), count(DISTINCT ticket_id), min(ticket_id::text) FROM messages "
        "WHERE provider_id LIKE 'wamid.fifty-%'"
    )
    assert found[0][:2] == (50, 1)
    assert chain.scalar(f"SELECT messages FROM tickets WHERE ticket_id = '{found[0][2]}'") == 50


def test_many_people_who_begin_one_conversation_at_once_begin_one_ticket(chain: Chain) -> None:
    """Comments on one post, of customers whom different routers may hold."""

    def comment(number: int) -> None:
        value = {
            "item": "comment",
            "verb": "add",
            "post_id": "117_1",
            "comment_id": f"117_c{number}",
            "parent_id": "117_1",
            "from": {"id": f"99{number}", "name": f"Person {number}"},
            "message": f"comment {number}",
            "created_time": 1767225600,
        }
        entry = {"id": "117", "time": 1, "changes": [{"field": "feed", "value": value}]}
        post(chain, "facebook_wall", json.dumps({"object": "page", "entry": [entry]}).encode())

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(comment, range(20)))
    arrived(chain, "117_c", 20)
    assert chain.rows(
        "SELECT count(*), count(DISTINCT ticket_id), count(DISTINCT customer_id) FROM messages "
        "WHERE provider_id LIKE '117_c%'"
    ) == [(20, 1, 20)]


def test_a_conversation_goes_on_when_its_network_tells_a_user_id(chain: Chain) -> None:
    post(chain, "whatsapp", whatsapp("wamid.id-1", "Hi", number="48600777666"))
    arrived(chain, "wamid.id-1")
    post(chain, "whatsapp", whatsapp("wamid.id-2", "Hi again", number="48600777666", from_user_id="PL.777"))
    arrived(chain, "wamid.id-2")
    assert ticket_of(chain, "wamid.id-2")[:2] == (ticket_of(chain, "wamid.id-1")[0], 2)


def test_a_number_that_calls_again_within_the_hour_is_more_urgent(chain: Chain) -> None:
    events = (("c1", "missed"), ("c1", "voicemail"), ("c2", "missed"), ("c3", "finished"))
    for number, (call, event) in enumerate(events, 1):
        given = {
            "call_id": call,
            "direction": "in",
            "from": "+48600555444",
            "to": "+48225550100",
            "event": event,
        }
        post(chain, "call", json.dumps(given | {"ended_at": "2026-01-01T00:00:00Z"}).encode())
        arrived(chain, "c_:", number)
    rows = chain.rows(
        "SELECT t.number, t.priority, t.status, t.messages FROM tickets t WHERE t.channel = 'call'"
    )
    assert len(rows) == 1, rows
    assert rows[0][1:] == ("high", "new", 4)
