"""Settings: a typing mistake is never silence, and a secret may lie in a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from runtime.settings import Bot, Mailbox, Settings, SettingsError, environment, load


def test_defaults_and_what_is_not_ours() -> None:
    assert load({"PATH": "/bin", "FRONT": "x"}) == Settings()


def test_values_get_the_type_of_their_field() -> None:
    settings = load(
        {"FRONTDESK_BATCH": "7", "FRONTDESK_ALLOW_LESS_REPLICATION": "true", "FRONTDESK_DATA": "/d"}
    )
    assert (settings.batch, settings.allow_less_replication, settings.data) == (7, True, Path("/d"))


@pytest.mark.parametrize("variable", ["FRONTDESK_BATHC", "FRONTDESK_BATHC_FILE", "FRONTDESK_"])
def test_an_unknown_variable_is_an_error_that_names_it(variable: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable}: no such setting"):
        load({variable: "1"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [("FRONTDESK_BATCH", "many"), ("FRONTDESK_HOST", "flink"), ("FRONTDESK_BOTS", "[{}]")],
)
def test_a_wrong_value_is_an_error(variable: str, value: str) -> None:
    with pytest.raises(SettingsError):
        load({variable: value})


def test_a_list_that_is_no_json_is_an_error_that_names_it() -> None:
    with pytest.raises(SettingsError, match="FRONTDESK_MAILBOXES: not JSON"):
        load({"FRONTDESK_MAILBOXES": "[oops"})


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "dsn"
    secret.write_text("postgresql://app:hunter2@db/frontdesk\n")
    assert load({"FRONTDESK_POSTGRES_FILE": str(secret)}).postgres == "postgresql://app:hunter2@db/frontdesk"


def test_a_file_that_is_missing_is_an_error_that_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FRONTDESK_POSTGRES_FILE: cannot be read"):
        load({"FRONTDESK_POSTGRES_FILE": str(tmp_path / "none")})


def test_a_child_process_gets_the_same_settings() -> None:
    settings = msgspec.structs.replace(
        Settings(),
        batch=7,
        workspace="one, two",
        allow_less_replication=True,
        clock=datetime(2026, 7, 1, tzinfo=UTC),
        bots=(Bot(workspace="one", account="bot", token="t"),),
        mailboxes=(Mailbox(workspace="one", account="box", host="h", user="u"),),
    )
    assert load(environment(settings)) == settings
    assert settings.workspaces == ("one", "two")
