"""Addresses that a message may name to make us call ourselves: none of them reaches anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore
import pytest

from contracts.errors import Transient
from ingest.channel import Access, channels
from ingest.media.download import Downloader
from runtime.reach import Network, Reach, Unfetchable, is_public
from tests.support.provider import Answer, Provider, provider

# `{port}` is that of a server of ours which counts its connections.
HOSTILE = (
    # names and plain forms
    *("https://127.0.0.1:{port}/x", "http://127.0.0.1:{port}/x", "https://localhost:{port}/", "https://127.0.0.1/"),
    *("https://localhost/", "https://localhost.:{port}/", "https://0.0.0.0:{port}/", "https://127.1:{port}/"),
    # one number, octal, hex, mixed, too many digits
    *("https://2130706433:{port}/", "https://0x7f000001:{port}/", "https://017700000001:{port}/"),
    *("https://0177.0.0.1:{port}/", "https://0x7f.0.0.1:{port}/", "https://0x7f.1:{port}/", "https://127.0.1:{port}/"),
    *("https://0177.0x0.0.1:{port}/", "https://00000177.0.0.1:{port}/", "https://127.127.127.127:{port}/", "https://0:{port}/"),
    # version 6, and version 4 within it
    *("https://[::1]:{port}/", "https://[::]:{port}/", "https://[0:0:0:0:0:0:0:1]:{port}/", "https://[::ffff:127.0.0.1]:{port}/"),
    *("https://[::ffff:7f00:1]:{port}/", "https://[0:0:0:0:0:ffff:127.0.0.1]:{port}/", "https://[::127.0.0.1]:{port}/"),
    *("https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[2001:0:7f00:1::]/", "https://[fe80::1]/"),
    *("https://[fd00:ec2::254]/latest/", "https://[fec0::1]/", "https://[::1%25lo]:{port}/", "https://[ff02::1]/"),
    # other machines of ours, and of clouds
    *("https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/"),
    *("https://100.64.0.1/", "https://100.100.100.200/", "https://168.63.129.16/", "https://198.18.0.1/", "https://192.0.0.192/"),
    *("https://0xa9fea9fe/", "https://224.0.0.1/", "https://255.255.255.255/", "https://metadata.google.internal/"),
    # who is really meant
    *("https://media.cdn.viber.com@127.0.0.1:{port}/", "https://media.cdn.viber.com:443@127.0.0.1:{port}/"),
    *("https://127.0.0.1:{port}\\@media.cdn.viber.com/", "https://127.0.0.1:{port}#@media.cdn.viber.com/"),
    *("https://127.0.0.1:{port}?@media.cdn.viber.com/", "https://media.cdn.viber.com.127.0.0.1.nip.io:{port}/"),
    *("https://media.cdn.viber.com.evil.example/", "https://evilviber.com/", "https://media.cdn.viber.com:{port}/"),
    *("https://①②⑦.⓪.⓪.①:{port}/", "https://127。0。0。1:{port}/", "https://127.0.0.1:{port}\t/", " https://127.0.0.1:{port}/"),
    *("https://127.0.0.1:{port}\r\nHost: media.cdn.viber.com/", "https:///127.0.0.1:{port}/", "//127.0.0.1:{port}/"),
    # other schemes
    *("file:///etc/passwd", "file://127.0.0.1:{port}/etc/passwd", "gopher://127.0.0.1:{port}/_GET", "dict://127.0.0.1:{port}/"),
    *("ftp://127.0.0.1:{port}/", "data:text/plain,x", "jar:http://127.0.0.1:{port}!/", "ldap://127.0.0.1:{port}/", "ws://127.0.0.1:{port}/"),
    *("unix:///var/run/docker.sock", "javascript:alert(1)", "http://media.cdn.viber.com/", "https://media.cdn.viber.com:99999/"),
)  # fmt: skip

VIBER = channels()["viber"]
VIBER_HOSTS = (".viber.com",)


@pytest.fixture
async def canary() -> AsyncIterator[Provider]:
    async with provider() as found:
        yield found


class Recorded(httpcore.AsyncNetworkBackend):
    """A network that leads to this machine only, and remembers where it was to lead to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._net = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, *more: Any, **named: Any
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        if is_public(host):
            raise httpcore.ConnectError("outside")
        return await self._net.connect_tcp(host, port, *more, **named)


