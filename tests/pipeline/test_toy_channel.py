"""The worked example of docs/adding-a-channel.md, done: one file and one folder of examples, and its messages become tickets;
on an installation that has no other channel's packages and credentials."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runtime.settings import Hook
from tests.support.chain import Chain, wait_for
from tests.unit.test_docs import ROOT, blocks

PAGE = ROOT / "docs/adding-a-channel.md"
PACKAGES = ("contracts", "runtime", "sinks", "ingest", "identity", "router", "desk", "frontdesk")
FOREIGN = ("telegram", "aioimaplib", "aiosmtpd")
"""What other channels need."""
BODY, EXPECTED = blocks(PAGE, "json")
ACCOUNT = "accounts:\n  - {channel: kiosk, id: hall, store: north, department: support, region: PL}\n"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, with what the page says to add and without what others need."""
    folder = tmp_path_factory.mktemp("toy")
    for package in (*PACKAGES, "deploy/config", "tests/channels"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "tests/__init__.py", "tests/conftest.py"):
        shutil.copy(ROOT / file, folder / file)
    for package in FOREIGN:
        (folder / f"{package}.py").write_text(f"raise ImportError('{package} is not installed')\n")
    source, limits = blocks(PAGE, "python")
    (folder / "ingest/channels/kiosk.py").write_text(source)
    with (folder / "contracts/channels.py").open("a") as contract:
        contract.write(limits)
    examples = folder / "tests/channels/kiosk"
    examples.mkdir()
    (examples / "message__simple.in.json").write_text(BODY)
    (examples / "message__simple.out.json").write_text(EXPECTED)
    config = folder / "deploy/config/demo/accounts.yaml"
    config.write_text(ACCOUNT)
    return folder


@pytest.fixture(scope="module")
def inside(installation: Path) -> Iterator[Path]:
    """Every process that is started runs the copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(installation))
        patch.chdir(installation)
        yield installation


def test_its_examples_and_the_laws_hold(inside: Path) -> None:
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "kiosk", "tests/channels")
    done = subprocess.run(command, cwd=inside, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"\bskipped\b", done.stdout)
    assert done.stdout.count(".") > 5


def test_its_messages_become_tickets_where_no_other_channel_is_configured(inside: Path) -> None:
    hook = Hook(workspace="demo", channel="kiosk", account="hall", secrets=("secret",))
    body = BODY.encode()
    signed = {"x-signature": hmac.digest(b"secret", body, hashlib.sha256).hex()}
    processes = ("gateway", "identity", "router")
    with Chain(inside / "chain", processes=processes, bots=(), hooks=(hook,)) as chain:
        applied = chain.command("config", "apply", str(inside / "deploy/config/demo"))
        assert applied.returncode == 0, applied.stderr
        url = f"{chain.gateway}/webhooks/kiosk/hall"
        wait_for(lambda: _post(url, body, {}) != 404, 30, "the door knows the account")
        assert _post(url, body, {}) == 403
        assert [_post(url, body, signed) for _ in range(2)] == [200, 200]
        wait_for(lambda: chain.scalar("SELECT count(*) FROM duplicates") == 1, 60, "the second call is known")
        tickets = chain.rows("SELECT channel, account, store, department, messages FROM tickets")
        handles = chain.rows("SELECT kind, value, state FROM handles")
    assert tickets == [("kiosk", "hall", "north", "support", 1)]
    assert handles == [("phone", "+48601100200", "claimed")]


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    return httpx.post(url, content=body, headers=headers, timeout=30, trust_env=False).status_code
