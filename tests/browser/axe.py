"""axe-core, which looks for barriers: fetched once through npm, and accepted only if it is the locked one."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Page

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="


async def barriers(page: Page) -> list[str]:
    """What axe-core finds on this page, shadow trees included: rule and place. By every rule but experiments."""
    if not await page.evaluate("() => 'axe' in window"):
        # Not as a script tag: the page's own policy may forbid it.
        await page.evaluate(source())
    found: Any = await page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [f"{rule['id']}: {node['target']}" for rule in found["violations"] for node in rule["nodes"]]


@cache
def source() -> str:
    """The script."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "frontdesk"
    package = base / f"axe-core-{VERSION}.tgz"
    if not package.exists() or not _locked(package):
        _fetch(package)
    with tarfile.open(package) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


def _locked(package: Path) -> bool:
    return base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode() == SHA512


def _fetch(package: Path) -> None:
    package.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=package.parent) as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, f"axe-core@{VERSION}"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        [fetched] = Path(folder).glob("*.tgz")
        if not _locked(fetched):
            raise RuntimeError("axe-core is not the locked one: refused")
        fetched.replace(package)
