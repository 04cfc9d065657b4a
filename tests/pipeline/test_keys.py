"""`frontdesk keys` against a running desk: a key opens it until it is revoked, and is printed only when it is made."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from tests.support.desk import Desk, running_desk
from tests.support.system import Dsns


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database) as desk:
        yield desk


async def frontdesk(database: Dsns, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command on this database."""
    own = {"FRONTDESK_POSTGRES": database.app, "FRONTDESK_WORKSPACE": "shop"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "frontdesk", *arguments),
        env=inherited | own,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def listed(database: Dsns) -> list[dict[str, Any]]:
    _, output, _ = await frontdesk(database, "keys", "list", "--json")
    return [msgspec.json.decode(line) for line in output.splitlines()]


async def status(desk: Desk, key: str) -> int:
    """What the desk answers to the holder of this key."""
    async with httpx.AsyncClient(base_url=desk.url, trust_env=False) as client:
        return (await client.get("/tickets", headers={"Authorization": f"Bearer {key}"})).status_code


async def test_a_key_opens_the_desk_until_it_is_revoked(desk: Desk, database: Dsns) -> None:
    code, output, _ = await frontdesk(database, "keys", "create", "ann")
    key = output.strip()
    assert code == 0
    assert await status(desk, key) == 200
    [shown] = await listed(database)
    assert (shown["agent"], shown["role"], shown["revoked_at"]) == ("ann", "agent", None)
    assert (await frontdesk(database, "keys", "revoke", shown["key_id"]))[0] == 0
    assert await status(desk, key) == 401
    assert (await listed(database))[0]["revoked_at"] is not None


async def test_the_secret_is_printed_once_and_stored_nowhere(desk: Desk, database: Dsns) -> None:
    _, output, _ = await frontdesk(database, "keys", "create", "ann", "--json")
    made = msgspec.json.decode(output)
    secret = made["key"].split("_")[2]
    rows = await desk.rows("SELECT k::text FROM api_keys k")
    assert secret not in str(rows)
    for command in (("list",), ("list", "--json")):
        shown = await frontdesk(database, "keys", *command)
        assert made["key_id"] in shown[1]
        assert secret not in str(shown)


async def test_the_role_is_the_agents_own_unless_another_is_named(desk: Desk, database: Dsns) -> None:
    await frontdesk(database, "keys", "create", "lea")
    await frontdesk(database, "keys", "create", "ann", "--role", "lead")
    assert {(key["agent"], key["role"]) for key in await listed(database)} == {
        ("lea", "lead"),
        ("ann", "lead"),
    }


async def test_unknown_agents_and_keys_are_refused_by_name(desk: Desk, database: Dsns) -> None:
    code, output, errors = await frontdesk(database, "keys", "create", "zoe")
    assert (code, output) == (1, "")
    assert "'zoe'; known are ann, ben, cem, lea" in errors
    code, _, errors = await frontdesk(database, "keys", "revoke", "0000")
    assert code == 1
    assert "0000" in errors
