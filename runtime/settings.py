"""Process settings, from the environment: every field `x_y` is `FRONTDESK_X_Y`, or `FRONTDESK_X_Y_FILE` (a path whose
content is the value, for secrets). An unknown `FRONTDESK_…` variable is an error: a typing mistake is never silence.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from contracts.errors import Misconfigured

PREFIX = "FRONTDESK_"


class SettingsError(Misconfigured):
    """Names the variable and what is wrong with it."""


class Mailbox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One IMAP account. `account` is an account of channel `email` in the workspace."""

    workspace: str
    account: str
    host: str
    user: str
    password: str = ""
    password_file: str | None = None
    port: int = 993
    tls: Literal["tls", "starttls", "none"] = "tls"
    ca_file: str | None = None
    """PEM of the authorities that the server's certificate may be from; none: the system's."""
    auth: Literal["login", "xoauth2"] = "login"
    """`xoauth2`: the password is an access token. In a `password_file` it is read again at each login."""
    folders: tuple[str, ...] = ("INBOX",)


class Bot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Telegram bot. `secret` opens its webhook; `poll` makes `frontdesk run telegram` fetch its updates."""

    workspace: str
    account: str
    token: str = ""
    secret: str = ""
    poll: bool = False


class Hook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What opens one account's webhook: the provider's secret (two while one is being replaced), and the token that Meta
    shows when the address is registered. Without a secret the webhook is closed."""

    workspace: str
    channel: str
    account: str
    secrets: tuple[str, ...] = ()
    verify_token: str = ""
    token: str = ""
    """What opens the account's files at the provider: WhatsApp's access token, Twilio's `account SID:auth token`."""


class Bucket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the archive is kept, at a provider that speaks S3. `endpoint`: its address; empty: Amazon's. Without keys those of
    the machine are used (`AWS_…`, or its role). `prefix`: before every name."""

    name: str
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = ""
    prefix: str = ""


class WebhookSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What signs the calls of one webhook of a workspace's configuration."""

    workspace: str
    webhook: str
    secret: str


class Smarthost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mail server that takes a workspace's mail and sends it on."""

    workspace: str
    host: str
    port: int = 587
    tls: Literal["tls", "starttls", "none"] = "starttls"
    ca_file: str | None = None
    """PEM of the authorities that the server's certificate may be from; none: the system's."""
    user: str = ""
    """Empty: the server asks for none."""
    password: str = ""
    password_file: str | None = None
    """Read again at each login."""


