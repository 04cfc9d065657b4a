"""The configurations in force, compiled: each version once a process."""

from __future__ import annotations

from uuid import UUID

from router.ruleset import RuleSet
from sinks.postgres.config_store import WorkspaceCache


class RuleSets:
    """As fresh as the cache it looks into: refresh that one before a batch or a request, and never within."""

    def __init__(self, workspaces: WorkspaceCache) -> None:
        self._workspaces = workspaces
        self._compiled: dict[UUID, RuleSet] = {}

    def get(self, workspace: UUID) -> RuleSet | None:
        """The rule set in force; None for a workspace without a configuration."""
        found = self._workspaces.get(workspace)
        if found is None:
            return None
        compiled = self._compiled.get(workspace)
        if compiled is None or compiled.version != found[0]:
            compiled = self._compiled[workspace] = RuleSet(found[1], found[0])
        return compiled
