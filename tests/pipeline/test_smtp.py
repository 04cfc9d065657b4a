"""The SMTP door, with a real client: what is answered with 250 is on the topic, and nothing else is."""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from contracts.channels import LIMITS
from contracts.workspace import Account
from frontdesk.embedded import free_port
from ingest import smtp
from ingest.smtp import SmtpService
from runtime.health import Health
from runtime.settings import SettingsError
from tests.support.certificate import made_in
from tests.support.shop import SHOP, configure, settings
from tests.support.system import Broker, Dsns
from tests.support.topics import Since

T = TypeVar("T")
Start = Callable[..., Any]
FROM, TO = "ann@example.com", "support@shop.example"


@pytest.fixture
async def since(broker: Broker, database: Dsns) -> Since:
    returns = Account(channel="email", id="returns", store="a", address="returns@shop.example")
    accounts = [
        msgspec.structs.replace(account, authserv=("mx.shop.example",))
        for account in (*SHOP.accounts, returns)
    ]
    await configure(database, msgspec.structs.replace(SHOP, accounts=tuple(accounts)))
    return await Since.now(broker.bootstrap)


@pytest.fixture
def listening(broker: Broker, database: Dsns, tmp_path: Path) -> Start:
    """The door, for the length of a block; gives its port."""

    @asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[int]:
        port = free_port()
        service = SmtpService(settings(broker, database, tmp_path, smtp_port=port, **changes))
        health = Health()
        service.report(health)
        task = asyncio.create_task(service.run())

        async def ready() -> bool:
            try:
                await health.ready_checks["accounts"]()
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except (RuntimeError, OSError):
                return False
            writer.close()
            return True

        try:
            async with asyncio.timeout(30):
                while not await ready():
                    await asyncio.sleep(0.05)
            yield port
        finally:
            await service.stop()
            await asyncio.wait_for(task, 20)

    return start


def mail(number: int, body: str = "Where is it?", **headers: str) -> bytes:
    given = {"From": FROM, "To": TO, "Message-ID": f"<{number}@example.com>", "Subject": f"Order {number}"}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in (given | headers).items()]
    return "\r\n".join([*lines, "", body, ""]).encode()


async def client(port: int, work: Callable[[smtplib.SMTP], T]) -> T:
    """Does the work with a connection, in a thread of its own."""

    def run() -> T:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as connection:
            return work(connection)

    return await asyncio.to_thread(run)


async def send(port: int, content: bytes, to: list[str] | None = None, sender: str = FROM) -> Any:
    return await client(
        port, lambda smtp: smtp.sendmail(sender, to or [TO], content, ["SMTPUTF8", "BODY=8BITMIME"])
    )


async def test_a_mail_is_on_the_topic_when_it_is_answered(listening: Start, since: Since) -> None:
    async with listening() as port:
        await send(port, mail(1), [TO, "support+billing@shop.example"])
        (found,) = await since.messages()
    assert (found.channel, found.account, found.store, found.subject) == ("email", "support", "a", "Order 1")
    envelope = [r.value for r in found.recipients if r.role == "envelope"]
    assert envelope == [TO, "support+billing@shop.example"]


async def test_nobody_s_mail_is_relayed(listening: Start, since: Since) -> None:
    async with listening() as port:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            await send(port, mail(1), ["ann@elsewhere.example", "supporter@shop.example"])
        assert {code for code, _ in refused.value.recipients.values()} == {550}
        refused_too = await send(port, mail(2), ["nobody@shop.example", "SUPPORT@Shop.example"])
    assert set(refused_too) == {"nobody@shop.example"}
    assert [m.subject for m in await since.messages()] == ["Order 2"]


async def test_each_account_gets_its_own_and_sees_its_own_recipients(listening: Start, since: Since) -> None:
    async with listening() as port:
        await send(port, mail(1), [TO, "returns+x@shop.example"])
    found = {m.account: m for m in await since.messages()}
    assert set(found) == {"support", "returns"}
    assert [r.value for r in found["returns"].recipients if r.role == "envelope"] == [
        "returns+x@shop.example"
    ]


