"""What a sender promises, and how a message can fail to be delivered."""

from __future__ import annotations

from typing import Protocol

from contracts.outbound import OutboundMessage


class NotDelivered(Exception):
    """`reason` is one of a small set; `reply`: what the other side said, for people. `permanent`: it will never be
    delivered. `unsure`: the other side may have it, for its answer was lost. `standing`: it is no fault of this message: our
    settings or the other side are, so that every message waits."""

    def __init__(
        self,
        reason: str,
        reply: str = "",
        *,
        permanent: bool = False,
        unsure: bool = False,
        standing: bool = False,
    ) -> None:
        super().__init__(f"{reason}: {reply}" if reply else reason)
        self.reason = reason
        self.reply = reply
        self.permanent = permanent
        self.unsure = unsure
        self.standing = standing


class Sender(Protocol):
    """One connection's worth: used by one task at a time."""

    async def send(self, message: OutboundMessage) -> str:
        """Returns what the other side answered when it took the message. Raises `NotDelivered`."""
        ...

    async def idle(self) -> None:
        """Nothing waits: connections may go."""
        ...
