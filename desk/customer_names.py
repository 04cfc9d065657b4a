"""How people name customers: by id, or by a handle as KIND:VALUE."""

from __future__ import annotations

from uuid import UUID

from contracts.errors import Refused, Transient
from identity.canonical import canonical
from runtime.postgres import Connection
from sinks.postgres import customer_reads, erasing, identity_merges
from sinks.postgres.customer_reads import StoredCustomer
from sinks.postgres.erasing import Subject
from sinks.postgres.identity_merges import Group


async def find(connection: Connection, workspace: UUID, named: str) -> StoredCustomer:
    """The customer of this name. Raises `Refused` with 404."""
    customer: UUID | None
    try:
        customer = UUID(named)
    except ValueError:
        customer = await customer_reads.holder(connection, workspace, *handle(named))
    found = await customer_reads.find(connection, workspace, customer) if customer else None
    if found is None:
        raise Refused("unknown_customer", f"{named}: no customer of this id or handle", status=404)
    return found


async def pair(
    connection: Connection, workspace: UUID, one: str, other: str
) -> tuple[StoredCustomer, StoredCustomer]:
    """Two customers. Raises `Refused` when they are one."""
    first, second = await find(connection, workspace, one), await find(connection, workspace, other)
    if first.id == second.id:
        raise Refused("self_merge", "a customer cannot be merged into itself", status=409)
    if first.root == second.root:
        raise Refused("merged_already", "the two are one customer already", status=409)
    if first.erased or second.erased:
        raise Refused("erased", "a customer that was erased is merged with nobody", status=409)
    return first, second


async def locked(connection: Connection, workspace: UUID, *named: str) -> list[StoredCustomer]:
    """These customers, with everybody merged into the same roots, locked: nobody else changes who they are. Raises
    `Transient` when somebody just did: ask again."""
    found = [await find(connection, workspace, name) for name in named]
    await identity_merges.lock(connection, [(workspace, one.root) for one in found])
    again = [await find(connection, workspace, name) for name in named]
    if found != again:
        raise Transient("identity: a customer was merged meanwhile")
    return found


async def group(connection: Connection, workspace: UUID, root: UUID) -> Group:
    """A root customer with everybody merged into it."""
    (found,), _ = await identity_merges.groups(connection, [(workspace, root)])
    return found


async def subject_of(connection: Connection, workspace: UUID, root: UUID) -> Subject:
    """Whose data it is when somebody asks for theirs: everybody merged into the root, with tickets and messages."""
    members = sorted((await group(connection, workspace, root)).members)
    tickets = await customer_reads.ticket_ids(connection, workspace, members)
    messages = await erasing.messages_of(connection, workspace, members, tickets)
    return Subject(workspace, members, tickets, messages)


def handle(named: str) -> tuple[str, str]:
    """Kind and canonical value. Raises `Refused` with 404 for what is no handle."""
    kind, colon, value = named.partition(":")
    spelled = canonical(kind, value) if colon else None
    if spelled is None:
        raise Refused("unknown_handle", f"{named}: neither an id nor a handle as KIND:VALUE", status=404)
    return kind, spelled


def stated(reason: str) -> str:
    """The reason, which nobody may leave out. Raises `Refused` with 422."""
    if not reason.strip():
        raise Refused("reason_required", "say why", status=422, field="reason")
    return reason.strip()
