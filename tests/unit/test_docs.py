"""The pages say what is so: links, commands, options, targets, topics, metrics, settings, files and code, each against the
thing itself."""

from __future__ import annotations

import ast
import hmac
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from contracts.channels import LIMITS, Limits
from contracts.errors import Refused
from contracts.topics import TOPICS
from frontdesk.cli import app
from frontdesk.processes import PROCESSES
from ingest.channel import Request
from runtime.settings import PREFIX, Settings
from tests.channels.test_examples import raw_of, readable
from tests.unit.deploy.test_monitoring import exposed

ROOT = Path(__file__).resolve().parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split("\0")[:-1]
PAGES = [ROOT / name for name in TRACKED if name.endswith(".md")]
COMMANDS: Any = get_command(app())

_ROLES = {"frontdesk_app", "frontdesk_system", "frontdesk_owner"}
_MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+|tmp/\w+)/")
_REGISTRY = re.compile(
    r"pypi\.(?:org|python)|python(?:hosted)\.org|npmjs\.(?:org|com)|maven\.org|proxy\.golang"
)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, without the indentation of the list they stand in."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


def spans(text: str) -> list[str]:
    """Code in the middle of a sentence."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE))


def code(page: Path) -> list[str]:
    """Code spans, and the lines of blocks that name no language: what people type."""
    return spans(page.read_text()) + [line for block in blocks(page, "") for line in block.splitlines()]


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the table that begins with this heading."""
    table = re.search(rf"^\| {heading} \|.*?\n\n", page.read_text(), re.DOTALL | re.MULTILINE)
    assert table, f"{page.name}: no table `{heading}`"
    lines = table[0].strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pages
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target.partition("#")[0]).exists(), target


@pages
def test_named_files_are_there(page: Path) -> None:
    folders = {name.partition("/")[0] for name in TRACKED if "/" in name}
    for span in spans(page.read_text()):
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)*/[\w.-]*", span) and span.partition("/")[0] in folders:
            # The channel of the worked example is the reader's own.
            assert (ROOT / span).exists() or "kiosk" in span, span


@pages
def test_commands_can_be_typed(page: Path) -> None:
    for line in code(page):
        for typed in re.split(r" \| | && |; ", line):
            command = re.match(r"(?:FRONTDESK_\w+=\S+ )*(?:xargs )?(?:\.venv/bin/)?frontdesk (\w.*)", typed)
            if command:
                check_command(shlex.split(command[1], comments=True))


def check_command(words: list[str]) -> None:
    """Fails unless the command exists, takes these options, and this number of arguments if any is given."""
    typed, command = " ".join(words), COMMANDS
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"no command `{typed}`"
        command = command.commands[words.pop(0)]
    options = {name: option for option in getattr(command, "params", ()) for name in option.opts}
    given = 0
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            given += word != "…"
            continue
        assert word in options or word == "--help", f"no option {word}: `{typed}`"
        if word in options and not options[word].is_flag:
            words = words[1:]
    arguments = [p for p in getattr(command, "params", ()) if p.param_type_name == "argument"]
    most = float("inf") if any(a.nargs == -1 for a in arguments) else len(arguments)
    least = sum(a.required for a in arguments)
    assert given == 0 or least <= given <= most, f"takes {least} arguments: `{typed}`"


def test_the_check_of_commands_refuses() -> None:
    for wrong in ("nosuch", "dlq lost", "verify --xml", "dlq resume TOPIC PARTITION", "trace A B"):
        with pytest.raises(AssertionError):
            check_command(wrong.split())


@pages
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in code(page):
        assert set(re.findall(r"(?:^|&& )make ([a-z-]+)", line)) <= targets, line


@pages
def test_metrics_exist(page: Path) -> None:
    known = set(exposed())
    known |= {name.removesuffix("_bucket") for name in known}
    named = re.findall(r"\bfrontdesk_[a-z0-9_]+", page.read_text())
    assert set(named) - _ROLES <= known


