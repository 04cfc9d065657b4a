"""`deploy/docker-compose.yml` and the Dockerfile: valid, complete and hardened."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from frontdesk.processes import PROCESSES
from runtime.settings import PREFIX, load

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = ROOT / "tests/support/compose_spec/compose-spec.json"
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "deploy/docker-compose.yml")
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def test_the_file_follows_the_compose_specification() -> None:
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(COMPOSE)] == []


def test_every_process_has_a_container_and_nothing_else_runs_our_image() -> None:
    commands = {tuple(service["command"]) for service in OURS.values()}
    assert commands == {("run", name) for name in PROCESSES} | {("migrate",)}


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_containers_can_write_nowhere_but_to_data_and_tmp(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    writable = {volume.split(":")[1] for volume in service["volumes"] if not volume.endswith(":ro")}
    assert writable <= {"/data"}


@pytest.mark.parametrize("name", sorted(set(OURS) - {"migrate"}))
def test_our_containers_are_asked_whether_they_are_ready_without_a_shell(name: str) -> None:
    check = OURS[name]["healthcheck"]["test"]
    assert check[0] == "CMD"
    assert "/readyz" in check[-1]


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_container_is_pinned_checked_and_without_capabilities(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert "healthcheck" in service
    assert name in OURS or re.search(r":v?\d+\.\d+", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", sorted(OURS))
def test_containers_are_given_settings_that_exist(name: str) -> None:
    given = {key: _value(value) for key, value in OURS[name]["environment"].items() if key.startswith(PREFIX)}
    settings = load(given)
    assert settings.postgres.startswith("postgresql://frontdesk_app:")


def _value(text: str) -> str:
    """As Compose fills in: a default where there is one, else a password."""
    return re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)\}", lambda match: match.group(1) or "secret", text)


def test_the_image_holds_every_package_and_runs_unprivileged_without_a_shell() -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(re.findall(r"^COPY (\w+) \1$", dockerfile, re.MULTILINE)) == set(packages)
    kept = set(re.findall(r"^!(\w+)$", (ROOT / "deploy/Dockerfile.dockerignore").read_text(), re.MULTILINE))
    assert set(packages) <= kept
    final = dockerfile.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
    assert 'ENTRYPOINT ["frontdesk"]' in final
    assert all(
        re.search(r"python:\d+\.\d+\.\d+-slim", line)
        for line in re.findall(r"^FROM .*$", dockerfile, re.MULTILINE)
    )
