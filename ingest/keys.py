"""The Kafka key of an inbound message: workspace, channel and the counterpart, so that one person's messages of a channel
stay in order. Echoes, statuses and bounces go by the person they are about."""

from __future__ import annotations

from contracts.inbound import InboundMessage

_MENTION = "mentioned"


def counterpart_key(message: InboundMessage) -> bytes:
    """Stable for one counterpart; the provider id when nobody is known."""
    return "|".join((str(message.workspace), message.channel, _counterpart(message))).encode()


def _counterpart(message: InboundMessage) -> str:
    if message.conversation_key is not None:
        return f"chat:{message.account}:{message.conversation_key}"
    if message.direction == "out" and message.recipients:
        return f"to:{message.recipients[0].value.strip().lower()}"
    handles = [h for h in message.sender.handles if h.proof != _MENTION]
    if handles:
        return f"{handles[0].kind}:{handles[0].value.strip().lower()}"
    return f"id:{message.provider_id}"
