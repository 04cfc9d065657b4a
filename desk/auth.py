"""Who asks: API keys, and what their holders may see."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast
from uuid import UUID

from contracts.errors import Refused
from contracts.membership import Membership
from contracts.ticket import Ticket
from contracts.workspace import Workspace
from router.rulesets import RuleSets
from runtime.postgres import Connection, Database
from sinks.postgres.config_store import WorkspaceCache
from sinks.postgres.key_store import KeyStore, StoredKey, still_in_force
from sinks.postgres.sql import Answer

Role = Literal["agent", "lead", "admin"]

_PREFIX = "fd"
_SECRET_BYTES = 32

_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Viewer:
    """The holder of a key, with the configuration in force at this request."""

    workspace: UUID
    agent: str
    role: Role
    config: Workspace
    membership: Membership
    still: Callable[[Connection], Awaitable[Answer[None]]] | None = None
    """Asks whether the key is in force, where `acting` is to ask it; the answer raises `Refused` with 401 when it is not."""

    @property
    def actor(self) -> str:
        """As audit rows and events name them."""
        return f"agent:{self.agent}"

    @property
    def name(self) -> str:
        """What customers are shown of the agent."""
        return next((agent.name for agent in self.config.agents if agent.id == self.agent), self.agent)

    @property
    def departments(self) -> tuple[str, ...]:
        """Departments that the agent is a member of. The default department, where it is only implied, is everybody's."""
        return self.membership.departments(self.agent)

    @property
    def visible(self) -> tuple[str, ...] | None:
        """Departments whose tickets may be seen; None: all. Leads and admins see all; so does everybody while the
        workspace has no department."""
        if self.role != "agent" or not self.config.departments:
            return None
        return self.departments

    def sees(self, ticket: Ticket) -> bool:
        """Also what they hold themselves, which may lie in a department that they help out."""
        return self.visible is None or ticket.department in self.visible or ticket.agent == self.agent


class Authenticator:
    """Recognises the keys of the workspaces that this process serves."""

    def __init__(
        self, keys: KeyStore, workspaces: WorkspaceCache, rules: RuleSets, served: Sequence[UUID]
    ) -> None:
        self._keys = keys
        self._workspaces = workspaces
        self._rules = rules
        self._served = served
        self._known = dict[str, StoredKey]()

    async def viewer(self, authorization: str | None, acts: bool = False) -> Viewer:
        """The holder of the key in an `Authorization: Bearer` header. Raises `Refused` with 401, in the same words
        whatever is wrong with it. `acts`: all that the viewer does is done in `acting`, which asks whether a key that was
        known before is still in force, together with what it asks anyway."""
        parts = _parse(authorization)
        known = self._known.get(parts[0]) if parts and acts else None
        stored = known or (await self._find(parts[0]) if parts else None)
        if parts is None or stored is None or not hmac.compare_digest(_hash(parts[1]), stored.secret_sha256):
            raise _unauthorized()
        await self._workspaces.refresh([stored.workspace])
        rules = self._rules.get(stored.workspace)
        if rules is None:
            raise Refused("unconfigured", "this workspace has no configuration in force", status=503)
        role, still = cast(Role, stored.role), partial(self._still, parts[0], stored) if known else None
        return Viewer(stored.workspace, stored.agent, role, rules.workspace, rules.membership, still)

    async def _find(self, key_id: str) -> StoredKey | None:
        stored = await self._keys.find(self._served, key_id)
        if stored is not None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key_id] = stored
        return stored

    async def _still(self, key_id: str, key: StoredKey, connection: Connection) -> Answer[None]:
        in_force = await still_in_force(connection, key_id, key)

        async def answer() -> None:
            if not await in_force():
                self._known.pop(key_id, None)
                raise _unauthorized()

        return answer


@asynccontextmanager
async def acting(database: Database, viewer: Viewer) -> AsyncIterator[Connection]:
    """A `short` transaction for what the viewer does. Raises `Refused` with 401, whatever came of it, when their key is not
    in force: then nothing of it is stored."""
    async with database.short([viewer.workspace]) as connection:
        check = await viewer.still(connection) if viewer.still else _unneeded
        try:
            yield connection
        except Refused:
            await check()
            raise
        await check()


async def _unneeded() -> None:
    """The key was looked up for this very request."""


def _unauthorized() -> Refused:
    return Refused("unauthorized", "a valid API key is required", status=401)


async def create_key(database: Database, workspace: UUID, agent: str, role: Role) -> str:
    """A new key `fd_<keyid>_<secret>`. It cannot be shown again: only the hash of its secret is stored."""
    public, secret = secrets.token_hex(8), secrets.token_hex(_SECRET_BYTES)
    await KeyStore(database).add(public, StoredKey(workspace, agent, role, _hash(secret)))
    return f"{_PREFIX}_{public}_{secret}"


def key_id(key: str) -> str:
    """The part of a key that may be shown, and that revokes it."""
    return key.split("_")[1]


def _parse(authorization: str | None) -> tuple[str, str] | None:
    """Key id and secret."""
    scheme, _, token = (authorization or "").partition(" ")
    parts = token.strip().split("_")
    if scheme.lower() != "bearer" or len(parts) != 3 or parts[0] != _PREFIX:
        return None
    return parts[1], parts[2]


def _hash(secret: str) -> bytes:
    # A fast hash is enough: the secret is 256 random bits, nothing that a dictionary could hold.
    return hashlib.sha256(secret.encode()).digest()
