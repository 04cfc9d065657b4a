"""Mail by IMAP: each folder from the last UID on, acknowledged by Kafka before its cursor moves; pushed by IDLE, and looked
at every `poll_seconds` whatever IDLE says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence

import structlog

from contracts.errors import Transient
from contracts.ids import workspace_id
from contracts.workspace import Account
from ingest.accounts import options
from ingest.channel import Channel, Raw, channels
from ingest.imap_session import ImapSession, Mail, connect
from ingest.polling import Parts, PollingService, Reader
from runtime import metrics, trace
from runtime.failpoints import failpoint
from runtime.settings import Mailbox
from sinks.postgres.cursor_store import Cursor, Lease, Source
from sinks.postgres.source_store import MailboxLedger

_CHANNEL = "email"
_UIDS_AT_ONCE = 50
_BYTES_AT_ONCE = 8 << 20
_IDLE_SECONDS = 9 * 60
_SHOWN_OF_TOO_LARGE = 128 * 1024
_TRIES = 3
_COMPARE_SECONDS = 600.0

log = structlog.get_logger(__name__)


class MailService(PollingService):
    """All folders of all configured mailboxes."""

    def readers(self, parts: Parts) -> Sequence[Reader]:
        channel = channels()[_CHANNEL]
        return [
            FolderReader(parts, channel, mailbox, folder)
            for mailbox in parts.settings.mailboxes
            for folder in mailbox.folders
        ]


class FolderReader(Reader):
    """One folder of one mailbox."""

    def __init__(self, parts: Parts, channel: Channel, mailbox: Mailbox, folder: str) -> None:
        self.source = Source(workspace_id(mailbox.workspace), _CHANNEL, mailbox.account, folder)
        self._parts = parts
        self._channel = channel
        self._mailbox = mailbox
        self._unread: dict[int, int] = {}
        self._options: Mapping[str, str] = {}
        self._ledger = MailboxLedger(parts.database, self.source, 0)

    async def read(self, held: Lease) -> None:
        config, account = self._parts.account(_CHANNEL, self._mailbox.workspace, self._mailbox.account)
        self._options = options(config, account)
        async with connect(self._mailbox) as session:
            epoch = await session.select(self.source.folder)
            cursor = await self._parts.cursors.read(self.source)
            if cursor.epoch != epoch:
                self._report_change(cursor)
                cursor = Cursor(epoch, 0)
            self._ledger = MailboxLedger(self._parts.database, self.source, epoch)
            compared = -_COMPARE_SECONDS
            while True:
                cursor = await self._take_new(session, cursor, account)
                await held.check()
                await self._parts.report(self.source, "connected")
                if time.monotonic() - compared >= _COMPARE_SECONDS:
                    compared = time.monotonic()
                    await self._compare(session, cursor, account)
                await session.wait(min(self._parts.settings.poll_seconds, _IDLE_SECONDS))

    def _report_change(self, cursor: Cursor) -> None:
        """The folder was made anew: its mails are read again, and known ones are duplicates."""
        if cursor.epoch:
            metrics.imap_uidvalidity_changes.labels(self.source.account).inc()
            log.warning("uidvalidity changed", account=self.source.account)

    async def _take_new(self, session: ImapSession, cursor: Cursor, account: Account) -> Cursor:
        while uids := await session.newer_than(cursor.position):
            metrics.imap_backlog.labels(self.source.account).set(len(uids))
            chunk = uids[:_UIDS_AT_ONCE]
            for group in _groups(await session.sizes(chunk), self._channel.limits.body):
                await self._take(session, group, account)
                failpoint("imap.after_produce")
                await self._ledger.take(list(group))
                cursor = await self._save(cursor.epoch, max(group))
            cursor = await self._save(cursor.epoch, chunk[-1])
        metrics.imap_backlog.labels(self.source.account).set(0)
        return cursor

    async def _compare(self, session: ImapSession, cursor: Cursor, account: Account) -> None:
        """Every mail of the folder that the cursor has passed must be here; what is not is taken now. Rare, since it asks for
        the whole folder."""
        at = self._parts.clock.now()
        uids = [uid for uid in await session.newer_than(0) if uid <= cursor.position]
        missing = await self._ledger.missing(uids)
        metrics.missing_messages.labels(self.source.account, self.source.folder).set(len(missing))
        await self._ledger.compared(len(missing), at)
        if not missing:
            return
        log.error(
            "mails were missing", account=self.source.account, folder=self.source.folder, mails=len(missing)
        )
        for start in range(0, len(missing), _UIDS_AT_ONCE):
            sizes = await session.sizes(missing[start : start + _UIDS_AT_ONCE])
            for group in _groups(sizes, self._channel.limits.body):
                await self._take(session, group, account)
        await self._ledger.take(missing)
        await self._ledger.compared(0, at)
        metrics.missing_messages.labels(self.source.account, self.source.folder).set(0)

    async def _save(self, epoch: int, uid: int) -> Cursor:
        cursor = Cursor(epoch, uid)
        await self._parts.cursors.save(self.source, cursor)
        return cursor

    async def _take(self, session: ImapSession, group: dict[int, int], account: Account) -> None:
        """Returns when every mail of the group is acknowledged, or is no longer in the folder."""
        too_large = max(group.values()) > self._channel.limits.body
        mails = await session.fetch(list(group), _SHOWN_OF_TOO_LARGE if too_large else None)
        missing = set(group) - {mail.uid for mail in mails}
        if missing:
            mails += self._given_up(await session.present(sorted(missing)))
        reason = "too_large" if too_large else "unfetchable"
        await asyncio.gather(
            *(
                self._accept(mail, account, reason if too_large or mail.uid in missing else None)
                for mail in mails
            )
        )

    def _given_up(self, uids: set[int]) -> list[Mail]:
        """Mails that are there but do not come: tried again on a new connection, then parked by their UID, so that they
        do not block the next one."""
        for uid in uids:
            self._unread[uid] = self._unread.get(uid, 0) + 1
        if any(self._unread[uid] < _TRIES for uid in uids):
            raise Transient("imap: a mail did not come")
        return [Mail(uid, f"{self.source.folder} UID {uid}".encode(), None) for uid in sorted(uids)]

    async def _accept(self, mail: Mail, account: Account, held_for: str | None) -> None:
        raw = Raw(
            body=mail.body,
            workspace=self.source.workspace,
            account=self.source.account,
            received_at=self._parts.clock.now(),
            content_type="message/rfc822",
            store=account.store,
            region=account.region,
            server_at=mail.arrived,
            trace=trace.new(),
            options=self._options,
        )
        if held_for:
            await self._parts.intake.park(self._channel, raw, held_for)
        else:
            await self._parts.take(self._channel, raw)


def _groups(sizes: dict[int, int], limit: int) -> Iterator[dict[int, int]]:
    """In UID order, few bytes at once; a mail over the limit comes alone."""
    most = min(_BYTES_AT_ONCE, limit)
    group: dict[int, int] = {}
    for uid, size in sorted(sizes.items()):
        if group and sum(group.values()) + size > most:
            yield group
            group = {}
        group[uid] = size
    if group:
        yield group
