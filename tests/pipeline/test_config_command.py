"""`frontdesk config` with nothing but the application's role, as the first start of a system has it."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from frontdesk.workspace_setup import DEMO
from tests.support.command import frontdesk
from tests.support.system import Dsns


async def test_a_workspace_is_applied_planned_and_exported(database: Dsns, tmp_path: Path) -> None:
    config = partial(frontdesk, "config", postgres=database.app, workspace="demo")
    first = await config("plan", str(DEMO))
    assert first.output == "new workspace demo\n"
    applied = await config("apply", str(DEMO), "--by", "ann")
    assert (applied.code, applied.errors) == (0, "")
    assert (await config("plan", str(DEMO))).output == "nothing would change\n"
    exported = tmp_path / "exported"
    assert (await config("export", str(exported))).code == 0
    assert (await config("plan", str(exported))).output == "nothing would change\n"


async def test_a_plan_names_what_would_change(database: Dsns, tmp_path: Path) -> None:
    config = partial(frontdesk, "config", postgres=database.app, workspace="demo")
    changed = tmp_path / "changed"
    shutil.copytree(DEMO, changed)
    settings = changed / "workspace.yaml"
    settings.write_text(settings.read_text().replace("reopen_days: 7", "reopen_days: 9"))
    await config("apply", str(DEMO))
    assert (await config("plan", str(changed))).output == "reopen_days: 7 -> 9\n"
