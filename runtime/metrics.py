"""Every metric, once, with the question it answers. Labels are bounded sets from the configuration: never an id of a
customer, a message or an agent. Names, labels and buckets are public: dashboards and alerts rest on them."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, Info

LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
END_TO_END = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)
BYTES = (1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6, 64e6)
LOOP = (0.001, 0.01, 0.05, 0.1, 0.5, 1, 5)

build = Info("frontdesk_build", "Which code runs: version, python, host.")

# The door -------------------------------------------------------------------------------------------------------
accepted = Counter(
    "frontdesk_accepted",
    "Messages we told their sender we have: the left side of the equation.",
    ["channel", "account"],
)
refused = Counter(
    "frontdesk_refused", "Calls the door said no to, and why.", ["channel", "account", "reason"]
)
suspended = Counter(
    "frontdesk_suspended",
    "Submissions held for a person to look at, and why.",
    ["channel", "account", "reason"],
)
diverted = Counter(
    "frontdesk_diverted",
    "Messages put on the overflow lane, of senders over their rate.",
    ["channel"],
)
diverted_senders = Gauge(
    "frontdesk_diverted_senders",
    "Senders whose messages take the overflow lane, until the last of them is done.",
)
accept_duration = Histogram(
    "frontdesk_accept_duration_seconds",
    "From the first byte to the answer.",
    ["channel", "account"],
    buckets=LATENCY,
)
message_bytes = Histogram("frontdesk_message_bytes", "How large messages are.", ["channel"], buckets=BYTES)
source_delay = Histogram(
    "frontdesk_source_delay_seconds", "From the provider's time to ours.", ["channel"], buckets=END_TO_END
)
signature_failures = Counter(
    "frontdesk_webhook_signature_failures",
    "Forged calls, or a rotated secret.",
    ["channel", "account", "reason"],
)
connector_up = Gauge("frontdesk_connector_up", "Is the mailbox or bot connected?", ["channel", "account"])
connector_state = Gauge(
    "frontdesk_connector_state",
    "1 for the state that a mailbox's folder or a bot is in.",
    ["channel", "account", "folder", "state"],
)
missing_messages = Gauge(
    "frontdesk_missing_messages",
    "Mails on the server that were not taken in, at the last comparison.",
    ["account", "folder"],
)
connector_reconnects = Counter(
    "frontdesk_connector_reconnects",
    "How often it had to connect again, and why.",
    ["channel", "account", "reason"],
)
connector_last_success = Gauge(
    "frontdesk_connector_last_success_timestamp_seconds", "When it last worked.", ["channel", "account"]
)
imap_uidvalidity_changes = Counter(
    "frontdesk_imap_uidvalidity_changes", "A folder was recreated: its mails are read again.", ["account"]
)
imap_backlog = Gauge("frontdesk_imap_backlog_messages", "UIDNEXT minus cursor.", ["account"])
email_auth = Counter("frontdesk_email_auth", "What our mail server says of senders.", ["account", "result"])
spool_bytes = Gauge("frontdesk_spool_bytes", "How much waits on disk for Kafka.")
spool_messages = Gauge("frontdesk_spool_messages", "How many messages wait on disk for Kafka.")

# Attachments ----------------------------------------------------------------------------------------------------
media = Counter(
    "frontdesk_media",
    "What became of attachments that stay at their provider: fetched, expired, refused, failed; postponed: tried again.",
    ["channel", "outcome"],
)
media_duration = Histogram(
    "frontdesk_media_duration_seconds", "How long one attempt takes.", ["channel"], buckets=LATENCY
)
media_waiting = Gauge("frontdesk_media_waiting", "Attachments that are still to be fetched.")
media_oldest_age = Gauge("frontdesk_media_oldest_age_seconds", "How long the oldest of them waits.")

# The equation ---------------------------------------------------------------------------------------------------
terminal = Counter(
    "frontdesk_terminal",
    "Where messages ended: the right side of the equation.",
    ["stage", "channel", "outcome"],
)
ledger_residual = Gauge("frontdesk_ledger_residual", "Accepted messages that are nowhere. Must be 0.")
end_to_end = Histogram(
    "frontdesk_end_to_end_seconds", "From the door to the committed ticket.", ["channel"], buckets=END_TO_END
)

# Stages ---------------------------------------------------------------------------------------------------------
stage_duration = Histogram(
    "frontdesk_stage_duration_seconds", "How long a batch takes.", ["stage", "outcome"], buckets=LATENCY
)
stage_inflight = Gauge("frontdesk_stage_inflight", "Messages in the batch at work.", ["stage"])
consumer_lag = Gauge(
    "frontdesk_consumer_lag_messages", "End offset minus position.", ["topic", "partition", "group"]
)
consumer_lag_seconds = Gauge(
    "frontdesk_consumer_lag_seconds",
    "Age of the newest record processed while more wait.",
    ["topic", "partition", "group"],
)
consumer_last_progress = Gauge(
    "frontdesk_consumer_last_progress_timestamp_seconds",
    "When a partition last moved.",
    ["topic", "partition"],
)
consumer_paused = Gauge(
    "frontdesk_consumer_paused", "Partitions that stand still on purpose.", ["topic", "partition", "reason"]
)
partitions_assigned = Gauge(
    "frontdesk_partitions_assigned", "How many partitions this process has.", ["group"]
)
rebalances = Counter("frontdesk_rebalances", "How often partitions were dealt out anew.", ["group"])
commits = Counter("frontdesk_commit", "Offset commits.", ["group", "outcome"])
offset_reset = Counter(
    "frontdesk_offset_reset", "A committed offset was gone. Any increase is an alarm.", ["topic", "partition"]
)
retries = Counter("frontdesk_retries", "Units of work done again.", ["stage", "dependency"])
parked = Counter("frontdesk_parked", "Records sent to a dead-letter topic.", ["stage", "reason"])
parked_messages = Gauge("frontdesk_parked_messages", "Dead letters that wait for somebody.", ["stage"])
parked_oldest_age = Gauge("frontdesk_parked_oldest_age_seconds", "Age of the oldest one.", ["stage"])
fuse_open = Gauge(
    "frontdesk_fuse_open", "1: too many failures, the partition is stopped.", ["stage", "topic", "partition"]
)
produce = Counter("frontdesk_produce", "Records produced.", ["topic", "outcome"])
producer_restarts = Counter("frontdesk_producer_restarts", "Producers that had to be made anew.", ["reason"])

# Identity and router --------------------------------------------------------------------------------------------
identity_resolutions = Counter(
    "frontdesk_identity_resolutions", "How messages found their customer.", ["channel", "decision"]
)
order_lookups = Counter(
    "frontdesk_order_lookups",
    "What shops were asked about orders: asked, remembered from just before, unavailable.",
    ["outcome"],
)
order_calls = Counter("frontdesk_order_calls", "Calls of shops, and how they ended.", ["outcome"])
order_call_duration = Histogram(
    "frontdesk_order_call_duration_seconds", "How long shops take to answer.", buckets=LATENCY
)
route_decisions = Counter(
    "frontdesk_route_decisions", "What decided the department.", ["department", "decided_by"]
)
route_rule_matches = Counter("frontdesk_route_rule_matches", "Which rules ever match.", ["rule"])
unqualified_offers = Counter(
    "frontdesk_unqualified_offers",
    "Pulled tickets that were not in the agent's queues, or not for their skills and languages: always 0.",
    ["department"],
)
tickets = Gauge("frontdesk_tickets", "Tickets by department and status.", ["department", "status"])
due_soon = Gauge(
    "frontdesk_due_soon", "Tickets on which a deadline runs out within 30 minutes.", ["department"]
)
overdue = Gauge(
    "frontdesk_overdue", "Tickets on which a deadline that still runs has passed.", ["department"]
)
breaches_projected = Gauge(
    "frontdesk_breaches_projected",
    "How many of the open tickets will miss their deadline at the pace of the last hours.",
    ["department"],
)
sla_at_risk = Gauge(
    "frontdesk_sla_at_risk", "Deadlines that are near or passed, and still run.", ["department", "kind"]
)
sla_breaches = Counter(
    "frontdesk_sla_breaches", "Deadlines that were missed, told once each.", ["department", "kind"]
)
backlog_growth = Gauge(
    "frontdesk_backlog_growth",
    "Tickets that came to a department within the last hour, less those solved.",
    ["department"],
)
transfers = Counter(
    "frontdesk_transfers", "How often a department's tickets went to another one.", ["department"]
)
transfer_ratio = Gauge(
    "frontdesk_transfer_ratio",
    "Of the tickets that began in a department within 30 days: the share that went to another one.",
    ["department"],
)
first_pass_correct_ratio = Gauge(
    "frontdesk_first_pass_correct_ratio",
    "Of the same tickets: the share that stayed where the first decision put them.",
    ["department"],
)
tickets_without_action = Gauge(
    "frontdesk_tickets_without_action",
    "Unsolved tickets with neither an owner or a queue nor a next time to act. Must be 0.",
)
unassigned_oldest_age = Gauge(
    "frontdesk_unassigned_oldest_age_seconds", "How long the oldest unassigned ticket waits.", ["department"]
)

# Mail that leaves -------------------------------------------------------------------------------------------------
deliveries = Counter(
    "frontdesk_deliveries",
    "What became of messages that leave: sent, failed for good; postponed: tried again later.",
    ["channel", "outcome"],
)
delivery_duration = Histogram(
    "frontdesk_delivery_duration_seconds", "How long one attempt takes.", ["channel"], buckets=LATENCY
)

# Outbox, database, process ----------------------------------------------------------------------------------------
outbox_pending = Gauge("frontdesk_outbox_pending", "Rows that wait for the relay.")
outbox_oldest_age = Gauge("frontdesk_outbox_oldest_age_seconds", "Age of the oldest one.")
outbox_published = Counter("frontdesk_outbox_published", "Events on the public topics.", ["type", "outcome"])
outbox_delay = Histogram("frontdesk_outbox_delay_seconds", "From the commit to the topic.", buckets=LATENCY)
webhook_calls = Counter(
    "frontdesk_webhook_calls", "Calls that rules make to other systems, and what became of them.", ["outcome"]
)
db_pool = Gauge("frontdesk_db_pool_connections", "Connections of the pool.", ["state"])
config_generation = Gauge("frontdesk_config_generation_info", "1 for the configuration in force.", ["hash"])
event_loop_lag = Histogram(
    "frontdesk_event_loop_lag_seconds", "How long the event loop was blocked.", buckets=LOOP
)
clock_offset = Gauge("frontdesk_clock_offset_seconds", "Our clock minus Postgres'.")
api_requests = Counter("frontdesk_api_requests", "HTTP calls.", ["route", "method", "status"])
api_request_duration = Histogram(
    "frontdesk_api_request_duration_seconds",
    "How long they took.",
    ["route", "method", "status"],
    buckets=LATENCY,
)
