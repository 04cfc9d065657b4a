"""A workspace's configuration, compiled for deciding: look-ups by name, calendars, all keywords in one set."""

from __future__ import annotations

from contracts.workspace import Account, Agent, Category, Condition, Department, Method, SlaPolicy, Workspace
from router.calendars import WorkingHours
from router.keywords import Keywords, fold


class RuleSet:
    """Immutable. `version` is the hash that every decision names."""

    def __init__(self, workspace: Workspace, version: str) -> None:
        self.workspace = workspace
        self.version = version
        self.agents: dict[str, Agent] = {agent.id: agent for agent in workspace.agents}
        self.categories: dict[str, Category] = {fold(c.path): c for c in workspace.categories}
        self._departments = {fold(name): d for d in workspace.departments for name in (d.name, d.id)}
        self._calendars = {calendar.id: WorkingHours(calendar) for calendar in workspace.calendars}
        self._policies: dict[str, SlaPolicy] = {policy.id: policy for policy in workspace.sla_policies}
        self._accounts = {(account.channel, account.id): account for account in workspace.accounts}
        conditions = [c for rule in workspace.rules for group in rule.groups for c in group]
        self.keywords = Keywords(word for c in conditions for word in _words(c))

    def department(self, named: str | None) -> Department | None:
        """By slug or name, case and diacritics folded."""
        return self._departments.get(fold(named.strip())) if named else None

    @property
    def default_department(self) -> str:
        """The slug of the department that takes what nothing places; it need not be configured."""
        found = self.department(self.workspace.default_department)
        return found.id if found else self.workspace.default_department

    def category(self, path: str | None) -> Category | None:
        return self.categories.get(fold(path.strip())) if path else None

    def account(self, channel: str, account: str) -> Account | None:
        return self._accounts.get((channel, account))

    def calendar(self, department: str) -> WorkingHours | None:
        """The department's working hours; None means always open (the implicit default department)."""
        found = self.department(department)
        return self._calendars.get(found.calendar) if found else None

    def policy(self, department: str) -> SlaPolicy | None:
        found = self.department(department)
        return self._policies.get(found.sla) if found else None

    def members(self, department: str, category: str | None) -> tuple[str, ...]:
        """Agent ids who may get a ticket of this department and category, in configured order."""
        node = self.category(category)
        if node is not None and node.department == department and node.members is not None:
            return node.members
        found = self.department(department)
        return found.members if found else ()

    def method(self, department: str, category: str | None) -> Method:
        """The category's method, else the department's; without either the queue."""
        node = self.category(category)
        if node is not None and node.department == department and node.method is not None:
            return node.method
        found = self.department(department)
        return found.method if found else "queue"


def _words(condition: Condition) -> tuple[str, ...]:
    return (*condition.keywords, *condition.subject)
