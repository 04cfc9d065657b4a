"""A workspace's configuration, compiled for deciding: look-ups by name, calendars, all keywords in one set."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from contracts.calendars import WorkingHours
from contracts.inbound import InboundMessage
from contracts.membership import Membership
from contracts.rules import Actions, Method, Rule, Template, Timed, Webhook, timed
from contracts.ticket import Ticket
from contracts.workspace import (
    Account,
    Agent,
    Category,
    Department,
    MailSender,
    Workspace,
)
from router.attendance import Attendance
from router.conditions import Subject, Test
from router.deadlines import starts_at
from router.keywords import fold
from router.service_levels import ServiceLevels
from router.subjects import Asked, Known, Reader

CompiledRule = tuple[Rule, tuple[tuple[Test, ...], ...]]
"""An active rule and its groups."""


def _implicit(slug: str) -> Department:
    """The default department of a workspace that does not list it: a queue nobody is a member of."""
    return Department(id=slug, name=slug, calendar="", sla="", method="queue", public=False)


def _index(rules: Sequence[CompiledRule]) -> tuple[list[int], dict[str, list[int]]]:
    """Numbers of the rules that may hold without a keyword, and of the others by each keyword that may let them."""
    always: list[int] = []
    by_keyword: dict[str, list[int]] = {}
    for number, (_, groups) in enumerate(rules):
        needs = [next((test.needs for test in group if test.needs), ()) for group in groups]
        if not all(needs) or not needs:
            always.append(number)
            continue
        for keyword in {keyword for words in needs for keyword in words}:
            by_keyword.setdefault(keyword, []).append(number)
    return always, by_keyword


class RuleSet:
    """Immutable. `version` is the hash that every decision names."""

    def __init__(self, workspace: Workspace, version: str) -> None:
        self.workspace = workspace
        self.version = version
        self.membership = Membership(workspace)
        self.attendance = Attendance(workspace)
        self.speak_languages = any(agent.languages for agent in workspace.agents)
        """Whether some agent is not for every language."""
        self.agents: dict[str, Agent] = {agent.id: agent for agent in workspace.agents}
        self.categories: dict[str, Category] = {fold(c.path): c for c in workspace.categories}
        implicit = _implicit(workspace.default_department)
        # Ids after names, and what is configured after what is implied: later ones win.
        self._departments = {fold(implicit.id): implicit}
        self._departments |= {fold(d.name): d for d in workspace.departments}
        self._departments |= {fold(d.id): d for d in workspace.departments}
        self.default_department = self._slug(workspace.default_department)
        """The slug of the department that takes what nothing places; it need not be configured."""
        self.levels = ServiceLevels(workspace)
        self._accounts = {(account.channel, account.id): account for account in workspace.accounts}
        self._templates = {template.id: template for template in workspace.templates}
        self._webhooks = {webhook.id: webhook for webhook in workspace.webhooks}
        senders = [workspace.sender, *(department.sender for department in workspace.departments)]
        addresses = [account.address for account in workspace.accounts]
        self._own = {a.lower() for a in (*addresses, *(s.address for s in senders if s)) if a}
        self._rules = tuple(self._compiled(rule) for rule in workspace.rules if rule.active)
        self._always, self._by_keyword = _index(self._rules)
        self._sets = {rule.id: self._targets(rule.actions) for rule, _ in self._rules}
        active = [rule for rule in workspace.rules if rule.active]
        conditions = [condition for rule in active for group in rule.groups for condition in group]
        self._reader = Reader(conditions, workspace.languages, self.levels.calendars, self._slug)
        self.answers = any(rule.actions.auto_reply for rule in active)
        """Whether any rule answers by itself: who was answered when need not be read otherwise."""
        self._triggers = {rule.when for rule in active}
        self.timed: tuple[Timed, ...] = tuple(sorted(filter(None, map(timed, self._triggers))))
        """The triggers by time that some active rule has, for whoever sets timers."""

    def candidates(self, subject: Subject) -> list[CompiledRule]:
        """The active rules that can hold, in written order: most need a keyword, and most keywords are not there."""
        numbers = set(self._always)
        for keyword in subject.hits.get("keywords", ()):
            numbers.update(self._by_keyword.get(keyword, ()))
        return [self._rules[number] for number in sorted(numbers)]

    def _compiled(self, rule: Rule) -> CompiledRule:
        return rule, tuple(tuple(Test(c, self._slug) for c in group) for group in rule.groups)

    def sets(self, rule: Rule) -> dict[str, str]:
        """What an active rule sets, target -> value; department first."""
        return self._sets[rule.id]

    def _targets(self, actions: Actions) -> dict[str, str]:
        """A category brings its department."""
        department, category = self.department(actions.department), self.category(actions.category)
        found = {
            "department": department.id if department else category.department if category else None,
            "category": category.path if category else None,
            "priority": actions.priority,
            "assign": actions.assign,
            "sla": actions.sla,
            "status": actions.status,
            "auto_reply": actions.auto_reply,
        }
        return {target: value for target, value in found.items() if value is not None}

    def _slug(self, named: str) -> str:
        found = self.department(named)
        return found.id if found else named

    def has(self, trigger: str) -> bool:
        """Whether any active rule has this trigger."""
        return trigger in self._triggers

    def reads(self, field: str) -> bool:
        """Whether any condition asks for this field: what nobody asks for need not be read."""
        if field == "customer_tags" and self.workspace.customer_priorities:
            return True
        return self._reader.reads(field)

    def language(self, text: str) -> str | None:
        """Of the workspace's languages; None when the text is too short to tell."""
        return self._reader.detector.language(text)

    def subject(
        self, message: InboundMessage | None, ticket: Ticket | None, known: Known, now: datetime
    ) -> Subject:
        """What this rule set's conditions read. A message counts at its own time, so that a rebuild decides the same; a
        ticket by itself counts `now`. `message`, `ticket`: at least one of them."""
        store = self.store(message) if message is not None else ticket.store if ticket else None
        department = ticket.department if ticket is not None else None
        if department is None and message is not None:
            account = self.account(message.channel, message.account)
            department = (account.department if account else None) or self.default_department
        at = starts_at(message) if message is not None else now
        return self._reader.subject(
            Asked(message, ticket, known, at, store, self.calendar(department or self.default_department))
        )

    def store(self, message: InboundMessage) -> str | None:
        """The message's own, else its account's."""
        account = self.account(message.channel, message.account)
        return message.store or (account.store if account else None)

    def department(self, named: str | None) -> Department | None:
        """By slug or name, case and diacritics folded."""
        if not named:
            return None
        # Nearly always it is the slug, which is folded already.
        return self._departments.get(named) or self._departments.get(fold(named.strip()))

    def category(self, path: str | None) -> Category | None:
        """By path, case and diacritics folded."""
        return self.categories.get(fold(path.strip())) if path else None

    def account(self, channel: str, account: str) -> Account | None:
        """The configured door that a message came through."""
        return self._accounts.get((channel, account))

    def calendar(self, department: str) -> WorkingHours:
        """The department's working hours, as `ServiceLevels.calendar`."""
        return self.levels.calendar(self._slug(department))

    def zone(self, department: str) -> ZoneInfo:
        """The time zone that its people and its calendar live in."""
        found = self.department(department)
        calendar = next((c for c in self.workspace.calendars if found and c.id == found.calendar), None)
        return ZoneInfo(calendar.zone if calendar else self.workspace.zone)

    def tells(self, department: str) -> bool:
        """Whether its members are told of new tickets and replies. The implied default department has none."""
        found = self.department(department)
        return found is not None and found.notify and bool(self.members(department, None))

    def template(self, template: str) -> Template | None:
        """By id."""
        return self._templates.get(template)

    def webhook(self, webhook: str) -> Webhook | None:
        """By id."""
        return self._webhooks.get(webhook)

    def sender(self, department: str) -> MailSender | None:
        """Whom its mails are from; None: it sends none."""
        found = self.department(department)
        return (found.sender if found else None) or self.workspace.sender

    def shown_name(self, department: str) -> str:
        """What a customer is shown of whoever answers for the department without being anybody."""
        sender = self.sender(department)
        return sender.name if sender else self.workspace.name

    def mail_account(self, message: InboundMessage) -> str:
        """The mailbox that answers to this message leave by: its own, else the first one of its store, else the first."""
        mailboxes = [account for account in self.workspace.accounts if account.channel == "email"]
        own = [account.id for account in mailboxes if account.id == message.account]
        near = [account.id for account in mailboxes if account.store == self.store(message)]
        return next(iter((*own, *near, *(account.id for account in mailboxes))), message.account)

    def is_own(self, address: str) -> bool:
        """Whether it is one of our own mail addresses, whatever stands after a plus."""
        local, _, domain = address.strip().lower().rpartition("@")
        return f"{local.partition('+')[0]}@{domain}" in self._own

    def members(self, department: str, category: str | None) -> tuple[str, ...]:
        """Agent ids who may get a ticket of this department and category, in configured order."""
        node = self.category(category)
        return self.membership.members(department, node.path if node else None)

    def leads(self, department: str) -> tuple[str, ...]:
        """Who is told when its work is late: the leads among its members, else every lead."""
        leads = [agent.id for agent in self.agents.values() if agent.role == "lead" and agent.active]
        members = self.members(department, None)
        return tuple(agent for agent in leads if agent in members) or tuple(leads)

    def method(self, department: str, category: str | None) -> Method:
        """The category's method, else the department's; without either the queue."""
        node = self.category(category)
        if node is not None and node.department == department and node.method is not None:
            return node.method
        found = self.department(department)
        return found.method if found else "queue"
