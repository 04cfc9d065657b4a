"""Mail by SMTP through the running system: from the client's 250 to the ticket, also when the door is killed."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest

from frontdesk.up import free_port
from tests.pipeline.test_corpora import CORPUS, FOLDERS
from tests.support.certificate import made_in
from tests.support.chain import ALL, Chain, wait_for

FROM, TO = "ann@example.com", "support@demo.example"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("smtp")
    certificate = made_in(folder)
    with Chain(
        folder,
        processes=(*ALL, "smtp"),
        smtp_port=free_port(0),
        smtp_certificate=certificate.chain,
        smtp_key=certificate.key,
    ) as running:
        yield running


def mail(name: str, **headers: str) -> bytes:
    given = {"From": FROM, "To": TO, "Message-ID": f"<{name}@example.com>", "Subject": name} | headers
    lines = [f"{key.replace('_', '-')}: {value}" for key, value in given.items()]
    return "\r\n".join([*lines, "", "Where is my parcel?", ""]).encode()


def send(chain: Chain, content: bytes, sender: str = FROM, encrypted: bool = False) -> None:
    with smtplib.SMTP("127.0.0.1", chain.settings.smtp_port, timeout=60) as connection:
        if encrypted:
            connection.starttls()
        connection.sendmail(sender, [TO], content)


def tickets(chain: Chain, subject: str) -> int:
    return int(chain.scalar(f"SELECT count(*) FROM tickets WHERE subject = '{subject}'"))


def test_a_mail_becomes_a_ticket_and_a_bounce_does_not(chain: Chain) -> None:
    send(chain, mail("first"), encrypted=True)
    bounce = mail("Undeliverable", From="MAILER-DAEMON@example.com", Auto_Submitted="auto-replied")
    send(chain, bounce, sender="")
    assert chain.settle()["residual"] == 0
    assert (tickets(chain, "first"), tickets(chain, "Undeliverable")) == (1, 0)


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
