"""Facebook Messenger: people by their page-scoped id. The same human has another one on another page."""

from __future__ import annotations

from contracts.channels import LIMITS, Limits
from ingest import messaging, provider_files
from ingest.events import Call
from ingest.meta import DIRECT, Part, Webhook

_NETWORK = messaging.Network("messenger", "psid")


class Messenger(Webhook):
    """Names are not in the calls. Tests from the dashboard come as `changes` in a field named like the event."""

    name = "messenger"
    limits: Limits = LIMITS["messenger"]
    media_hosts = provider_files.META
    object = "page"
    fields = frozenset(
        {*DIRECT, "messages", "messaging_postbacks", "message_reactions", "message_edits", "message_reads"}
        | {"message_echoes", "message_deliveries", "messaging_optins", "messaging_referrals"}
    )
    quiet: frozenset[str] = frozenset()

    def read(self, call: Call, part: Part) -> None:
        messaging.read(call, _NETWORK, part)


CHANNEL = Messenger()
