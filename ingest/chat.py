"""The chat's door without its sockets: which widget, who is there, and a message's way into the intake."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from contracts.base import encode
from contracts.errors import Refused
from contracts.ids import workspace_id
from contracts.workspace import Account, Workspace
from ingest import chat_token
from ingest.accounts import Accounts
from ingest.channel import Channel, Raw, channels
from ingest.channels.chat import Envelope, Said, SignedIn
from ingest.chat_frames import Hello, Message, Resume
from ingest.chat_token import Visitor
from ingest.form_guard import Buckets, Rate
from ingest.hooks import Hooks
from ingest.intake import Receipt
from runtime import trace
from runtime.clock import Clock
from runtime.kept_key import kept_key
from runtime.settings import Settings
from sinks.postgres.chat_store import ChatKey

_KEY_FILE = "chat.key"
_MESSAGES = Rate(burst=10, refill=1)

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

    def __init__(self, settings: Settings, accounts: Accounts, accept: Accept, clock: Clock) -> None:
        self._hooks = Hooks(settings)
        self._key_file = settings.data / _KEY_FILE
        self._accounts = accounts
        self._accept = accept
        self._clock = clock
        self._buckets = Buckets()

    def widget(self, named: str, origin: str, own: str) -> Widget:
        """The widget of this name, for a page of this origin. `own`: the origin that we are called by.

        Raises `Refused` (403) in the same words whatever is wrong.
        """
        found = self._accounts.find("chat", named) if named else self._accounts.only("chat")
        if found is None or origin not in (*found[1].origins, own):
            raise Refused("forbidden", "no such widget for this page", status=403)
        return Widget(*found)

    def guest(self, widget: Widget, hello: Hello | Resume) -> Guest:
        """Who says this."""
        workspace, account = widget
        keys = self._keys(widget)
        before = chat_token.opened(hello.token, keys, workspace.slug, account.id) if hello.token else None
        visitor = chat_token.arrived(before, workspace.slug, account.id, None)
        return Guest(widget, visitor, None, hello.page, hello.locale)

    def token(self, guest: Guest) -> str:
        """For the browser to keep."""
        return chat_token.mint(guest.visitor, self._keys(guest.widget)[0])

    async def say(self, guest: Guest, message: Message) -> Receipt:
        """Takes a message in. Raises `Refused` for a visitor who writes too fast, `Transient` when nothing can be stored."""
        if not self._buckets.take(" ".join(map(str, guest.chat)), _MESSAGES, self._clock.now().timestamp()):
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
        )
        return await self._take(guest.widget, said)

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
        return tuple(secret for secret in secrets if secret) or (kept_key(self._key_file),)