async def test_what_is_too_large_is_refused_before_and_after_it_is_sent(
    listening: Start, since: Since, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "_MOST_BYTES", 100_000)
    large = mail(1, ("x" * 70 + "\r\n") * 2_000)
    async with listening() as port:
        with pytest.raises(smtplib.SMTPSenderRefused) as told:
            await send(port, large)
        assert told.value.smtp_code == 552

        def untold(connection: smtplib.SMTP) -> tuple[int, bytes]:
            connection.ehlo()
            connection.mail(FROM)
            connection.rcpt(TO)
            return connection.data(large)

        assert (await client(port, untold))[0] == 552
        await send(port, mail(2))
    assert [m.subject for m in await since.messages()] == ["Order 2"]


async def test_real_mail_with_its_oddities_is_kept_byte_by_byte(listening: Start, since: Since) -> None:
    """Lines over a thousand bytes, NUL, bare LF, a lone dot, 8-bit header, no sender."""
    odd = (
        b"From: J\xf6rg <joerg@example.com>\r\nSubject: odd\r\n\r\n" + b"x" * 5_000 + b"\r\n.\r\na\0b\nc\r\n"
    )

    def data(connection: smtplib.SMTP) -> int:
        connection.ehlo()
        connection.mail("")
        connection.rcpt(TO)
        connection.putcmd("data")
        assert connection.getreply()[0] == 354
        connection.send(odd.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return connection.getreply()[0]

    async with listening() as port:
        assert await client(port, data) == 250
        (found,) = await since.messages()
    assert found.raw is not None
    assert found.raw.inline is not None
    assert found.raw.inline.endswith(b"\r\n" + odd)
    assert "x" * 5_000 in (found.text or "")


async def test_the_same_mail_again_has_the_same_id_and_another_body_has_another(
    listening: Start, since: Since
) -> None:
    async with listening() as port:
        for content in (mail(1), mail(1), mail(1, "Something else")):
            await send(port, content)
    first, again, other = await since.messages()
    assert first.message_id == again.message_id != other.message_id


async def test_what_cannot_be_stored_is_left_with_the_sender(
    listening: Start, since: Since, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No broker answers at this address; the second door has one."""
    monkeypatch.setattr(smtp, "_STORE_SECONDS", 1.0)
    async with listening(kafka=f"127.0.0.1:{free_port()}") as port:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await send(port, mail(1))
        assert refused.value.smtp_code == 451
    assert await since.messages() == []
    async with listening() as port:
        await send(port, mail(1))
    assert len(await since.messages()) == 1


async def test_a_client_that_leaves_in_mid_mail_leaves_nothing(listening: Start, since: Since) -> None:
    async with listening() as port:
        await asyncio.to_thread(_leave, port)
        await send(port, mail(2))
    assert [m.subject for m in await since.messages()] == ["Order 2"]


def _leave(port: int) -> None:
    connection = smtplib.SMTP("127.0.0.1", port, timeout=60)
    connection.ehlo()
    connection.mail(FROM)
    connection.rcpt(TO)
    connection.putcmd("data")
    connection.getreply()
    connection.send(mail(1)[:60])
    connection.close()


async def test_many_clients_are_served_and_too_many_are_told_to_come_again(
    listening: Start, since: Since, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "_MOST_CONNECTIONS", 3)
    async with listening() as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, _ in held:
            assert (await reader.readline()).startswith(b"220")
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            await send(port, mail(1))
        assert refused.value.smtp_code == 421
        for _, writer in held:
            writer.close()

        async def taken() -> bool:
            try:
                await send(port, mail(1))
            except smtplib.SMTPConnectError:
                return False
            return True

        async with asyncio.timeout(30):
            while not await taken():
                await asyncio.sleep(0.05)
    assert len(await since.messages()) == 1


async def test_starttls_with_the_configured_certificate(
    listening: Start, since: Since, tmp_path: Path
) -> None:
    certificate = made_in(tmp_path)

    def work(connection: smtplib.SMTP) -> None:
        connection.ehlo()
        connection._host = "127.0.0.1"  # type: ignore[attr-defined]
        connection.starttls(context=ssl.create_default_context(cafile=str(certificate.chain)))
        connection.sendmail(FROM, [TO], mail(1))

    async with listening(smtp_certificate=certificate.chain, smtp_key=certificate.key) as port:
        await client(port, work)
    assert [m.subject for m in await since.messages()] == ["Order 1"]


REPORT = "mx.shop.example; dmarc=pass header.from=example.com"


@pytest.mark.parametrize(
    ("relays", "line", "expected"),
    [
        ("", False, ("none", "claimed", True)),
        ("", True, ("none", "claimed", True)),
        ("192.0.2.0/24, ::1", True, ("none", "claimed", True)),
        ("192.0.2.7, 127.0.0.0/8", False, ("pass", "verified", False)),
        ("127.0.0.1", True, ("pass", "verified", False)),
    ],
)
async def test_only_our_own_servers_say_whose_mail_it_is(
    listening: Start, since: Since, relays: str, line: bool, expected: tuple[str, str, bool]
) -> None:
    """Whoever reaches the port can write the report, and the `Received` of our server as well."""
    below = (
        {"Received": "from evil.example by mx.shop.example; Mon, 5 Jan 2026 12:00:00 +0000"} if line else {}
    )
    forged = mail(1, **{"Authentication_Results": REPORT, **below})
    # Fields stand in the order in which they are given, after those that every mail has.
    head, _, body = forged.partition(b"\r\nAuthentication-Results:")
    own, _, text = body.partition(b"\r\n\r\n")
    async with listening(smtp_relays=relays) as port:
        await send(port, b"Authentication-Results:" + own + b"\r\n" + head + b"\r\n\r\n" + text)
        (found,) = await since.messages()
    (handle,) = found.sender.handles
    forged_mark = "foreign_authentication_results" in found.marks
    assert (found.sender.authentication, handle.proof, forged_mark) == expected


async def test_what_is_taken_begins_with_the_trace_of_it(
    listening: Start, since: Since, tmp_path: Path
) -> None:
    certificate = made_in(tmp_path)

    def work(connection: smtplib.SMTP) -> None:
        connection.ehlo("(by mx.shop.example")
        connection.sendmail(FROM, [TO], mail(1))
        connection.ehlo("out.example.com")
        connection.sendmail(FROM, [TO, "returns@shop.example"], mail(2))
        connection._host = "127.0.0.1"  # type: ignore[attr-defined]
        connection.starttls(context=ssl.create_default_context(cafile=str(certificate.chain)))
        connection.ehlo("[192.0.2.1]")
        connection.sendmail(FROM, [TO], mail(3))

    async with listening(smtp_certificate=certificate.chain, smtp_key=certificate.key) as port:
        await client(port, work)
        found = sorted(await since.messages(), key=lambda message: message.subject or "")
    traces = [message.raw.inline.split(b"\r\nFrom:")[0].decode() for message in found]  # type: ignore[union-attr]
    shapes = [
        re.fullmatch(
            r"Received: from (\S+) \(\[127\.0\.0\.1\]\)\r\n\tby \S+ with (\w+) id \w+;\r\n\t\w{3}, .* \+0000",
            one,
        )
        for one in traces
    ]
    said = [shape.groups() if shape else None for shape in shapes]
    plain = ("out.example.com", "ESMTP")
    assert said == [("unknown", "ESMTP"), plain, plain, ("[192.0.2.1]", "ESMTPS")]


def test_a_relay_that_is_no_address_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match=r"FRONTDESK_SMTP_RELAYS: .* does not appear to be an IPv4"):
        smtp._networks("192.0.2.7, mx.example.com")


def test_the_limit_that_is_announced_is_the_channel_s() -> None:
    assert LIMITS["email"].body == smtp._MOST_BYTES
