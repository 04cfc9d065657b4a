"""Handles that say nothing about who wrote: shared by many, read by nobody, made up, or our own (trust model, I5)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from contracts.workspace import Workspace
from identity.canonical import canonical, phone_of_network

Shown = tuple[str, str]
"""Kind and canonical value."""

DOMAIN = "domain"
"""The kind under which `shared_handles` names a domain of ours."""

# Mailboxes of a role (RFC 2142 and what companies use) or of a machine: who writes from one today is not who did yesterday.
_ROLES = (
    "abuse accounting accounts admin administrator billing careers contact customerservice daemon enquiries finance "
    "help helpdesk hostmaster hr info inquiries invoice invoices jobs list listserv mailer-daemon majordomo marketing news "
    "newsletter noc notification notifications office order orders postmaster press purchasing reception root sales "
    "security service support sysadmin team webmaster"
)
_UNREAD = re.compile(r"(?:do[._-]?not|no)[._-]?reply")

# What broken integrations send instead of a value (PostHog's list of illegal ids is the source of the idea).
_NO_VALUE = "null none nil undefined nan unknown anonymous guest n/a not_set 0 -1 true false"

_NOBODY = frozenset((*_ROLES.split(), *_NO_VALUE.split()))
_NO_ACCOUNT = frozenset((*_NO_VALUE.split(), "[object object]", "00000000-0000-0000-0000-000000000000"))

# Numbers for films (NANP 555-01XX, Ofcom's drama numbers), and what people type to get past a mandatory field.
_MADE_UP = re.compile(
    r"\+1\d{3}55501\d\d|\+44(?:7700900|2079460|1632960)\d{3}|\+\d*?(?:(\d)\1{6}|1?23456789|12345678|87654321)"
)


def identifies(kind: str, value: str, proven: bool = False) -> bool:
    """Whether a canonical value can say who somebody is. `proven`: a network or a server vouches for it, so that it is not
    made up; a shared mailbox stays shared."""
    if kind == "email":
        local = value.partition("@")[0].partition("+")[0]
        return local not in _NOBODY and not _UNREAD.fullmatch(local)
    if kind == "phone":
        return proven or not _MADE_UP.fullmatch(value)
    return value.lower() not in _NO_ACCOUNT


def shared_handles(workspace: Workspace) -> frozenset[Shown]:
    """What identifies nobody in this workspace: the addresses and numbers of its own accounts and senders (who shows one is
    us, or pretends to be), its own domains, under the kind `domain`, and what its configuration names."""
    own = frozenset(_own(workspace))
    return own | frozenset(_named(workspace)) | {(DOMAIN, domain) for domain in _domains(workspace, own)}


def is_shared(shown: Shown, shared: frozenset[Shown]) -> bool:
    """Whether a canonical handle is one of these (`shared_handles`). A mailbox is whatever stands after a plus, and a domain has
    all below it."""
    kind, value = shown
    if kind != "email":
        return shown in shared
    local, _, domain = value.rpartition("@")
    if (kind, f"{local.partition('+')[0]}@{domain}") in shared:
        return True
    labels = domain.split(".")
    return any((DOMAIN, ".".join(labels[at:])) in shared for at in range(len(labels)))


def _domains(workspace: Workspace, own: Iterable[Shown]) -> Iterable[str]:
    """Nobody has `support@` or `info@` at a provider of mailboxes: where a role's mailbox is ours, the domain is."""
    if workspace.own_domains is not None:
        return workspace.own_domains
    return [
        value.rpartition("@")[2] for kind, value in own if kind == "email" and not identifies(kind, value)
    ]


def _named(workspace: Workspace) -> Iterable[Shown]:
    for kind, _, given in (one.partition(":") for one in workspace.shared_handles):
        value = phone_of_network(given, None) if kind == "phone" else canonical(kind, given)
        if value is not None:
            yield kind, value


def _own(workspace: Workspace) -> Iterable[Shown]:
    for account in workspace.accounts:
        for kind, given in (("email", account.address), ("phone", account.number)):
            value = canonical(kind, given, account.region) if given else None
            if value is not None:
                yield kind, value
    for sender in (workspace.sender, *(department.sender for department in workspace.departments)):
        if sender is not None and (value := canonical("email", sender.address)) is not None:
            yield "email", value
