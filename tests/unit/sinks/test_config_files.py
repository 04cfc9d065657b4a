"""A workspace as files: errors name their place and the fix, and what is written reads back."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.channels import LIMITS
from contracts.workspace import Workspace
from sinks.config_files import FILES, MAIN, ConfigError, export_folder, load_folder, version

DEMO = Path(__file__).parents[3] / "deploy" / "config" / "demo"

WRONG = Path(__file__).parent / "wrong"

GOOD = {
    "workspace.yaml": "slug: shop\nname: Shop\nzone: Europe/Warsaw\n",
    "calendars.yaml": 'calendars:\n  - id: std\n    zone: UTC\n    hours:\n      mon: [["08:00", "24:00"]]\n',
    "sla.yaml": "sla_policies:\n  - id: std\n    first_response: {urgent: 1, high: 2, medium: 3, low: 4}\n",
    "agents.yaml": "agents:\n  - {id: ann, name: Ann}\n  - {id: ben, name: Ben}\n",
    "departments.yaml": (
        "departments:\n  - id: support\n    name: Support\n    calendar: std\n    sla: std\n    members: [ann]\n"
    ),
}


def write(folder: Path, **changed: str) -> Path:
    """The good files, with some of them changed; names without `.yaml`."""
    for name, content in (GOOD | {f"{name}.yaml": text for name, text in changed.items()}).items():
        (folder / name).write_text(content, "utf-8")
    return folder


def problems(folder: Path) -> list[str]:
    """`file:line:column: message. fix`, without the folder."""
    with pytest.raises(ConfigError) as raised:
        load_folder(folder)
    return [str(problem).removeprefix(f"{folder}/") for problem in raised.value.problems]


def test_good_files(tmp_path: Path) -> None:
    workspace = load_folder(write(tmp_path))
    assert (workspace.slug, workspace.departments[0].members) == ("shop", ("ann",))
    assert workspace.default_department == "general"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"workspace": "slug: shop\nname: Shop\nzona: UTC\n"},
            "workspace.yaml:3:1: unknown key `zona`. Did you mean `zone`?",
        ),
        (
            {"workspace": "slug: shop\nname: Shop\nzone: Mars/Base\n"},
            "workspace.yaml:3:1: no time zone `Mars/Base`. Use an IANA name such as Europe/Warsaw.",
        ),
        (
            {"workspace": "slug: shop\nname: Shop\npull_limit: many\n"},
            "workspace.yaml:3:1: must be a whole number. Write it without quotes and fractions.",
        ),
        (
            {"agents": "agents:\n  - {id: ann, name: Ann}\n  - {id: ann, name: Ben}\n"},
            "agents.yaml:3:6: `ann` is defined twice. Rename or remove one.",
        ),
        (
            {"agents": "agents:\n  - {id: ben, name: Ben}\n"},
            "departments.yaml:6:15: no agent `ann`. Defined: ben.",
        ),
        (
            {"stores": "stores:\n  - {id: a, name: A, order_number: '(?=1)'}\n"},
            "stores.yaml:2:22: no pattern: invalid perl operator: (?=. Patterns are RE2's: no look-around, no back references.",
        ),
        (
            {"stores": "stores:\n  - {id: a, name: A, order_number: '\\d*'}\n"},
            "stores.yaml:2:22: matches an empty text. A number has at least one character.",
        ),
        (
            {"stores": "stores:\n  - {id: a, name: A, orders: magento}\n"},
            "stores.yaml:2:22: invalid enum value 'magento'",
        ),
        (
            {
                "workspace": 'slug: shop\nname: Shop\nsender: {name: "A\\nBcc: eve@x.example", address: a@x.example}\n'
            },
            "workspace.yaml:3:10: must be one line. Write the name that customers are to see.",
        ),
        (
            {"accounts": "accounts:\n  - {id: shop, channel: fax}\n"},
            f"accounts.yaml:2:16: no channel `fax`. Defined: {', '.join(sorted(LIMITS))}.",
        ),
        (
            {"calendars": GOOD["calendars.yaml"].replace("24:00", "25:00")},
            'calendars.yaml:5:13: no time `25:00`. Write "HH:MM", 00:00 to 23:59; an end may be 24:00.',
        ),
        (
            {"calendars": GOOD["calendars.yaml"].replace("mon", "monday")},
            "calendars.yaml:5:7: no weekday `monday`. Use mon, tue, wed, thu, fri, sat, sun.",
        ),
        (
            {"calendars": GOOD["calendars.yaml"] + "    holidays: [2026-02-30]\n"},
            "calendars.yaml:6:16: no date `2026-02-30`. Write YYYY-MM-DD.",
        ),
        (
            {"sla": "sla_policies:\n  - id: std\n    first_response: {urgent: 1, high: 2, medium: 3}\n"},
            "sla.yaml:3:5: no minutes for low. Add `low: …`.",
        ),
        (
            {"categories": "categories:\n  - {path: A/B, department: hr}\n"},
            "categories.yaml:2:17: no department `hr`. Defined: general, support.",
        ),
        (
            {"categories": "categories:\n  - {path: A/B/a, department: support}\n"},
            "categories.yaml:2:6: `A/B/a` lies inside itself. Each part of a path is another node.",
        ),
        (
            {"categories": "categories:\n  - {path: A, department: support, members: [ben]}\n"},
            "categories.yaml:2:46: `ben` is not in department `support`. Add them to the members of `support`.",
        ),
        (
            {"rules": 'rules:\n  - id: r\n    name: R\n    groups: [[{keywords: ["*"]}]]\n'},
            "rules.yaml:4:27: `*` has no letter or digit. A keyword is a word or a phrase.",
        ),
        (
            {"rules": "rules:\n  - {id: r, name: R, actions: {assign: zoe}}\n"},
            "rules.yaml:2:32: no agent `zoe`. Defined: ann, ben, least_open, nobody, queue, round_robin.",
        ),
        (
            {
                "rules": "rules:\n  - {id: r, name: R, when: transferred, actions: {auto_reply: hello}}\n",
            },
            "rules.yaml:2:51: no template `hello`. Defined: none.",
        ),
        (
            {"agents": "agents:\n  - {id: ann, id: ben, name: Ann}\n"},
            "agents.yaml:2:15: `id` is given twice. Remove one of them.",
        ),
        ({"agents": "agents: !!python/object:os.system []\n"}, "agents.yaml:1:9: "),
        ({"agents": "agents: [\n"}, "agents.yaml:2:1: not YAML: "),
        (
            {"more": "name: again\n"},
            "workspace.yaml:2:1: `name` is given in two files. Keep it here or in more.yaml.",
        ),
    ],
)
def test_errors_name_the_place_and_the_fix(tmp_path: Path, changed: dict[str, str], expected: str) -> None:
    found = problems(write(tmp_path, **changed))
    assert any(line.startswith(expected) for line in found), found


@pytest.mark.parametrize("wrong", sorted(WRONG.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_wrong_file_says_where_and_what_to_do(tmp_path: Path, wrong: Path) -> None:
    """The lines `# -> …` at the end of each file are what is to be said about it."""
    text = wrong.read_text("utf-8")
    expected = [line.removeprefix("# -> ") for line in text.splitlines() if line.startswith("# -> ")]
    assert problems(write(tmp_path, **{wrong.stem.partition("__")[0]: text})) == expected
    assert all(". " in line for line in expected), "each has a fix"


def test_there_are_many_ways_to_be_wrong() -> None:
    assert len(list(WRONG.glob("*.yaml"))) >= 60


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    changed = {
        "agents": "agents:\n  - {id: ann, nmae: Ann}\n  - {id: ben, name: Ben, role: boss}\n",
        "sla": "sla_policies:\n  - id: std\n    first_response: {urgent: soon}\n",
    }
    assert len(problems(write(tmp_path, **changed))) == 3


def test_aliases_cannot_grow_without_bound(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "too many values" in problems(write(tmp_path, bomb="\n".join(lines)))[0]
    (tmp_path / "bomb.yaml").write_text("a: " + "[" * 5000)
    assert "bomb.yaml" in problems(tmp_path)[0]


def test_an_empty_folder_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no YAML files here"):
        load_folder(tmp_path)


def test_the_demo_is_valid_and_reads_back_as_itself(tmp_path: Path) -> None:
    demo = load_folder(DEMO)
    export_folder(demo, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {MAIN, *FILES.values()}
    assert load_folder(tmp_path) == demo
    assert version(load_folder(tmp_path)) == version(demo)


def test_a_workspace_without_lists_reads_back(tmp_path: Path) -> None:
    bare = Workspace(slug="bare", name="Bare: a name, with {signs}")
    export_folder(bare, tmp_path)
    assert load_folder(tmp_path) == bare


def test_the_version_is_the_content_s() -> None:
    one, same, other = (Workspace(slug="a", name=name) for name in ("A", "A", "B"))
    assert version(one) == version(same) != version(other)
    assert len(version(one)) == 16
