"""Whether the identity graph is what its history says."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from identity.graph import Graph, fold
from runtime.postgres import Database
from sinks.postgres.identity_history import StoredGraph, history, stored_graph


async def differences(database: Database, workspace: UUID) -> list[str]:
    """A sentence for each link, merge, pointer or separation that the history and the tables have differently."""
    found = await _look(database, workspace)
    # What is written between the reads only looks different: once more, and such a sentence is another or gone.
    return [line for line in await _look(database, workspace) if line in found] if found else []


async def _look(database: Database, workspace: UUID) -> list[str]:
    async with database.transaction([workspace]) as connection:
        graph = fold(await history(connection, workspace))
        return list(_differences(graph, await stored_graph(connection, workspace)))


def _differences(graph: Graph, stored: StoredGraph) -> Iterable[str]:
    for link in sorted(graph.links.keys() | stored.links.keys()):
        said, found = graph.links.get(link), stored.links.get(link)
        # Links from before the column do not know what proved them last.
        said = said._replace(proven_by=None) if said else None
        if said != found:
            (_, kind, value), customer = link
            yield f"link of {kind}:{value} with {customer}: {said} in the history, {found} in the table"
    pointers = {source: graph.root(source) for source in graph.merges}
    for name, one, other in (("merge", graph.merges, stored.merges), ("root", pointers, stored.pointers)):
        for source in sorted(one.keys() | other.keys()):
            if one.get(source) != other.get(source):
                yield f"{name} of {source}: {one.get(source)} in the history, {other.get(source)} in the table"
    for pair in graph.separations ^ stored.separations:
        yield f"separation of {' and '.join(map(str, sorted(pair)))}: in one of the two only"
