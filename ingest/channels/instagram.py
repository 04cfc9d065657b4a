"""Instagram direct messages: people by their id in the scope of our account; names are looked up later."""

from __future__ import annotations

from contracts.channels import LIMITS, Limits
from ingest import messaging, provider_files
from ingest.events import Call
from ingest.meta import DIRECT, Part, Webhook

_NETWORK = messaging.Network("instagram", "igsid", test_ids=("12334", "23245"))


class Instagram(Webhook):
    """Events in `messaging` as Messenger's, or in `changes` with Instagram Login. Comments are no direct messages."""

    name = "instagram"
    limits: Limits = LIMITS["instagram"]
    media_hosts = provider_files.META
    object = "instagram"
    fields = frozenset(
        {*DIRECT, "messages", "messaging_postbacks", "message_reactions", "message_edit", "messaging_seen"}
        | {"messaging_referral", "messaging_handover", "messaging_optins"}
    )
    quiet = frozenset({"story_insights", "business_login_deauthorization"})

    def read(self, call: Call, part: Part) -> None:
        messaging.read(call, _NETWORK, part)


CHANNEL = Instagram()
