"""What types cannot say about rules, templates and webhooks."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator
from typing import get_args
from urllib.parse import urlsplit

from contracts.channels import LIMITS, SOURCES
from contracts.rules import METHODS, NOBODY, Actions, Condition, Rule, Template, TicketState, Webhook
from contracts.ticket import Status
from contracts.workspace import Workspace
from sinks.config_names import Finding, Names
from sinks.yaml_files import Location

MAX_KEYWORD = 200
"""Characters of one keyword."""
PLACEHOLDERS = ("number", "name", "subject", "department", "next_opening", "workspace")
"""What a template may have filled in."""

_EMPTY = (Condition(), Condition(negate=True))
_LANGUAGE = re.compile(r"[a-z]{2}")
_COUNTRY = re.compile(r"[A-Z]{2}")


def check(workspace: Workspace, known: Names) -> Iterator[Finding]:
    """Every finding about rules and what they send."""
    for index, language in enumerate(workspace.languages):
        yield from _language(("languages", index), language)
    for index, rule in enumerate(workspace.rules):
        yield from _rule(("rules", index), rule, workspace, known)
    for index, template in enumerate(workspace.templates):
        yield from _template(("templates", index), template)
    for index, webhook in enumerate(workspace.webhooks):
        yield from _webhook(("webhooks", index), webhook)


def _rule(at: Location, rule: Rule, workspace: Workspace, known: Names) -> Iterator[Finding]:
    yield from _actions((*at, "actions"), rule, workspace, known)
    for number, group in enumerate(rule.groups):
        if not group:
            yield (
                (*at, "groups", number),
                "an empty group",
                "Leave it out: a group without conditions says nothing.",
            )
        for index, condition in enumerate(group):
            yield from _condition((*at, "groups", number, index), condition, workspace, known)
    if rule.active and rule.actions == Actions() and not rule.stop:
        yield (
            (*at, "actions"),
            "a rule that does nothing",
            "Give it an action, `stop: true` or `active: false`.",
        )


def _actions(on: Location, rule: Rule, workspace: Workspace, known: Names) -> Iterator[Finding]:
    actions = rule.actions
    yield from known.missing((*on, "department"), "department", actions.department, known.departments)
    yield from known.missing((*on, "category"), "category", actions.category, known.categories)
    yield from known.missing((*on, "assign"), "agent", actions.assign, known.agents | {NOBODY, *METHODS})
    yield from known.missing((*on, "sla"), "SLA policy", actions.sla, known.policies)
    yield from known.missing((*on, "auto_reply"), "template", actions.auto_reply, known.templates)
    yield from known.all_missing((*on, "webhook"), "webhook", actions.webhook, known.webhooks)
    yield from known.all_missing(
        (*on, "notify"), "department or agent", actions.notify, known.departments | known.agents
    )
    yield from known.missing((*on, "status"), "status", actions.status, set(get_args(Status)) - {"new"})
    owner = next((c.department for c in workspace.categories if c.path == actions.category), None)
    if owner is not None and actions.department not in (None, owner):
        message = f"category `{actions.category}` belongs to `{owner}`, not to `{actions.department}`"
        yield (*on, "category"), message, "A ticket's category is one of its department."
    if actions.override_form and actions.department is None and actions.category is None:
        yield (*on, "override_form"), "overrides nothing", "It goes with `department` or `category`."
    if actions.auto_reply is not None and rule.when not in _WITH_MESSAGE:
        yield (
            (*on, "auto_reply"),
            "no message to answer",
            f"Use it with `when: {_WITH_MESSAGE[0]}` or the like.",
        )


_WITH_MESSAGE = ("ticket created", "message received", "customer replied")


def _condition(at: Location, condition: Condition, workspace: Workspace, known: Names) -> Iterator[Finding]:
    if condition in _EMPTY:
        fix = "Name a field, or leave the group out: without groups a rule always applies."
        yield at, "an empty condition", fix
    for name, kind, defined in (
        ("store", "store", known.stores),
        ("account", "account", known.accounts),
        ("channel", "channel", set(LIMITS)),
        ("source", "source", {*LIMITS, *SOURCES}),
        ("department", "department", known.department_names),
        ("category", "category", known.categories),
        ("language", "language of the workspace", set(workspace.languages)),
    ):
        yield from known.all_missing((*at, name), kind, getattr(condition, name), defined)
    yield from known.missing((*at, "calendar"), "calendar", condition.calendar, known.calendars)
    for name in ("keywords", "subject", "text"):
        for index, keyword in enumerate(getattr(condition, name)):
            yield from _keyword((*at, name, index), keyword)
    if condition.fuzzy is not None and not (condition.keywords or condition.subject or condition.text):
        yield (*at, "fuzzy"), "no keywords that could be misspelt", "Add `keywords`, `subject` or `text`."
    if condition.calendar is not None and condition.working_time is None:
        yield (*at, "calendar"), "a calendar that nothing asks about", "Add `working_time: true` or `false`."
    for index, country in enumerate(condition.country):
        if not _COUNTRY.fullmatch(country):
            yield (*at, "country", index), f"`{country}` is no country", "Two capital letters: PL."
    if condition.ticket is not None:
        yield from _ticket((*at, "ticket"), condition.ticket, known)


def _ticket(at: Location, state: TicketState, known: Names) -> Iterator[Finding]:
    if state == TicketState():
        yield (
            at,
            "asks nothing of the ticket",
            "Name a field: status, department, category, priority, tags, agent.",
        )
    yield from known.all_missing((*at, "status"), "status", state.status, set(get_args(Status)))
    yield from known.all_missing((*at, "department"), "department", state.department, known.department_names)
    yield from known.all_missing((*at, "category"), "category", state.category, known.categories)
    yield from known.all_missing((*at, "agent"), "agent", state.agent, known.agents)


def _keyword(at: Location, keyword: str) -> Iterator[Finding]:
    if not any(unicodedata.category(character)[0] in "LN" for character in keyword):
        yield at, f"`{keyword}` has no letter or digit", "A keyword is a word or a phrase."
    elif len(keyword) > MAX_KEYWORD:
        yield at, f"longer than {MAX_KEYWORD} characters", "Use the words that matter."
    elif any("*" in word.removeprefix("*").removesuffix("*") for word in keyword.split()):
        yield at, f"`{keyword}`: `*` stands only at the ends of a word", "Write `drukark*` or `*skriver`."
    elif any(len(word.strip("*")) < _STEM for word in keyword.split() if word.startswith("*")):
        yield at, f"`{keyword}` would be found in too many words", f"Give at least {_STEM} letters after `*`."


_STEM = 3


def _template(at: Location, template: Template) -> Iterator[Finding]:
    texts: dict[Location, str] = {("text",): template.text, ("subject",): template.subject or ""}
    texts |= {("translations", language): text for language, text in template.translations.items()}
    for language in template.translations:
        yield from _language((*at, "translations", language), language)
    if not template.text.strip():
        yield (*at, "text"), "an empty text", "Write what is to be sent."
    for place, text in texts.items():
        yield from _placeholders((*at, *place), text)


def _placeholders(at: Location, text: str) -> Iterator[Finding]:
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        yield at, f"a brace without its other: {error}", "Write a brace of the text twice: {{ }}."
        return
    for _, name, form, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            yield at, f"nothing to fill in for `{{{name}}}`", f"Known: {known}."


def _webhook(at: Location, webhook: Webhook) -> Iterator[Finding]:
    try:
        parts = urlsplit(webhook.url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    if not host or parts.scheme not in ("https", "http"):
        yield (*at, "url"), f"`{webhook.url}` is no address", "Write https://host/path."
    elif parts.username or parts.password:
        yield (*at, "url"), "a secret in an address", "Calls are signed: leave name and password out."


def _language(at: Location, language: str) -> Iterator[Finding]:
    if not _LANGUAGE.fullmatch(language):
        yield at, f"`{language}` is no language", "Two small letters: pl."
