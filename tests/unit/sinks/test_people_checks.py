"""Wrong departments and agents: each error names the file, the place and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks.config_files import ConfigError, load_folder

GOOD = {
    "workspace.yaml": "slug: shop\nname: Shop\nzone: Europe/Warsaw\n",
    "calendars.yaml": 'calendars:\n  - id: std\n    zone: UTC\n    hours:\n      mon: [["08:00", "24:00"]]\n',
    "sla.yaml": "sla_policies:\n  - id: std\n    first_response: {urgent: 1, high: 2, medium: 3, low: 4}\n",
}


def folder_with(folder: Path, department: str = "", agent: str = "") -> Path:
    """A good folder whose one department and one agent have these lines too."""
    files = GOOD | {
        "departments.yaml": f"departments:\n  - {{id: hr, name: HR, calendar: std, sla: std, {department}}}\n",
        "agents.yaml": f"agents:\n  - {{id: ann, name: Ann, {agent}}}\n",
    }
    for name, content in files.items():
        (folder / name).write_text(content, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("department", "expected"),
    [
        ("members: everybody", "invalid enum value 'everybody'"),
        ("members: [zoe]", "no agent `zoe`. Defined: ann."),
        ("members: [ann, ann]", "`ann` is listed twice. Each agent has one turn."),
        ("pull_limit: 0", "must be at least 1. Leave it out for no limit."),
        ("lease_minutes: 0", "must be at least 1. Leave it out for no limit."),
        ("affinity_days: -1", "must be at least 0. Leave it out for no limit."),
        ("shift_end: drop", "invalid enum value 'drop'"),
        ("availability: {fax: std}", "no channel `fax`."),
        ("availability: {chat: nights}", "no calendar `nights`. Defined: std."),
        ("overflow: [{to: sales, above: 3}]", "no department `sales`. Defined: general, hr."),
        (
            "overflow: [{to: hr, above: 3}]",
            "`hr` cannot help itself out. Name another department.",
        ),
        ("overflow: [{to: general, above: -1}]", "must be at least 0"),
        ("overflow: [{to: general, above: 1, below: 0}]", "Leave it out to be helped at any time."),
        ("statuses: [{name: new, means: fresh}]", "invalid enum value 'fresh'"),
        (
            "statuses: [{name: new, means: open}, {name: end, means: solved}]",
            "the first status is that of new tickets. Write `means: new`.",
        ),
        ("statuses: [{name: new, means: new}]", "no status means solved."),
        (
            "statuses: [{name: new, means: new, next: [paid]}, {name: end, means: solved}]",
            "no status `paid`. Defined: end, new.",
        ),
        (
            "statuses: [{name: new, means: new}, {name: new, means: solved}]",
            "`new` is defined twice. Rename or remove one.",
        ),
    ],
)
def test_wrong_departments(tmp_path: Path, department: str, expected: str) -> None:
    _told(folder_with(tmp_path, department=department), "departments.yaml:2:", expected)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("departments: [sales]", "no department `sales`. Defined: general, hr."),
        ("categories: [Printers]", "no category `Printers`. Defined: none."),
        ("calendar: nights", "no calendar `nights`. Defined: std."),
        ("capacity: -1", "must be at least 0. Leave it out for no limit."),
        ("pull_limit: 0", "must be at least 1. Leave it out for no limit."),
        ("weights: {fax: 2}", "no channel `fax`."),
        ("weights: {chat: -2}", "0: its tickets take no capacity."),
        ("absences: [{from: 2026-11-31, to: 2026-12-01}]", "no date or local time `2026-11-31`."),
        ("absences: [{from: 2026-12-02, to: 2026-12-01}]", "ends before it begins. `from` comes first."),
        (
            "absences: [{from: 2026-12-01, to: 2026-12-01, deputy: zoe}]",
            "no agent `zoe`. Defined: ann.",
        ),
        (
            "absences: [{from: 2026-12-01, to: 2026-12-01, deputy: ann}]",
            "`ann` cannot stand in for themselves. Name another agent.",
        ),
        ("absences: [{form: 2026-12-01, to: 2026-12-01}]", "unknown key `form`. Did you mean `from`?"),
    ],
)
def test_wrong_agents(tmp_path: Path, agent: str, expected: str) -> None:
    _told(folder_with(tmp_path, agent=agent), "agents.yaml:2:", expected)


def test_good_ones(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path,
        department="members: all, availability: {chat: std}, overflow: [{to: general, above: 0, below: 5}], "
        "statuses: [{name: new, means: new, next: [paid]}, {name: paid, means: solved}]",
        agent="calendar: std, absences: [{from: 2026-12-01, to: 2026-12-01}, "
        '{from: "2026-12-24T12:00", to: 2026-12-31}]',
    )
    assert load_folder(folder).departments[0].members == "all"


def _told(folder: Path, place: str, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_folder(folder)
    lines = [str(problem).removeprefix(f"{folder}/") for problem in raised.value.problems]
    assert any(line.startswith(place) and expected in line for line in lines), lines