class Shop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Shopify shop, for a store whose configuration says `orders: shopify`. `url`: `https://NAME.myshopify.com`; `token`:
    an Admin API access token; `version`: of that API."""

    workspace: str
    store: str
    url: str
    token: str = ""
    version: str = "2026-01"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of all processes. What a process does not use is ignored by it."""

    data: Path = Path(".frontdesk")
    """Folder of everything local: archive, spool, embedded servers, `up.json`."""
    kafka: str = "127.0.0.1:9092"
    """Bootstrap servers."""
    postgres: str = ""
    """DSN of the application role (`frontdesk_app`); row-level security applies to it."""
    postgres_system: str = ""
    """DSN of the role that sees all workspaces (`frontdesk_system`): relay, verifier, sealer, feeder."""
    postgres_owner: str = ""
    """DSN of the schema's owner, for migrations only."""
    workspace: str = "demo"
    """Slugs, comma-separated: the workspaces that the doors serve. Command-line tools act on the first."""
    host: Literal["faust", "aiokafka"] = "faust"
    """Which host runs identity and router."""
    batch: int = 250
    """Most records a batch."""
    fetch_wait_ms: int = 60
    """How long the broker gathers what the doors took in (`fetch.max.wait.ms`): what it answers with is a batch, which stays
    one on its way. Less is quicker, more costs less CPU time."""
    instance: str = ""
    """Static member name (`group.instance.id`), unique per process; empty: dynamic membership."""
    partitions: int = 0
    """Partitions of newly made topics; 0: as `contracts/topics.py` says."""
    replication: int = 3
    min_insync: int = 2
    allow_less_replication: bool = False
    """Start although the cluster replicates less than `replication` times (the embedded broker)."""
    listen: str = "127.0.0.1"
    """Address that HTTP servers bind to."""
    gateway_port: int = 8080
    desk_port: int = 8090
    metrics_port: int = 0
    """Port of /metrics, /livez, /readyz and /startupz of this process; 0: chosen freely."""
    sender_burst: int = 200
    sender_per_second: float = 10
    """So many messages of one sender at once, and a second in the long run; more take the overflow lane."""
    spool_bytes: int = 1 << 30
    fsync_ms: int = 5
    """How long the spool gathers messages for one fsync."""
    mailboxes: tuple[Mailbox, ...] = ()
    """JSON list."""
    bots: tuple[Bot, ...] = ()
    """JSON list."""
    hooks: tuple[Hook, ...] = ()
    """JSON list."""
    public_url: str = ""
    """The gateway as providers call it, without a path: some sign the address. Empty: as it listens."""
    trusted: str = "127.0.0.1,::1"
    """Addresses and networks of our own machines, comma-separated: a proxy's word on who calls is believed, and what they
    send themselves is not rate-limited."""
    smtp_port: int = 0
    """Port that takes mail by SMTP; 0: none."""
    smtp_certificate: Path | None = None
    """PEM chain for STARTTLS; none: it is not offered."""
    smtp_key: Path | None = None
    """PEM key of the certificate; none: in the same file."""
    smtp_relays: str = "127.0.0.0/8,::1"
    """Addresses and networks of our own mail servers, comma list, which hand mail on to the SMTP door: what all others send holds no
    `Authentication-Results` of ours. Unless it is said, a mail server on this machine. Empty: no sender of mail by SMTP is proven."""
    reply_secrets: tuple[str, ...] = ()
    """JSON list: what signs the tokens by which answers to our mails find their tickets, the newest first. None: no mail is
    believed to answer one of ours for a token in it."""
    telegram_api: str = "https://api.telegram.org"
    graph_api: str = "https://graph.facebook.com/v23.0"
    """Meta's API, with its version."""
    media_origins: tuple[str, ...] = ()
    """JSON list of origins (`https://files.example.com`) that attachments may be fetched from besides the providers' own
    hosts, also where their addresses are private."""
    bucket: Bucket | None = None
    """JSON: keeps the archive in a bucket rather than in `data` (extra `s3`)."""
    media_bytes: int = 32 << 20
    """The largest attachment that is fetched."""
    webhooks: tuple[WebhookSecret, ...] = ()
    """JSON list: the secrets that sign the calls rules make. A webhook without one is not called."""
    webhook_origins: tuple[str, ...] = ()
    """JSON list of origins (`https://crm.internal:8443`) that webhooks may have besides public addresses by HTTPS."""
    smarthosts: tuple[Smarthost, ...] = ()
    """JSON list."""
    shops: tuple[Shop, ...] = ()
    """JSON list."""
    orders_timeout_ms: int = 1500
    """How long a batch of messages waits for a shop's orders at most."""
    poll_seconds: int = 60
    """IMAP: the longest time between two looks into a folder, whether IDLE lives or not."""
    audit_key: str = ""
    """Hex of the 32-byte Ed25519 seed that signs the audit seals; empty: made once and kept in `data`."""
    erasure_key: str = ""
    """Hex of 32 bytes, the same for `identity`, `desk` and commands: by hashes made with it erased customers do not come back.
    Empty: made once and kept in `data`."""
    clock: datetime | None = None
    """ISO instant: freezes the clock of the process. For tests only."""
    failpoint: str = ""
    """Name of the fail-point that kills this process (`tests/faults`). For tests only."""
    log_level: str = "info"

    @property
    def workspaces(self) -> tuple[str, ...]:
        return tuple(slug.strip() for slug in self.workspace.split(",") if slug.strip())

    @property
    def gateway_url(self) -> str:
        """The gateway as the world outside calls it, without a path."""
        return self.public_url or f"http://{self.listen}:{self.gateway_port}"

    @property
    def archive(self) -> Path:
        return self.data / "archive"

    @property
    def spool(self) -> Path:
        return self.data / "spool"


_JSON_FIELDS = (
    "mailboxes",
    "bots",
    "hooks",
    "media_origins",
    "reply_secrets",
    "webhooks",
    "webhook_origins",
    "bucket",
    "shops",
    "smarthosts",
)


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises `SettingsError`, naming the variable, for an unknown or wrong one."""
    env = os.environ if environ is None else environ
    values = {name: _value(name, env) for name in _given(env)}
    return _convert(values)


def _given(env: Mapping[str, str]) -> set[str]:
    known = set(Settings.__struct_fields__)
    given = set()
    for variable in env:
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        name = name if name in known else name.removesuffix("_file")
        if name not in known:
            raise SettingsError(f"{variable}: no such setting; known are {', '.join(sorted(known))}")
        given.add(name)
    return given


def _value(name: str, env: Mapping[str, str]) -> Any:
    variable = PREFIX + name.upper()
    if variable in env:
        text = env[variable]
    else:
        try:
            text = Path(env[f"{variable}_FILE"]).read_text().strip()
        except OSError as error:
            raise SettingsError(f"{variable}_FILE: cannot be read ({error.strerror})") from None
    if name not in _JSON_FIELDS:
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise SettingsError(f"{variable}: not JSON ({error})") from None


def _convert(values: dict[str, Any]) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=False, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{PREFIX}…: {error}") from None


def _decode_path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give a child process these settings: what differs from the defaults."""
    result = {}
    for name in Settings.__struct_fields__:
        value = getattr(settings, name)
        if value == getattr(_DEFAULTS, name):
            continue
        if name in _JSON_FIELDS:
            result[PREFIX + name.upper()] = msgspec.json.encode(value).decode()
        elif isinstance(value, bool):
            result[PREFIX + name.upper()] = "true" if value else "false"
        elif isinstance(value, datetime):
            result[PREFIX + name.upper()] = value.isoformat()
        else:
            result[PREFIX + name.upper()] = str(value)
    return result


_DEFAULTS = Settings()
