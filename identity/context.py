"""What is known about a customer when their message is decided on: their orders, the orders that it names, their earlier
tickets. No shop is asked while a transaction is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from contracts.ids import ticket_id
from contracts.inbound import InboundMessage
from contracts.resolved import Context, Order, OrderContext, RecentTicket
from contracts.workspace import Store, Workspace
from identity.decide import Plan
from identity.orders.numbers import named
from identity.orders.source import MOST_ORDERS, Answers, Asked, OrderSource, ShopOrder, StoreKey
from runtime.postgres import Connection
from sinks.postgres import context_reads
from sinks.postgres.context_reads import Background, Key
from sinks.postgres.sql import Answer

Configured = Callable[[UUID], Workspace | None]


@dataclass(slots=True)
class _Message:
    """One message with what is to be asked about it: of each store, which numbers, addresses and telephone numbers."""

    message: InboundMessage
    customer: Key
    recent: int
    numbers: tuple[str, ...] = ()
    asked: dict[StoreKey, list[Asked]] = field(default_factory=dict)
    background: Background = field(default_factory=Background)


class Contexts:
    """`sources`: by adapter, as the configuration of stores names them."""

    def __init__(self, sources: Mapping[str, OrderSource]) -> None:
        self._sources = sources

    async def ask(
        self, connection: Connection, plans: Sequence[Plan], config: Configured
    ) -> Answer[list[Context]]:
        """One for each plan, in order; to be asked last in the transaction that writes the plans, and answered after it. The
        answer raises `Transient` while Postgres is away; a shop that does not answer only makes its orders unavailable."""
        about = [_about(plan, config(plan.message.workspace)) for plan in plans]
        known = [one for one in about if one is not None]
        # One more: the ticket that this very message opened may be there when it is read again.
        most = 1 + max((one.recent for one in known), default=0)
        backgrounds = await context_reads.backgrounds(connection, (one.customer for one in known), most)

        async def answer() -> list[Context]:
            found = await backgrounds()
            for one in known:
                one.background = found.get(one.customer, one.background)
            answers = await self._orders(known, config)
            return [_context(one, answers) if one else Context() for one in about]

        return answer

    async def close(self) -> None:
        for source in self._sources.values():
            await source.close()

    async def _orders(self, known: Sequence[_Message], config: Configured) -> dict[StoreKey, Answers]:
        adapters: dict[StoreKey, str] = {}
        for one in known:
            adapters |= _ask(one, config(one.customer[0]))
        return await self._answers(known, adapters)

    async def _answers(
        self, messages: Sequence[_Message], adapters: Mapping[StoreKey, str]
    ) -> dict[StoreKey, Answers]:
        """Every store is asked once, and all at the same time."""
        wanted: dict[StoreKey, dict[Asked, None]] = {}
        for one in messages:
            for store, asked in one.asked.items():
                wanted.setdefault(store, {}).update(dict.fromkeys(asked))
        calls = (self._find(store, list(asked), adapters[store]) for store, asked in wanted.items())
        return dict(zip(wanted, await asyncio.gather(*calls), strict=True))

    async def _find(self, store: StoreKey, asked: Sequence[Asked], adapter: str) -> Answers:
        source = self._sources.get(adapter)
        return await source.find(store, asked) if source else {}


def _about(plan: Plan, config: Workspace | None) -> _Message | None:
    """None for what opens and joins no ticket."""
    message = plan.message
    if plan.customer is None or config is None or message.kind not in ("message", "call"):
        return None
    numbers = named(message, _stores(message, config))
    return _Message(message, (message.workspace, plan.customer), config.recent_tickets, numbers)


def _stores(message: InboundMessage, config: Workspace) -> Iterable[Store]:
    """The message's own; where it came to no store in particular, all of them."""
    return [store for store in config.stores if message.store in (None, store.id)]


def _ask(one: _Message, config: Workspace | None) -> dict[StoreKey, str]:
    """Notes what is to be asked of whom. Returns the adapters of these stores."""
    handles = [Asked(kind, value) for kind, value in one.background.handles]
    asked = [*(Asked("number", number) for number in one.numbers), *handles]
    stores = _stores(one.message, config) if config and asked else ()
    adapters: dict[StoreKey, str] = {
        (one.customer[0], store.id): store.orders for store in stores if store.orders
    }
    one.asked = dict.fromkeys(adapters, asked)
    return adapters


def _context(one: _Message, answers: Mapping[StoreKey, Answers]) -> Context:
    told = [answers[store].get(asked) for store, wanted in one.asked.items() for asked in wanted]
    state: OrderContext | None = "unavailable" if None in told else "available"
    return Context(
        order_numbers=one.numbers,
        orders=tuple(_orders(one, (order for orders in told if orders for order in orders))),
        order_context=state if told else None,
        recent_tickets=tuple(_recent(one)),
    )


def _orders(one: _Message, found: Iterable[ShopOrder]) -> Iterator[Order]:
    """Each once: those that are named, then the newest."""
    verified = {value for (_, value), proven in one.background.handles.items() if proven}
    orders: dict[tuple[str | None, str], Order] = {}
    for told in found:
        order = told.order
        orders[(order.store, order.number)] = msgspec.structs.replace(
            order,
            named=order.number in one.numbers,
            proven=bool(verified & {told.email, told.phone}),
        )
    ranked = sorted(orders.values(), key=lambda order: (order.store or "", order.number))
    ranked.sort(key=lambda order: order.placed_at.timestamp() if order.placed_at else 0.0, reverse=True)
    ranked.sort(key=lambda order: one.numbers.index(order.number) if order.named else len(one.numbers))
    yield from ranked[:MOST_ORDERS]


def _recent(one: _Message) -> Iterator[RecentTicket]:
    own = ticket_id(one.message.workspace, one.message.message_id)
    yield from [ticket for ticket in one.background.recent if ticket.ticket != own][: one.recent]
