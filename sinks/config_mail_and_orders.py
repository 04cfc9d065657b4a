"""What types cannot say about stores' order numbers, departments' mail senders and the domains of customers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

from contracts.inbound import HANDLE_KINDS
from contracts.workspace import MailSender, Workspace
from sinks.yaml_files import Location

MAX_PATTERN = 500
"""Characters of a pattern."""

_MAX_RECENT = 20
_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def check(workspace: Workspace) -> Iterator[tuple[Location, str, str]]:
    """Where in the workspace, what is wrong, what to do."""
    for index, store in enumerate(workspace.stores):
        if store.order_number is not None:
            yield from _pattern(("stores", index, "order_number"), store.order_number)
    if not 0 <= workspace.recent_tickets <= _MAX_RECENT:
        yield ("recent_tickets",), f"must be 0 to {_MAX_RECENT}", ""
    for domain in workspace.domain_trust:
        yield from _domain(("domain_trust", domain), domain)
    for index, domain in enumerate(workspace.own_domains or ()):
        yield from _domain(("own_domains", index), domain)
    for index, shown in enumerate(workspace.shared_handles):
        yield from _shared(("shared_handles", index), shown)
    for index, account in enumerate(workspace.accounts):
        for at, domain in enumerate(account.arc_sealers):
            yield from _domain(("accounts", index, "arc_sealers", at), domain)
    yield from _sender(("sender",), workspace.sender)
    for index, department in enumerate(workspace.departments):
        yield from _sender(("departments", index, "sender"), department.sender)


def _domain(at: Location, domain: str) -> Iterator[tuple[Location, str, str]]:
    if not _DOMAIN.fullmatch(domain):
        yield at, f"`{domain}` is no domain", "Write it as in DNS: mail.example, xn--….example."


def _shared(at: Location, shown: str) -> Iterator[tuple[Location, str, str]]:
    kind, _, value = shown.partition(":")
    if kind not in HANDLE_KINDS:
        yield (
            at,
            f"`{shown}` begins with no kind of handle",
            f"Write KIND:VALUE; known: {', '.join(HANDLE_KINDS)}.",
        )
    elif kind == "email" and not _ADDRESS.fullmatch(value):
        yield at, f"`{value}` is no e-mail address", "Write name@domain."
    elif kind == "phone" and not _NUMBER.fullmatch(value):
        yield at, f"`{value}` is no telephone number", "Write it with its country code: +48221234567."
    elif not value.strip():
        yield at, f"`{shown}` has no value", "Write KIND:VALUE."


def _pattern(at: Location, pattern: str) -> Iterator[tuple[Location, str, str]]:
    if len(pattern) > MAX_PATTERN:
        yield at, f"longer than {MAX_PATTERN} characters", "Name the form of one number."
        return
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        fix = "Patterns are RE2's: no look-around, no back references."
        yield at, f"no pattern: {_said(error)}", fix
        return
    if compiled.groups > 1:
        yield at, f"{compiled.groups} groups", "One group at most: the number. Others are written (?:…)."
    if compiled.search("") is not None:
        yield at, "matches an empty text", "A number has at least one character."


def _said(error: Exception) -> str:
    return error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)


def _sender(at: Location, sender: MailSender | None) -> Iterator[tuple[Location, str, str]]:
    if sender is None:
        return
    if not _ADDRESS.fullmatch(sender.address):
        yield (*at, "address"), f"`{sender.address}` is no e-mail address", "Write name@domain."
    if not sender.name.strip() or _LINE_BREAKS.search(sender.name):
        yield (*at, "name"), "must be one line", "Write the name that customers are to see."
