"""Who belongs to a department, and to its categories: the configuration's two sides (a department's list, an agent's own) as
one answer. Agents who are not active belong to nothing."""

from __future__ import annotations

from contracts.workspace import Agent, Department, Workspace


class Membership:
    """Of one configuration; it never changes. Departments by id, categories by path."""

    def __init__(self, config: Workspace) -> None:
        self._agents = {agent.id: agent for agent in config.agents if agent.active}
        self._categories = {category.path: category for category in config.categories}
        self._departments = {department.id: self._of(department) for department in config.departments}
        # The default department, where it is only implied, is everybody's.
        self._departments.setdefault(config.default_department, tuple(self._agents))

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
        """Ids of the departments that the agent is a member of."""
        return tuple(department for department, members in self._departments.items() if agent in members)

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
