"""`frontdesk keys` against a running desk: a key opens it until it is revoked, and is printed only when it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest

from tests.support.command import Command, frontdesk
from tests.support.desk import Desk, running_desk
from tests.support.system import Dsns


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database) as desk:
        yield desk


@pytest.fixture
def keys(database: Dsns) -> Command:
    """`frontdesk keys …` on the shop's database."""
    return partial(frontdesk, "keys", postgres=database.app, workspace="shop")


async def status(desk: Desk, key: str) -> int:
    """What the desk answers to the holder of this key."""
    async with httpx.AsyncClient(base_url=desk.url, trust_env=False) as client:
        return (await client.get("/tickets", headers={"Authorization": f"Bearer {key}"})).status_code


async def test_a_key_opens_the_desk_until_it_is_revoked(desk: Desk, keys: Command) -> None:
    made = await keys("create", "ann")
    key = made.output.strip()
    assert made.code == 0
    assert await status(desk, key) == 200
    [shown] = (await keys("list", "--json")).rows
    assert (shown["agent"], shown["role"], shown["revoked_at"]) == ("ann", "agent", None)
    assert (await keys("revoke", shown["key_id"])).code == 0
    assert await status(desk, key) == 401
    assert (await keys("list", "--json")).rows[0]["revoked_at"] is not None


async def test_the_secret_is_printed_once_and_stored_nowhere(desk: Desk, keys: Command) -> None:
    [made] = (await keys("create", "ann", "--json")).rows
    secret = made["key"].split("_")[2]
    assert secret not in str(await desk.rows("SELECT k::text FROM api_keys k"))
    for listed in (await keys("list"), await keys("list", "--json")):
        assert made["key_id"] in listed.output
        assert secret not in str(listed)


async def test_the_role_is_the_agents_own_unless_another_is_named(desk: Desk, keys: Command) -> None:
    await keys("create", "lea")
    await keys("create", "ann", "--role", "lead")
    listed = (await keys("list", "--json")).rows
    assert {(key["agent"], key["role"]) for key in listed} == {("lea", "lead"), ("ann", "lead")}


async def test_unknown_agents_and_keys_are_refused_by_name(desk: Desk, keys: Command) -> None:
    unknown = await keys("create", "zoe")
    assert (unknown.code, unknown.output) == (1, "")
    assert "'zoe'; known are ann, ben, cem, lea" in unknown.errors
    missing = await keys("revoke", "0000")
    assert missing.code == 1
    assert "0000" in missing.errors
