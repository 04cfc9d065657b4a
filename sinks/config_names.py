"""What a workspace's files may refer to, and how a reference that leads nowhere is told."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.workspace import Workspace
from sinks.yaml_files import Location

Finding = tuple[Location, str, str]
"""Where in the workspace, what is wrong, what to do."""


class Names:
    """What may be referred to, and how a reference that leads nowhere is told."""

    def __init__(self, workspace: Workspace) -> None:
        self.agents = {agent.id for agent in workspace.agents}
        self.stores = {store.id for store in workspace.stores}
        self.calendars = {calendar.id for calendar in workspace.calendars}
        self.policies = {policy.id for policy in workspace.sla_policies}
        self.departments = {d.id for d in workspace.departments} | {workspace.default_department}
        self.categories = {category.path for category in workspace.categories}
        self.accounts = {account.id for account in workspace.accounts}

    def missing(self, location: Location, kind: str, name: str | None, known: set[str]) -> Iterator[Finding]:
        if name is not None and name not in known:
            listed = ", ".join(sorted(known)) or "none"
            yield location, f"no {kind} `{name}`", f"Defined: {listed}."
