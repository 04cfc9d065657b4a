"""What opens the webhooks: secrets by account, from the settings of the process."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.workspace import Workspace
from ingest.channel import Served
from runtime.settings import Hook, Settings

Openings = Mapping[tuple[str, str], Served]


class Hooks:
    """An account without an entry has no secret, and is closed."""

    def __init__(self, settings: Settings) -> None:
        bots = (
            Hook(workspace=bot.workspace, channel="telegram", account=bot.account, secrets=(bot.secret,))
            for bot in settings.bots
            if bot.secret
        )
        self._hooks = {
            (hook.workspace, hook.channel, hook.account): hook for hook in (*bots, *settings.hooks)
        }
        self._served: dict[tuple[str, str, str], tuple[Workspace, Openings]] = {}

    def of(self, workspace: str, channel: str, account: str) -> Hook:
        none = Hook(workspace=workspace, channel=channel, account=account)
        return self._hooks.get((workspace, channel, account), none)

    def served(self, workspace: Workspace, called: Hook) -> Openings:
        """The accounts that a call to this one may be for, by channel and the provider's own name: those with a secret in
        common, since the signature speaks for no other. Under an empty name: what takes all that a channel is sent."""
        key = (called.workspace, called.channel, called.account)
        known = self._served.get(key)
        if known is None or known[0] is not workspace:
            # Once for each configuration, and not for each call.
            known = self._served[key] = (workspace, self._opened(workspace, called))
        return known[1]

    def _opened(self, workspace: Workspace, called: Hook) -> Openings:
        secrets = set(called.secrets)
        opened = [
            account
            for account in workspace.accounts
            if secrets & set(self.of(workspace.slug, account.channel, account.id).secrets)
        ]
        found = {(a.channel, a.number): Served(a.id, a.store) for a in opened if a.number}
        for channel in {account.channel for account in opened}:
            unnamed = [a for a in opened if a.channel == channel and not a.number]
            own = [a for a in unnamed if (a.channel, a.id) == (called.channel, called.account)]
            if own or len(unnamed) == 1:
                account = (own or unnamed)[0]
                found[channel, ""] = Served(account.id, account.store)
        return found
