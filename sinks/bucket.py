"""The archive in a bucket, at any provider that speaks S3 (https://docs.aws.amazon.com/AmazonS3/latest/API). The only importer
of obstore, which is the extra `s3`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from contracts.errors import Transient
from runtime.settings import Bucket

if TYPE_CHECKING:
    # Exists for type checkers only.
    from obstore.store import S3Config

_RETRIES = 2
_SECONDS = timedelta(seconds=20)


class BucketArchive:
    """Objects are named as the folder's files are. S3 answers a put when the object is durable, and shows it whole or not at
    all."""

    def __init__(self, bucket: Bucket) -> None:
        given: S3Config = {"region": bucket.region, "virtual_hosted_style_request": not bucket.endpoint}
        if bucket.endpoint:
            given["endpoint"] = bucket.endpoint
        if bucket.access_key:
            given |= {"access_key_id": bucket.access_key, "secret_access_key": bucket.secret_key}
        self._store = S3Store(
            bucket.name,
            prefix=bucket.prefix or None,
            config=given,
            client_options={"allow_http": bucket.endpoint.startswith("http://"), "timeout": _SECONDS},
            retry_config={"max_retries": _RETRIES, "retry_timeout": _SECONDS},
        )

    async def put(self, blobs: Mapping[str, bytes]) -> None:
        async with _reached():
            await asyncio.gather(
                *(obstore.put_async(self._store, _name(digest), content) for digest, content in blobs.items())
            )

    async def get(self, ref: str) -> bytes:
        digest = ref.rpartition(":")[2]
        async with _reached():
            with suppress(FileNotFoundError):
                found = await obstore.get_async(self._store, _name(digest))
                return bytes(await found.bytes_async())
        raise FileNotFoundError(digest)

    async def put_since(self, digest: str) -> float | None:
        async with _reached():
            with suppress(FileNotFoundError):
                found = await obstore.head_async(self._store, _name(digest))
                return max(0.0, time.time() - found["last_modified"].timestamp())
        return None

    async def remove(self, digest: str) -> None:
        async with _reached():
            with suppress(FileNotFoundError):
                await obstore.delete_async(self._store, _name(digest))


def _name(digest: str) -> str:
    return f"{digest[:2]}/{digest}"


@asynccontextmanager
async def _reached() -> AsyncIterator[None]:
    """The library's errors quote the whole call: only their kind is passed on. Where nothing can be missing but the bucket
    itself, that is one of them."""
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        raise Transient(f"archive: {type(error).__name__}") from None
