"""The table of commands is what the modules register: a command that is missing from it is imported with all others."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from frontdesk.cli import COMMANDS, app


@pytest.mark.parametrize("module", COMMANDS)
def test_a_module_registers_what_the_table_says(module: str) -> None:
    assert tuple(get_command(app([module])).commands) == COMMANDS[module]  # type: ignore[attr-defined]


def test_a_process_imports_no_other_commands() -> None:
    listed = "import sys, frontdesk.cli as cli; cli.app(['system']); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    assert not {"router.replay", "desk.customers", "ruamel.yaml", "faust"} & set(ended.stdout.split())


def test_an_unknown_command_is_refused_by_name() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "frontdesk", "rout"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "No such command 'rout'" in ended.stderr