@pages
def test_settings_exist(page: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.__struct_fields__}
    named = {name.removesuffix("_FILE") for name in re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]", page.read_text())}
    assert named <= known


@pages
def test_python_compiles(page: Path) -> None:
    for block in blocks(page, "python"):
        ast.parse(block)


def test_the_readme_lists_every_topic() -> None:
    listed = []
    for name, payload, key, readers in rows(ROOT / "README.md", "topic"):
        stages = re.search(r"\{(.*?)\}", name)
        for stage in stages[1].split(",") if stages else [""]:
            topic = re.sub(r"\{.*?\}", stage, name.strip("`"))
            listed.append((topic, payload.partition(":")[0], key, readers))
    assert listed == [(t.name, t.payload.__name__, t.key, t.read_by) for t in TOPICS]


def test_the_readme_lists_every_command() -> None:
    listed: list[str] = []
    for cell, _ in rows(ROOT / "README.md", "command"):
        first, *others = (re.sub(r" [^a-z].*", "", span.removeprefix("frontdesk ")) for span in spans(cell))
        group = first.rpartition(" ")[0]
        listed += [first, *(f"{group} {other}".strip() for other in others)]
    assert sorted(listed) == sorted(leaves(COMMANDS))


def leaves(command: Any, name: str = "") -> Iterator[str]:
    """Every command that does something, with its groups before it."""
    if not hasattr(command, "commands"):
        yield name
        return
    for word, inner in command.commands.items():
        yield from leaves(inner, f"{name} {word}".strip())


def test_the_pages_list_every_process() -> None:
    listed = [spans(row[0])[0] for row in rows(ROOT / "docs/operating.md", "process")]
    assert listed == list(PROCESSES)
    assert ", ".join(PROCESSES) in (ROOT / "README.md").read_text()


def test_operating_lists_every_alert() -> None:
    groups = YAML(typ="safe").load(ROOT / "deploy/prometheus/alerts.yml")["groups"]
    severities: dict[str, set[str]] = {}
    for rule in (rule for group in groups for rule in group["rules"]):
        severities.setdefault(rule["alert"], set()).add(rule["labels"]["severity"])
    listed = rows(ROOT / "docs/operating.md", "alert")
    assert {
        re.sub(r"^\[(\w+)\].*", r"\1", name): set(how.split(", ")) for name, how, _ in listed
    } == severities


def test_there_is_one_consumer() -> None:
    _, _, example = (ROOT / "docs/examples/consume_tickets.py").read_text().partition('"""\n\n')
    for page in ("README.md", "docs/consuming-tickets.md"):
        assert blocks(ROOT / page, "python") == [example], page


def test_the_worked_channel_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs/adding-a-channel.md"
    source, limits = blocks(page, "python")
    body, expected = blocks(page, "json")
    monkeypatch.setattr("contracts.channels.LIMITS", dict(LIMITS))
    exec(limits, {"LIMITS": sys.modules["contracts.channels"].LIMITS, "Limits": Limits})
    module = ModuleType("kiosk")
    monkeypatch.setitem(sys.modules, "kiosk", module)
    exec(compile(source, "kiosk.py", "exec"), module.__dict__)
    example = tmp_path / "kiosk/message__simple.in.json"
    assert readable(module.CHANNEL.normalise(raw_of(example, body.encode()))) == json.loads(expected)
    signature = hmac.digest(b"secret", body.encode(), "sha256").hex()
    call = Request("POST", "/webhooks/kiosk/hall", {}, {"x-signature": signature}, body.encode())
    module.CHANNEL.verify(call, ["old", "secret"])
    for secrets in ([], [""], ["other"]):
        with pytest.raises(Refused):
            module.CHANNEL.verify(call, secrets)


def test_no_file_names_a_machine_or_a_registry() -> None:
    for name in TRACKED:
        path = ROOT / name
        if path.is_file() and path != Path(__file__):
            text = path.read_bytes().decode("utf-8", "replace")
            assert not (found := _MACHINE.search(text) or _REGISTRY.search(text)), f"{name}: {found}"