class Resolver:
    """Answers in turn, the last one for ever."""

    def __init__(self, *answers: Iterable[str]) -> None:
        self._answers = [list(answer) for answer in answers]
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://user:word@media.cdn.viber.com/a", "userinfo"),
        ("https://media.cdn.viber.com:8443/a", "port"),
        ("http://media.cdn.viber.com/a", "scheme"),
        ("https://viber.com/a", "host"),
        ("https://media.cdn.viber.com\\.evil.example/a", "malformed"),
        ("https://[::1/a", "malformed"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(url: str, reason: str) -> None:
    with pytest.raises(Unfetchable) as refused:
        Reach().checked(url, VIBER_HOSTS)
    assert refused.value.reason == reason


def test_a_listed_host_is_followed() -> None:
    found = Reach().checked("https://MEDIA.cdn.viber.com:443/a?b=c#d", VIBER_HOSTS)
    assert (found.scheme, found.host, found.port, found.target) == (
        b"https",
        b"media.cdn.viber.com",
        443,
        b"/a?b=c",
    )


def test_there_are_enough() -> None:
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("url", HOSTILE)
async def test_a_hostile_address_reaches_nothing(url: str, canary: Provider) -> None:
    """First as a message names it; then as if the wall of listed hosts were not there: the address alone decides."""
    named = url.replace("{port}", str(canary.port))
    downloader = Downloader(Reach(), 1000)
    with pytest.raises(Unfetchable) as refused:
        await downloader.fetch(VIBER, named, Access())
    assert refused.value.state == "refused"
    await downloader.close()
    host = (urlsplit(named.strip()).hostname or "").strip()
    if host and "viber.com" not in host:
        with pytest.raises((Unfetchable, httpcore.ConnectError)):
            await Network(Reach()).connect_tcp(host, canary.port, timeout=1)
    assert canary.connections == 0


async def test_the_canary_sings(canary: Provider) -> None:
    """What is refused above would be counted."""
    for host in ("127.0.0.1", "[::1]", "2130706433", "127.1", "localhost"):
        trusting = Network(Reach([f"http://{host}:{canary.port}"]))
        stream = await trusting.connect_tcp(host.strip("[]"), canary.port, timeout=5)
        await stream.write(b"GET / HTTP/1.1\r\n\r\n")
        await stream.read(1, timeout=5)
        await stream.aclose()
    assert canary.connections == 5


@pytest.mark.parametrize(
    "answer",
    [("127.0.0.1",), ("::1",), ("::ffff:127.0.0.1",), ("169.254.169.254",), ("8.8.8.8", "127.0.0.1"), ("10.1.2.3", "8.8.8.8")],
)  # fmt: skip
async def test_a_listed_host_at_a_private_address_is_not_called(answer: tuple[str, ...]) -> None:
    """Also when only one of its addresses is private: which one is taken would be chance."""
    reach, net, resolver = Reach(), Recorded(), Resolver(answer)
    downloader = Downloader(reach, 1000, Network(reach, resolver, net))
    with pytest.raises(Unfetchable, match="address"):
        await downloader.fetch(VIBER, "https://media.cdn.viber.com/a.jpg", Access())
    assert net.asked == []


async def test_an_answer_that_changes_is_not_asked_for(canary: Provider) -> None:
    """Rebinding: the address that was looked at is the one that is called, and each attempt asks once."""
    reach, net, resolver = Reach(), Recorded(), Resolver(["8.8.8.8"], ["127.0.0.1"])
    downloader = Downloader(reach, 1000, Network(reach, resolver, net))
    with pytest.raises(Transient):
        await downloader.fetch(VIBER, "https://media.cdn.viber.com/a.jpg", Access())
    assert (net.asked, resolver.asked) == (["8.8.8.8"], 1)
    with pytest.raises(Unfetchable, match="address"):
        await downloader.fetch(VIBER, "https://media.cdn.viber.com/a.jpg", Access())
    assert canary.connections == 0


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "https://169.254.169.254/", "//127.0.0.1:{port}/", "file:///etc/passwd"],
)  # fmt: skip
async def test_a_redirect_leads_nowhere_else(location: str, canary: Provider) -> None:
    async with provider() as allowed:
        header = ("location", location.replace("{port}", str(canary.port)))
        url = allowed.gives("/a", Answer(status=302, headers=(header,)))
        with pytest.raises(Unfetchable) as refused:
            await Downloader(Reach([allowed.origin]), 1000).fetch(VIBER, url, Access())
    assert refused.value.reason in {"scheme", "host"}
    assert (allowed.connections, canary.connections) == (1, 0)


async def test_redirects_end() -> None:
    async with provider() as allowed:
        url = allowed.gives("/a", Answer(status=302, headers=(("location", "/a"),)))
        with pytest.raises(Unfetchable, match="redirects"):
            await Downloader(Reach([allowed.origin]), 1000).fetch(VIBER, url, Access())
    assert allowed.connections == 4


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2a00:1450:4001:81b::200e", "2606:4700::1111", "64:ff9b::808:808"]
)
def test_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)
