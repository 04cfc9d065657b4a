"""The archive in a bucket, over HTTP to a server that speaks S3."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from contracts.errors import Transient
from contracts.ids import sha256_hex
from frontdesk.embedded.process import free_port
from runtime.settings import Bucket, Settings, SettingsError
from sinks.archive import Archive, FolderArchive, archive_of
from tests.support.chain import wait_for

ONE, LARGE = b"one", b"x" * (12 << 20)


def blobs(*contents: bytes) -> dict[str, bytes]:
    return {sha256_hex(content): content for content in contents}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _status("GET", url) == 200, 60, "the server answers")
        assert _status("PUT", f"{url}/letters") == 200
        yield url
    finally:
        server.kill()
        server.wait()


def _status(method: str, url: str) -> int:
    try:
        return httpx.request(method, url, trust_env=False).status_code
    except httpx.TransportError:
        return 0


def bucket(endpoint: str, name: str = "letters") -> Bucket:
    return Bucket(name=name, endpoint=endpoint, access_key="key", secret_key="secret", prefix="frontdesk")


@pytest.fixture
def archive(endpoint: str) -> Archive:
    return archive_of(Settings(bucket=bucket(endpoint)))


async def test_bytes_come_back_by_their_reference(archive: Archive, endpoint: str) -> None:
    await archive.put(blobs(ONE, LARGE, b""))
    for content in (ONE, LARGE, b""):
        assert await archive.get(f"sha256:{sha256_hex(content)}") == content
    with pytest.raises(FileNotFoundError):
        await archive.get(f"sha256:{sha256_hex(b'never put')}")
    async with httpx.AsyncClient(trust_env=False) as client:
        listed = (await client.get(f"{endpoint}/letters")).text
    digest = sha256_hex(ONE)
    assert f"<Key>frontdesk/{digest[:2]}/{digest}</Key>" in listed


async def test_what_is_removed_is_gone_and_may_be_put_again(archive: Archive) -> None:
    digest = sha256_hex(ONE)
    await archive.put(blobs(ONE))
    assert await archive.put_since(digest) is not None
    for _ in range(2):
        await archive.remove(digest)
    assert await archive.put_since(digest) is None
    await archive.put(blobs(ONE))
    assert await archive.get(digest) == ONE


async def test_nothing_is_acknowledged_when_the_bucket_is_not_there(endpoint: str) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    for away in (bucket(nowhere), bucket(endpoint, name="missing")):
        with pytest.raises(Transient, match=r"^archive: ") as error:
            await archive_of(Settings(bucket=away)).put(blobs(ONE))
        assert "secret" not in str(error.value)


def test_without_a_bucket_the_archive_is_a_folder(tmp_path: Path) -> None:
    assert isinstance(archive_of(Settings(data=tmp_path)), FolderArchive)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "sinks.bucket", raising=False)
    with pytest.raises(SettingsError, match=r"FRONTDESK_BUCKET.*obstore.*extra `s3`"):
        archive_of(Settings(bucket=Bucket(name="letters")))
