"""Mail by SMTP through the running system: from the client's 250 to the ticket, also when the door is killed."""

from __future__ import annotations

import asyncio
import json
import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

import pytest

from contracts import reply_tokens
from contracts.base import encode
from contracts.ids import workspace_id
from contracts.inbound import InboundMessage
from frontdesk.embedded import free_port
from runtime.postgres import Database
from tests.pipeline.test_corpora import CORPUS, FOLDERS
from tests.support.certificate import made_in
from tests.support.chain import ALL, Chain, wait_for

FROM, TO = "ann@example.com", "support@demo.example"
SECRET = "of-the-installation"
INSERT = """
    INSERT INTO messages (workspace, message_id, ticket_id, channel, account, provider_id, kind, direction, happened_at,
                          received_at, topic, partition, "offset", payload)
    VALUES (%s, %s, %s, %s, %s, %s, 'message', 'out', %s, %s, 'by hand', 0, 0, convert_from(%s, 'utf-8')::json)
"""
BOUNCE = b"""\
From: Mail Delivery System <mailer-daemon@example.com>
To: support@demo.example
Subject: Undelivered Mail Returned to Sender
Message-ID: <bounce@example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Your message could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; example.com

Final-Recipient: rfc822; ann@example.com
Action: failed
Status: 5.1.1
--b
Content-Type: text/rfc822-headers

From: support@demo.example
To: ann@example.com
Message-ID: <our-answer@demo.example>
--b--
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("smtp")
    certificate = made_in(folder)
    with Chain(
        folder,
        processes=(*ALL, "smtp"),
        smtp_port=free_port(),
        smtp_certificate=certificate.chain,
        smtp_key=certificate.key,
        reply_secrets=(SECRET,),
    ) as running:
        yield running


def mail(name: str, **headers: str) -> bytes:
    given = {"From": FROM, "To": TO, "Message-ID": f"<{name}@example.com>", "Subject": name} | headers
    lines = [f"{key.replace('_', '-')}: {value}" for key, value in given.items()]
    return "\r\n".join([*lines, "", "Where is my parcel?", ""]).encode()


def send(chain: Chain, content: bytes, sender: str = FROM, to: str = TO, encrypted: bool = False) -> None:
    with smtplib.SMTP("127.0.0.1", chain.settings.smtp_port, timeout=60) as connection:
        if encrypted:
            connection.starttls()
        connection.sendmail(sender, [to], content)


def tickets(chain: Chain, subject: str) -> int:
    return int(chain.scalar(f"SELECT count(*) FROM tickets WHERE subject = '{subject}'"))


def test_a_mail_becomes_a_ticket_and_a_bounce_does_not(chain: Chain) -> None:
    send(chain, mail("first"), encrypted=True)
    bounce = mail("Undeliverable", From="MAILER-DAEMON@example.com", Auto_Submitted="auto-replied")
    send(chain, bounce, sender="")
    assert chain.settle()["residual"] == 0
    assert (tickets(chain, "first"), tickets(chain, "Undeliverable")) == (1, 0)


@pytest.mark.parametrize(("sender", "joins"), [("bob@example.com", True), ("eve@example.org", False)])
def test_a_token_opens_its_ticket_to_whom_it_was_made_for(chain: Chain, sender: str, joins: bool) -> None:
    """Who answers our mail needs no headers; who has it from somebody else gets a ticket of their own, which says so."""
    about, answer = f"about-{joins}", f"answer-{joins}"
    send(chain, mail(about))
    chain.settle()
    number = int(chain.scalar(f"SELECT number FROM tickets WHERE subject = '{about}'"))
    workspace = workspace_id("demo")
    key = reply_tokens.workspace_key(SECRET.encode(), workspace)
    address = reply_tokens.reply_address(TO, reply_tokens.mint(key, workspace, number, "bob@example.com"))
    send(chain, mail(answer, From=sender, To=address), sender=sender, to=address)
    chain.settle()
    assert int(chain.scalar(f"SELECT messages FROM tickets WHERE number = {number}")) == 1 + joins
    assert tickets(chain, answer) == 1 - joins
    named = f"refers_to = (SELECT ticket_id FROM tickets WHERE number = {number})"
    assert int(chain.scalar(f"SELECT count(*) FROM tickets WHERE {named}")) == 1 - joins


def test_a_bounce_stands_under_the_mail_that_it_is_about(chain: Chain) -> None:
    """The mail that we sent is put there by hand. The bounce returns its headers, as RFC 3462 has it."""
    send(chain, mail("asked"))
    chain.settle()
    number, ticket = chain.rows("SELECT number, ticket_id FROM tickets WHERE subject = 'asked'")[0]
    sent_by_us(chain, ticket, "our-answer@demo.example")
    send(chain, BOUNCE, sender="")
    chain.settle()
    ours = [one for one in conversation(chain, number) if one["direction"] == "out"]
    assert [mark["kind"] for mark in ours[0]["marks"]] == ["bounce"]
    assert ours[0]["marks"][0]["fields"]["failed_recipient"] == "ann@example.com"


def sent_by_us(chain: Chain, ticket: UUID, message_id: str) -> None:
    workspace, now = workspace_id("demo"), datetime.now(UTC)
    message = InboundMessage(
        message_id=uuid4(),
        workspace=workspace,
        channel="email",
        account="support",
        provider_id=message_id,
        direction="out",
        received_at=now,
    )
    values = (
        workspace,
        message.message_id,
        ticket,
        "email",
        "support",
        message_id,
        now,
        now,
        encode(message),
    )

    async def insert() -> None:
        async with (
            Database(chain.settings.postgres, max_size=1) as database,
            database.transaction([workspace]) as connection,
        ):
            await connection.execute(INSERT, values)

    asyncio.run(insert())


def conversation(chain: Chain, number: int) -> list[dict[str, Any]]:
    called = Request(f"http://127.0.0.1:{chain.settings.desk_port}/tickets/{number}")
    called.add_header("Authorization", f"Bearer {chain.prepared.api_key}")
    with urlopen(called, timeout=30) as answer:
        return json.load(answer)["conversation"]  # type: ignore[no-any-return]


def test_a_door_that_dies_before_it_answers_has_the_mail_once(chain: Chain) -> None:
    """The client's server tries again, as it must: the same mail is a duplicate, not a second ticket."""
    chain.stop("smtp")
    armed = chain.start("smtp", failpoint="smtp.after_produce")
    chain.wait_ready("smtp")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(chain, mail("twice"))
    wait_for(lambda: armed.exit_code() == 137, 30, "the door dies")
    chain.start("smtp")
    chain.wait_ready("smtp")
    send(chain, mail("twice"))
    ledger = chain.settle()
    assert ledger["residual"] == 0
    assert ledger["duplicates"] == 1
    assert tickets(chain, "twice") == 1


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpora are not beside the repository")
def test_real_mail_by_smtp(chain: Chain) -> None:
    before = chain.settle()["accepted"]
    found = [path for folder in FOLDERS for path in sorted((CORPUS / folder).rglob("*.eml"))]
    sample = [
        content for path in found[:: max(1, len(found) // 200)] if (content := path.read_bytes()).strip()
    ]
    with smtplib.SMTP("127.0.0.1", chain.settings.smtp_port, timeout=60) as connection:
        for content in sample:
            connection.sendmail(FROM, [TO], content)
    ledger = chain.settle()
    assert ledger["residual"] == 0
    assert ledger["accepted"] + ledger["parked"] == before + len(sample)
