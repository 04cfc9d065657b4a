"""What people do with tickets. What they may not see does not exist for them; everything else is refused with a reason."""

from __future__ import annotations

from contracts.errors import Refused
from contracts.ids import note_id
from contracts.ticket import Change, Priority, Ticket
from desk.auth import Viewer
from desk.changes import Act, Changes, Scene
from desk.tickets import may_hold
from router import statuses
from router.roster import Opening, staff_for
from router.staffing import find
from sinks.postgres.note_store import add_note
from sinks.postgres.rows import StoredTicket, replace
from sinks.postgres.ticket_store import NoteRow

_MAX_NOTE = 20_000


class Work:
    """The desk's use cases that change one ticket. `expected` is the version that the change is based on, or None."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def assign(
        self, viewer: Viewer, named: str, agent: str | None, expected: int | None
    ) -> StoredTicket:
        """Gives the ticket to an agent of its department, or (None) back to the department's queue."""

        async def act(scene: Scene) -> Act:
            _check_holder(viewer, agent, scene.ticket.department)
            detail = {"agent": [scene.ticket.agent, agent]}
            change: Change = "unassigned" if agent is None else "assigned"
            return Act(replace(scene.ticket, agent=agent, held_back=agent is None), change, detail)

        return await self._changes.make(viewer, named, expected, act)

    async def transfer(
        self,
        viewer: Viewer,
        named: str,
        department: str,
        category: str | None,
        agent: str | None,
        reason: str,
        expected: int | None,
    ) -> StoredTicket:
        """Gives the ticket to another department: to the agent, else to whom its method finds. Number, messages, notes and
        trail stay; the deadline goes on in the new department's hours; its own process begins at the start."""

        async def act(scene: Scene) -> Act:
            before = scene.ticket
            found = scene.rules.department(department)
            if found is None or found.id == before.department:
                why = "no such department" if found is None else "the ticket is there already"
                raise Refused("unknown_department", why, status=422, field="department")
            moved = _categorised(
                scene, replace(before, department=found.id, agent=None, step=None, held_back=False), category
            )
            _check_holder(viewer, agent, found.id)
            detail: dict[str, object] = {
                "department": [before.department, found.id],
                "category": [before.category, moved.category],
                "reason": reason,
            }
            return await _placed(scene, moved, agent, detail)

        return await self._changes.make(viewer, named, expected, act)

    async def set_status(self, viewer: Viewer, named: str, status: str, expected: int | None) -> StoredTicket:
        """Moves the ticket on in the process of its department. Raises `NotAllowed`."""

        async def act(scene: Scene) -> Act:
            department = scene.rules.department(scene.ticket.department)
            return _status(scene, statuses.moved(scene.ticket, department, status))

        return await self._changes.make(viewer, named, expected, act)

    async def wait_for_customer(self, viewer: Viewer, named: str, expected: int | None) -> StoredTicket:
        """Until the customer writes: it does not count against the pull limit, and the resolution's clock stands still."""

        async def act(scene: Scene) -> Act:
            department = scene.rules.department(scene.ticket.department)
            return _status(scene, statuses.waiting(scene.ticket, department))

        return await self._changes.make(viewer, named, expected, act)

    async def note(
        self, viewer: Viewer, named: str, text: str, key: str, expected: int | None
    ) -> StoredTicket:
        """Adds a note for colleagues. The same key again changes nothing."""
        text = text.replace("\0", "\ufffd").strip()
        if not text or len(text) > _MAX_NOTE:
            raise Refused("note_length", f"1 to {_MAX_NOTE} characters", status=422, field="text")

        async def act(scene: Scene) -> Act:
            ticket = scene.ticket.id
            note = note_id(viewer.workspace, ticket, key)
            row = NoteRow(viewer.workspace, note, ticket, viewer.agent, text, scene.now)
            added = await add_note(scene.connection, row)
            return Act(scene.ticket, "noted", {"note": note}, always=added)

        return await self._changes.make(viewer, named, expected, act)

    async def categorise(
        self, viewer: Viewer, named: str, category: str | None, expected: int | None
    ) -> StoredTicket:
        """Sets the category, one of the ticket's department; None takes it away. Whoever has the ticket keeps it."""

        async def act(scene: Scene) -> Act:
            after = _categorised(scene, scene.ticket, category)
            return Act(after, "categorised", {"category": [scene.ticket.category, after.category]})

        return await self._changes.make(viewer, named, expected, act)

    async def prioritise(
        self, viewer: Viewer, named: str, priority: Priority, expected: int | None
    ) -> StoredTicket:
        """Sets the priority, and with it the deadlines."""

        async def act(scene: Scene) -> Act:
            detail = {"priority": [scene.ticket.priority, priority]}
            return Act(replace(scene.ticket, priority=priority), "prioritised", detail)

        return await self._changes.make(viewer, named, expected, act)


async def _placed(scene: Scene, moved: Ticket, agent: str | None, detail: dict[str, object]) -> Act:
    """The transferred ticket with whoever gets it."""
    found = None
    if agent is None and moved.status != "solved":
        staff = await staff_for(scene.connection, [Opening(moved, scene.rules)])
        found = find(moved, staff, scene.rules, scene.now)
        detail["assignment"] = found.record
        agent = found.agent
    detail["agent"] = [scene.ticket.agent, agent]
    return Act(replace(moved, agent=agent), "transferred", detail, found=found)


def _status(scene: Scene, after: Ticket) -> Act:
    detail: dict[str, object] = {"status": [scene.ticket.status, after.status]}
    if after.step != scene.ticket.step:
        detail["step"] = [scene.ticket.step, after.step]
    return Act(after, "status_changed", detail)


def _check_holder(viewer: Viewer, agent: str | None, department: str) -> None:
    if agent is not None and not may_hold(viewer.config, agent, department):
        raise Refused("unknown_agent", "not an agent of this department", status=422, field="agent")


def _categorised(scene: Scene, ticket: Ticket, category: str | None) -> Ticket:
    """With a category of its department, as it is configured."""
    found = scene.rules.category(category)
    if category is not None and (found is None or found.department != ticket.department):
        categories = scene.rules.workspace.categories
        known = ", ".join(c.path for c in categories if c.department == ticket.department)
        detail = f"not a category of this department; it has {known or 'none'}"
        raise Refused("unknown_category", detail, status=422, field="category")
    if found is None:
        return replace(ticket, category=None, category_id=None)
    return replace(ticket, category=found.path, category_id=found.id)
