"""The chat's door without its sockets: which widget, who is there, and a message's way into the intake."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from contracts.base import encode
from contracts.errors import Refused
from contracts.ids import workspace_id
from contracts.workspace import Account, Workspace
from ingest import chat_token, chat_users
from ingest.accounts import Accounts
from ingest.channel import Channel, Raw, channels
from ingest.channels.chat import Envelope, Rated, Said, SignedIn
from ingest.chat_frames import Hello, Message, Rate, Resume, User
from ingest.chat_hours import ChatHours, Hours
from ingest.chat_token import Visitor
from ingest.form_guard import Buckets
from ingest.form_guard import Rate as Speed
from ingest.hooks import Hooks
from ingest.intake import Receipt
from runtime import metrics, trace
from runtime.clock import Clock
from runtime.kept_key import kept_key
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.postgres import chat_sessions, chat_store
from sinks.postgres.chat_store import ChatKey

_KEY_FILE = "chat.key"
_MESSAGES = Speed(burst=10, refill=1)

Accept = Callable[[Channel, Raw], Awaitable[Receipt]]


class Widget(NamedTuple):
    """One of our chat accounts, and whose."""

    workspace: Workspace
    account: Account


class Guest(NamedTuple):
    """Who is at the other end of a socket. `user`: whom the shop has signed for."""

    widget: Widget
    visitor: Visitor
    user: SignedIn | None
    page: str | None
    locale: str | None

    @property
    def chat(self) -> ChatKey:
        workspace, account = self.widget
        return ChatKey(workspace_id(workspace.slug), account.id, self.visitor.conversation)


class ChatDoor:
    """Visitor tokens are signed with the widget's first secret in FRONTDESK_HOOKS, which all gateways share; without one, with
    a key that this machine makes and keeps in `data/chat.key`."""

    def __init__(
        self, settings: Settings, accounts: Accounts, accept: Accept, database: Database, clock: Clock
    ) -> None:
        self._hooks = Hooks(settings)
        self._key_file = settings.data / _KEY_FILE
        self._accounts = accounts
        self._accept = accept
        self._clock = clock
        self._database = database
        self._buckets = Buckets()
        self._hours: dict[str, tuple[Workspace, ChatHours]] = {}

    def widget(self, named: str, origin: str, own: str) -> Widget:
        """The widget of this name, for a page of this origin. `own`: the origin that we are called by.

        Raises `Refused` (403) in the same words whatever is wrong.
        """
        found = self._accounts.find("chat", named) if named else self._accounts.only("chat")
        if found is None or origin not in (*found[1].origins, own):
            raise Refused("forbidden", "no such widget for this page", status=403)
        return Widget(*found)

    def guest(self, widget: Widget, hello: Hello | Resume) -> Guest:
        """Who says this. Raises `Refused` (401) when the shop's signature is wrong, unless the account only reports that."""
        workspace, account = widget
        keys = self._keys(widget)
        before = chat_token.opened(hello.token, keys, workspace.slug, account.id) if hello.token else None
        user = self._signed_in(widget, hello.user)
        visitor = chat_token.arrived(before, workspace.slug, account.id, user.id if user else None)
        return Guest(widget, visitor, user, hello.page, hello.locale)

    def _signed_in(self, widget: Widget, user: User | None) -> SignedIn | None:
        workspace, account = widget
        if account.signatures == "off":
            return None
        secrets = self._hooks.of(workspace.slug, "chat", account.id).secrets
        try:
            return chat_users.signed_in(user, secrets, workspace.slug, account.id, self._clock.now())
        except Refused as error:
            metrics.signature_failures.labels("chat", account.id, error.field or error.reason).inc()
            if account.signatures == "report":
                return None
            raise

    def token(self, guest: Guest) -> str:
        """For the browser to keep."""
        return chat_token.mint(guest.visitor, self._keys(guest.widget)[0])

    def hours(self, guest: Guest, picked: str | None) -> Hours:
        """Whether somebody is there for a message to this department."""
        return self._hours_of(guest.widget.workspace).at(guest.widget.account, picked, self._clock.now())

    def departments(self, guest: Guest) -> list[dict[str, Any]]:
        """Those that may be picked, and whether they are there."""
        return self._hours_of(guest.widget.workspace).departments(self._clock.now())

    async def say(self, guest: Guest, message: Message, hours: Hours) -> Receipt:
        """Takes a message in. Raises `Refused` for a visitor who writes too fast, `Transient` when nothing can be stored."""
        if not self._buckets.take(" ".join(map(str, guest.chat)), _MESSAGES, time.monotonic()):
            raise Refused("rate_limited", "wait a moment", status=429)
        said = Said(
            visitor=guest.visitor.id,
            epoch=guest.visitor.epoch,
            user=guest.user,
            cid=message.cid,
            text=message.text,
            department=message.department,
            name=message.name,
            email=message.email,
            page=guest.page,
            locale=guest.locale,
            after_hours=not hours.online,
        )
        return await self._take(guest.widget, said)

    async def read(self, guest: Guest, seq: int) -> None:
        """The visitor has seen the lines up to this number."""
        await chat_store.mark_read(self._database, guest.chat, seq)

    async def end(self, guest: Guest) -> bool:
        """The visitor closes the chat, and all tabs are told; False where none is open."""
        return await chat_sessions.end(self._database, guest.chat, self._clock.now())

    async def rate(self, guest: Guest, rating: Rate) -> None:
        """What the visitor thinks of the last session: counted once. Raises `Refused` when there was none."""
        session = await chat_sessions.last(self._database, guest.chat)
        if session is None:
            raise Refused("no_session", "there was no chat to rate", status=409, field="t")
        rated = Rated(
            visitor=guest.visitor.id,
            epoch=guest.visitor.epoch,
            user=guest.user,
            opening=session.opening,
            score=rating.score,
            comment=rating.comment,
            ticket=session.ticket,
            agent=session.agent,
        )
        await self._take(guest.widget, rated)

    def _hours_of(self, workspace: Workspace) -> ChatHours:
        """Made anew when the configuration is."""
        known = self._hours.get(workspace.slug)
        if known is None or known[0] is not workspace:
            known = self._hours[workspace.slug] = (workspace, ChatHours(workspace))
        return known[1]

    async def _take(self, widget: Widget, event: Envelope) -> Receipt:
        workspace, account = widget
        raw = Raw(
            body=encode(event),
            workspace=workspace_id(workspace.slug),
            account=account.id,
            received_at=self._clock.now(),
            content_type="application/json",
            store=account.store,
            region=account.region,
            trace=trace.current_or_new(None),
        )
        return await self._accept(channels()["chat"], raw)

    def _keys(self, widget: Widget) -> tuple[str, ...]:
        workspace, account = widget
        secrets = self._hooks.of(workspace.slug, "chat", account.id).secrets
        return chat_users.symmetric(secrets) or (kept_key(self._key_file),)
