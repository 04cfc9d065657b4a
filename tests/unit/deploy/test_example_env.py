"""`deploy/config/example.env` names every setting, with its default, and nothing that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from runtime.settings import PREFIX, Hook, Settings, Shop, load

EXAMPLE = Path(__file__).resolve().parents[3] / "deploy/config/example.env"
LINES = dict(re.findall(rf"^#?({PREFIX}\w+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))

# Settings whose default is empty: the example shows what a value looks like.
SHOWN = {
    "postgres",
    "postgres_system",
    "postgres_owner",
    "mailboxes",
    "bots",
    "hooks",
    "smtp_certificate",
    "smtp_key",
    "reply_secrets",
    "webhooks",
    "shops",
    "smarthosts",
}


def test_it_names_every_setting() -> None:
    assert set(LINES) == {PREFIX + name.upper() for name in Settings.__struct_fields__}


def test_it_gives_the_defaults() -> None:
    settings = load({name: value for name, value in LINES.items() if value})
    changed = {
        name for name in Settings.__struct_fields__ if getattr(settings, name) != getattr(Settings(), name)
    }
    assert changed == SHOWN


def test_its_lists_show_every_field() -> None:
    settings = load({name: value for name, value in LINES.items() if value})
    assert msgspec.to_builtins(settings.mailboxes[0]).keys() >= {
        "workspace",
        "account",
        "host",
        "user",
        "folders",
    }
    assert msgspec.to_builtins(settings.bots[0]).keys() == {"workspace", "account", "token", "secret", "poll"}
    assert msgspec.to_builtins(settings.shops[0]).keys() == set(Shop.__struct_fields__)
    assert msgspec.to_builtins(settings.hooks[0]).keys() == set(Hook.__struct_fields__)
