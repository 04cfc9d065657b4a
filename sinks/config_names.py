"""What the parts of a workspace may refer to, and how a reference that leads nowhere is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.workspace import Workspace
from sinks.yaml_files import Location

Finding = tuple[Location, str, str]
"""Where in the workspace, what is wrong, what to do."""


class Names:
    """Ids of a workspace's parts; categories by their paths."""

    def __init__(self, workspace: Workspace) -> None:
        self.agents = {agent.id for agent in workspace.agents}
        self.stores = {store.id for store in workspace.stores}
        self.calendars = {calendar.id for calendar in workspace.calendars}
        self.policies = {policy.id for policy in workspace.sla_policies}
        self.departments = {d.id for d in workspace.departments} | {workspace.default_department}
        self.department_names = self.departments | {d.name for d in workspace.departments}
        self.categories = {category.path for category in workspace.categories}
        self.accounts = {account.id for account in workspace.accounts}
        self.templates = {template.id for template in workspace.templates}
        self.webhooks = {webhook.id for webhook in workspace.webhooks}

    def missing(self, location: Location, kind: str, name: str | None, known: set[str]) -> Iterator[Finding]:
        """One finding when the name is given and nothing has it."""
        if name is not None and name not in known:
            listed = ", ".join(sorted(known)) or "none"
            yield location, f"no {kind} `{name}`", f"Defined: {listed}."

    def all_missing(
        self, location: Location, kind: str, names: Iterable[str], known: set[str]
    ) -> Iterator[Finding]:
        """One finding for each name of a list that nothing has."""
        for index, name in enumerate(names):
            yield from self.missing((*location, index), kind, name, known)
