"""Who belongs to a department, and to its categories: the configuration's two sides (a department's list, an agent's own) as
one answer. Agents who are not active belong to nothing."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.workspace import Agent, Category, Department, Workspace


class Membership:
    """Of one configuration; it never changes. Departments by id, categories by path."""

    def __init__(self, config: Workspace) -> None:
        self._agents = {agent.id: agent for agent in config.agents if agent.active}
        self._categories = {category.path: category for category in config.categories}
        self._departments = {department.id: self._of(department) for department in config.departments}
        self._implied = config.default_department

    def members(self, department: str, category: str | None = None) -> tuple[str, ...]:
        """Agent ids in the order of their turns. A category that is not the department's is nobody's but the department's."""
        everybody = self._departments.get(department, ())
        node = self._categories.get(category) if category is not None else None
        if node is None or node.department != department:
            return everybody
        if node.members is not None:
            return tuple(agent for agent in node.members if agent in everybody)
        return tuple(agent for agent in everybody if _chose(self._agents[agent], node.path))

    def departments(self, agent: str) -> tuple[str, ...]:
        """Ids of the departments that the agent is a member of. The default department, where it is only implied, is
        everybody's."""
        own = tuple(department for department, members in self._departments.items() if agent in members)
        return own if self._implied in self._departments else (*own, self._implied)

    def barred(self, agent: str) -> Iterator[Category]:
        """Categories of the agent's departments that are for other members."""
        for path, node in self._categories.items():
            belongs = agent in self._departments.get(node.department, ())
            if belongs and agent not in self.members(node.department, path):
                yield node

    def _of(self, department: Department) -> tuple[str, ...]:
        if department.members == "all":
            return tuple(self._agents)
        listed = [agent for agent in department.members if agent in self._agents]
        own = [a.id for a in self._agents.values() if department.id in a.departments and a.id not in listed]
        return (*listed, *own)


def _chose(agent: Agent, path: str) -> bool:
    """Whether the agent works on a category: a node stands for everything below it."""
    return agent.categories is None or any(
        path == chosen or path.startswith(f"{chosen}/") for chosen in agent.categories
    )
