"""Proofs that people bring about: a code mailed to an address, their own word, a customer list of the shop (trust model, e.3)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, cast, get_args
from uuid import UUID, uuid4

import msgspec

from contracts.base import encode
from contracts.errors import Refused
from contracts.ids import sha256_hex
from contracts.inbound import Handle, HandleKind, InboundMessage, Proof
from contracts.proofs import proof
from contracts.workspace import Workspace
from desk.customer_names import find, handle, stated
from desk.letters import CodeMail, code_mail, sender_of
from identity import canonical
from identity.shared import identifies, is_shared, shared_handles
from ingest.form_texts import language
from runtime.clock import Clock
from runtime.postgres import Connection, Database
from sinks.postgres import customer_reads, proof_store
from sinks.postgres.customer_reads import StoredCustomer
from sinks.postgres.proof_store import NewCode
from sinks.postgres.ticket_store import OutboxRow, Writes
from sinks.postgres.ticket_writes import write

PER_ADDRESS, PER_CUSTOMER, PER_WORKSPACE = 3, 5, 100
"""Codes an hour. Whoever makes us mail strangers soon makes us nobody's mail server."""

_VALID = timedelta(minutes=60)
_KINDS = get_args(HandleKind)

Short = Annotated[str, msgspec.Meta(min_length=1, max_length=320)]


class CodeSent(msgspec.Struct, frozen=True, kw_only=True):
    """The same whether anybody is known by the address or not. `proof` names the code when it comes back."""

    proof: UUID
    expires_at: datetime


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """How many proofs are on their way to be linked; `GET /customers/…` shows what became of them."""

    recorded: int


