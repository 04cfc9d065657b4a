"""Logging in: under TLS alone, to the server that the certificate is for, with a password or with a token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dovecot import USER, Dovecot, running, token
from tests.support.mailbox import Reading, listed, mail
from tests.support.system import Dsns
from tests.support.topics import Since

pytestmark = pytest.mark.skipif(not Dovecot.installed(), reason="dovecot is not installed (make packages)")


@pytest.fixture
def server() -> Iterator[Dovecot]:
    """One that tells nothing to who does not use TLS."""
    with running(secured=True) as dovecot:
        yield dovecot


@pytest.fixture
def trusted(server: Dovecot) -> str:
    """The file of the authorities that the server's certificate is from."""
    assert server.certificate is not None
    return str(server.certificate.chain)


async def test_tls_from_the_first_byte(reading: Reading, server: Dovecot, trusted: str, since: Since) -> None:
    server.deliver(mail(1))
    async with reading(tls="tls", port=server.tls_port, ca_file=trusted):
        assert [m.subject for m in await since.at_least(1)] == ["Order 1"]


async def test_tls_after_starttls_and_idle_under_it(
    reading: Reading, server: Dovecot, trusted: str, since: Since, database: Dsns
) -> None:
    async with reading(tls="starttls", ca_file=trusted):
        await listed(database, lambda source: source.missing == 0)
        server.deliver(mail(1))
        assert [m.subject for m in await since.at_least(1)] == ["Order 1"]


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_a_server_that_nobody_vouches_for_never_sees_the_password(
    reading: Reading, server: Dovecot, since: Since, database: Dsns, tls: str
) -> None:
    async with reading(tls=tls, port=server.tls_port if tls == "tls" else server.port):
        source = await listed(database, lambda source: source.state == "transient_failure")
    assert "CERTIFICATE_VERIFY_FAILED" in (source.reason or "")
    assert "Login" not in server.log()


async def test_a_token_in_a_file_is_read_again_when_it_was_renewed(
    reading: Reading, server: Dovecot, trusted: str, since: Since, database: Dsns, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    mailbox = {"tls": "starttls", "ca_file": trusted, "auth": "xoauth2", "password_file": str(file)}
    file.write_text(token(USER, lasts=-30))
    server.deliver(mail(1))
    async with reading(**mailbox):
        refused = await listed(database, lambda source: source.state == "bad_credentials")
        assert refused.reason == "imap: login refused"
        file.write_text(token(USER, lasts=600))
    async with reading(**mailbox):
        assert [m.subject for m in await since.at_least(1)] == ["Order 1"]
