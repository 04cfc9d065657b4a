"""Applied configurations: written by `config apply`, read by every process that serves a workspace."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from contracts.ids import workspace_id
from contracts.workspace import Account, Workspace
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.postgres.sql import queries


class ConfigStore:
    """Immutable, effective-dated versions of each workspace's configuration."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(self, config: Workspace, version: str, by: str, effective_from: datetime) -> UUID:
        """Brings a version into force from that moment on (nothing happens if it is then in force already), also one that was
        in force before, and returns the workspace's id."""
        workspace, sql = workspace_id(config.slug), queries("config")
        async with self._database.transaction([workspace]) as connection:
            who = {"workspace": workspace, "slug": config.slug, "name": config.name}
            await connection.execute(sql["upsert_workspace"], who)
            what = {"version": version, "by": by, "body": msgspec.json.encode(config).decode()}
            when = {"workspace": workspace, "effective_from": effective_from}
            await connection.execute(sql["insert_version"], what | when)
            await connection.execute(sql["activate"], {"version": version, "by": by} | when)
            agents = sorted(agent.id for agent in config.agents)
            await connection.execute(sql["upsert_agents"], {"workspace": workspace, "agents": agents})
        return workspace

    async def current(
        self, workspaces: Iterable[UUID], now: datetime, known: dict[UUID, str] | None = None
    ) -> dict[UUID, tuple[str, Workspace | None]]:
        """Version and body in force at `now`; the body is None where the version is the `known` one."""
        wanted = sorted(workspaces)
        versions = [(known or {}).get(workspace) for workspace in wanted]
        parameters = {"workspaces": wanted, "versions": versions, "now": now}
        rows = await self._database.fetch(wanted, queries("config")["current"], parameters)
        return {row[0]: (row[1], _decode(row[2]) if row[2] else None) for row in rows}

    async def version(self, workspace: UUID, version: str) -> Workspace | None:
        """The configuration that a decision of then was made with."""
        parameters = {"workspace": workspace, "version": version}
        rows = await self._database.fetch([workspace], queries("config")["one"], parameters)
        return _decode(rows[0][0]) if rows else None

    async def take_numbers(self, workspace: UUID, count: int) -> int:
        """The first of `count` ticket numbers that nobody else will get."""
        parameters = {"workspace": workspace, "count": count}
        rows = await self._database.fetch([workspace], queries("config")["take_numbers"], parameters)
        return int(rows[0][0])


class WorkspaceCache:
    """The configurations in force, never changing inside a batch: only `refresh` loads. `fresh`: seconds that a look is
    good for."""

    def __init__(self, store: ConfigStore, clock: Clock, fresh: float = 5.0) -> None:
        self._store = store
        self._clock = clock
        self._fresh = fresh
        self._loaded: dict[UUID, tuple[str, Workspace]] = {}
        self._accounts: dict[tuple[UUID, str, str], Account] = {}
        self._checked: dict[UUID, float] = {}

    async def refresh(self, workspaces: Iterable[UUID]) -> None:
        """Loads what is missing or has not been looked at for so long. Raises `Transient` if it cannot."""
        at = time.monotonic()
        stale = [w for w in workspaces if at - self._checked.get(w, -self._fresh) >= self._fresh]
        if not stale:
            return
        known = {workspace: self._loaded[workspace][0] for workspace in stale if workspace in self._loaded}
        found = await self._store.current(stale, self._clock.now(), known)
        for workspace, (version, config) in found.items():
            if config is not None:
                self._loaded[workspace] = (version, config)
                accounts = {(workspace, a.channel, a.id): a for a in config.accounts}
                self._accounts = {k: a for k, a in self._accounts.items() if k[0] != workspace} | accounts
        self._checked.update(dict.fromkeys(stale, at))

    def get(self, workspace: UUID) -> tuple[str, Workspace] | None:
        """Version and configuration, or None for a workspace that has none in force."""
        return self._loaded.get(workspace)

    def all(self) -> list[tuple[UUID, str, Workspace]]:
        """Every loaded workspace."""
        return [(workspace, version, config) for workspace, (version, config) in self._loaded.items()]

    def account(self, workspace: UUID, channel: str, account: str) -> Account | None:
        """The configured account that a message came through."""
        return self._accounts.get((workspace, channel, account))


def _decode(body: str) -> Workspace:
    return msgspec.json.decode(body, type=Workspace)