class ImportedCustomer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer as the shop has them: all of these handles are one person's. `id`: the shop's own."""

    id: Short | None = None
    email: Short | None = None
    phone: Short | None = None
    name: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class Proofs:
    """The desk's use cases. `public`: the gateway's address, which mailed links lead to."""

    def __init__(self, database: Database, clock: Clock, public: str) -> None:
        self._database = database
        self._clock = clock
        self._public = public.rstrip("/")

    async def send_code(
        self,
        workspace: UUID,
        config: Workspace,
        actor: str,
        named: str,
        address: str,
        department: str | None = None,
        wished: str | None = None,
    ) -> CodeSent:
        """Mails a code to the address. When it comes back, the address is the customer's. The mail is in the language that is
        `wished`, else in that of the form or chat which the customer last used, else of their last ticket, else in English.

        Raises `Refused`: 404 nobody has that name, 409 nobody to send mail as or an erased customer, 422 for what is no address that can identify
        somebody, 429 when too many were asked for.
        """
        sender, value, now = sender_of(config, department), _address(config, address), self._clock.now()
        new = uuid4()
        async with self._database.transaction([workspace]) as connection:
            found = await _living(connection, workspace, named)
            await _within_limits(connection, workspace, value, found.id, now)
            code, token = f"{secrets.randbelow(10**8):08}", secrets.token_urlsafe(32)
            expires = now + _VALID
            row = NewCode(workspace, new, found.id, value, code, token, actor, now, expires)
            await proof_store.add(connection, row)
            minutes = int(_VALID.total_seconds() // 60)
            link = f"{self._public}/proofs/{token}"
            own = await customer_reads.languages(connection, workspace, found.root)
            said_in = language(wished or "", *own)
            mail = code_mail(CodeMail(new, workspace, value, code, link, minutes, now, said_in), sender)
            outgoing = OutboxRow.of("outbound", new, new, "message", mail, workspace, now)
            await write(connection, Writes(outbox=[outgoing]))
        return CodeSent(proof=new, expires_at=expires)

    async def confirm(self, workspace: UUID, actor: str, named: UUID, code: str) -> None:
        """The customer told us the code. Raises `Refused` with 422, in the same words whatever is wrong with it."""
        async with self._database.transaction([workspace]) as connection:
            right = await proof_store.confirm_code(
                connection, workspace, named, code, self._clock.now(), actor
            )
        # After the commit: a wrong code counts.
        if not right:
            raise Refused("wrong_code", "the code is wrong, used or too old", status=422, field="code")

    async def vouch(
        self, workspace: UUID, config: Workspace, actor: str, named: str, shown: str, reason: str
    ) -> Recorded:
        """Takes this person's word that the handle is the customer's, and nobody else's who has proven it too. Raises `Refused`:
        404 nobody has that name, 409 another customer holds the handle or this one was erased, 422 without a reason, or for
        what cannot identify anybody."""
        reason = stated(reason)
        kind, value = handle(shown)
        if kind not in _KINDS or not _identifies(config, kind, value):
            raise Refused(
                "identifies_nobody", f"{shown}: many have it, or nobody", status=422, field="handle"
            )
        now = self._clock.now()
        async with self._database.transaction([workspace]) as connection:
            found = await _living(connection, workspace, named)
            holder = await customer_reads.verified_by(connection, workspace, kind, value)
            if holder not in (None, found.root):
                fix = f"{shown} is customer {holder}'s: merge the two, or split it off"
                raise Refused("held_by_another", fix, status=409, field="handle")
            told = Handle(kind=cast(HandleKind, kind), value=value, proof="authoritative", evidence=actor)
            event = proof(
                workspace, "agent", str(uuid4()), (told,), now, customer=found.id, actor=actor, reason=reason
            )
            await proof_store.publish(connection, [event])
        return Recorded(recorded=1)

    async def import_(
        self,
        workspace: UUID,
        actor: str,
        customers: Sequence[ImportedCustomer],
        trusted: bool,
        region: str | None,
    ) -> Recorded:
        """A shop's own list. `trusted`: it comes with an admin's key, and decides who somebody is; else its handles are claims.
        The same customer again changes nothing. `region` (ISO 3166): of telephone numbers without a country code."""
        now, level = self._clock.now(), _level(trusted)
        events = [_imported(workspace, actor, one, level, region, now) for one in customers]
        told = [event for event in events if event is not None]
        async with self._database.transaction([workspace]) as connection:
            await proof_store.publish(connection, told)
        return Recorded(recorded=len(told))


async def _living(connection: Connection, workspace: UUID, named: str) -> StoredCustomer:
    found = await find(connection, workspace, named)
    if found.erased:
        raise Refused("erased", "a customer that was erased proves nothing", status=409)
    return found


def _level(trusted: bool) -> Proof:
    return "authoritative" if trusted else "claimed"


def _address(config: Workspace, given: str) -> str:
    value = canonical.email(given)
    if value is None:
        raise Refused("not_an_address", "write name@domain", status=422, field="email")
    if not _identifies(config, "email", value):
        raise Refused(
            "identifies_nobody", "a mailbox that many read proves nobody", status=422, field="email"
        )
    return value


def _identifies(config: Workspace, kind: str, value: str) -> bool:
    return identifies(kind, value) and not is_shared((kind, value), shared_handles(config))


async def _within_limits(
    connection: Connection, workspace: UUID, value: str, customer: UUID, now: datetime
) -> None:
    lately = await proof_store.asked_lately(connection, workspace, value, customer, now)
    if lately.address >= PER_ADDRESS or lately.customer >= PER_CUSTOMER or lately.workspace >= PER_WORKSPACE:
        raise Refused("too_many_codes", "too many codes were asked for: wait for an hour", status=429)


def _imported(
    workspace: UUID, actor: str, one: ImportedCustomer, level: Proof, region: str | None, now: datetime
) -> InboundMessage | None:
    """None for a line that identifies nobody."""
    given: tuple[tuple[HandleKind, str | None], ...] = (
        ("external_id", one.id),
        ("email", one.email),
        ("phone", canonical.phone(one.phone, region) if one.phone else None),
    )
    evidence = f"import:{actor}"
    handles = tuple(
        Handle(kind=kind, value=value, proof=level, evidence=evidence) for kind, value in given if value
    )
    if not handles:
        return None
    unique = sha256_hex(encode((level, one)))[:32]
    return proof(workspace, "import", unique, handles, now, actor=actor, name=one.name)
