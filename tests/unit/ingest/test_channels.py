"""An installation needs no more than the channels it uses: what one of them wants is nothing to the others (R-07)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from contracts.channels import LIMITS
from ingest import channels as package
from ingest.channel import called, channels

GATEWAY = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import ingest.gateway_service
from ingest.channel import channels
print(*sorted(channels()))
"""


def test_every_file_is_a_channel_of_its_name() -> None:
    files = {path.stem for path in Path(package.__path__[0]).glob("[!_]*.py")}
    assert set(channels()) == files == set(LIMITS)


def test_channels_are_known_by_their_providers_as_well() -> None:
    names = [found.name for found in map(called, ("sms", "twilio", "whatsapp")) if found]
    assert names == ["sms", "sms", "whatsapp"]
    assert called("pigeon") is None


@pytest.mark.parametrize("blocked", [("telegram", "aioimaplib"), ("selectolax",), ("telegram",)])
def test_the_gateway_starts_without_the_packages_of_other_channels(blocked: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", GATEWAY.format(blocked=blocked)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = set(ended.stdout.splitlines()[-1].split())
    assert {"webform", "whatsapp", "x", "viber", "sms", "call", "telegram"} <= found
