"""The accounts that this process serves, from the configurations in force; the last good ones while Postgres is away."""

from __future__ import annotations

import asyncio
import contextlib

from contracts.errors import Transient
from contracts.ids import workspace_id
from contracts.workspace import Account, Workspace
from runtime.settings import Settings
from sinks.postgres.config_store import WorkspaceCache

_REFRESH_SECONDS = 5.0


class Accounts:
    """Accounts by channel and id. Of two workspaces with the same id the first in FRONTDESK_WORKSPACE is meant; others are
    reached as `workspace:id`."""

    def __init__(self, settings: Settings, cache: WorkspaceCache) -> None:
        self._slugs = settings.workspaces
        self._cache = cache

    @property
    def loaded(self) -> bool:
        """Whether every workspace has a configuration."""
        return all(self._cache.get(workspace_id(slug)) for slug in self._slugs)

    async def check(self) -> None:
        """Raises until every workspace has one: without, a door knows nobody."""
        if not self.loaded:
            raise RuntimeError("no configuration yet")

    def find(self, channel: str, named: str) -> tuple[Workspace, Account] | None:
        slug, _, account_id = named.rpartition(":")
        for candidate in (slug,) if slug else self._slugs:
            found = self._cache.get(workspace_id(candidate)) if candidate in self._slugs else None
            account = self._cache.account(workspace_id(candidate), channel, account_id)
            if found is not None and account is not None:
                return found[1], account
        return None

    def only(self, channel: str) -> tuple[Workspace, Account] | None:
        """The channel's account where there is just one, in all workspaces together."""
        found = [
            (config, account)
            for _, _, config in self._cache.all()
            if config.slug in self._slugs
            for account in config.accounts
            if account.channel == channel
        ]
        return found[0] if len(found) == 1 else None

    def addressed(self, address: str) -> list[tuple[Workspace, Account]]:
        """The mail accounts of all workspaces that receive this address, whatever stands after a plus (RFC 5233)."""
        wanted = _mailbox(address)
        return [
            (config, account)
            for _, _, config in self._cache.all()
            if config.slug in self._slugs
            for account in config.accounts
            if account.channel == "email" and account.address and _mailbox(account.address) == wanted
        ]

    async def keep_fresh(self) -> None:
        """For ever."""
        while True:
            with contextlib.suppress(Transient):
                await self._cache.refresh([workspace_id(slug) for slug in self._slugs])
            await asyncio.sleep(_REFRESH_SECONDS if self.loaded else 0.2)


def options(workspace: Workspace, account: Account) -> dict[str, str]:
    """What an account's channel wants to know of its configuration."""
    found = {name: "yes" for name in ("groups", "sender_verified") if getattr(account, name)}
    if account.address:
        found["address"] = account.address
    if account.authserv:
        found["authserv"] = ",".join(account.authserv)
    if account.arc_sealers:
        found["arc_sealers"] = ",".join(account.arc_sealers)
    if account.reply_to:
        found["reply_to"] = "trust"
    if not account.forwards:
        found["forwards"] = "off"
    if account.channel == "email" and workspace.domain_trust:
        found["domain_trust"] = ",".join(f"{one}={trust}" for one, trust in workspace.domain_trust.items())
    return found


def _mailbox(address: str) -> str:
    """Without detail and case: every mail server of today compares so."""
    local, _, domain = address.strip().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}".casefold()
