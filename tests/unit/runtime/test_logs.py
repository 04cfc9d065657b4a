"""What must not be in a log is not, whoever logs it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from runtime import logs

SECRETS = {
    "postgresql://app:hunter2@db/frontdesk": "hunter2",
    "bot 123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw": "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "key fd_demo_Zm9vYmFyYmF6": "Zm9vYmFyYmF6",
    "Authorization: Bearer-abc": "Bearer-abc",
    "password=hunter2": "hunter2",
    "from ann.lee+x@mail.example.org": "ann.lee",
    "call +48600100200": "48600100200",
}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What goes to stderr, with logging as a process has it."""
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    logs.configure("test", "info")
    yield stderr
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(written: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(("text", "secret"), SECRETS.items())
def test_a_secret_is_taken_out(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in logs.redact(text)


@pytest.mark.parametrize("text", ["frontdesk.inbound.v1", "offset 123456789", "2026-07-01T10:00:00Z"])
def test_what_is_no_secret_stays(text: str) -> None:
    assert logs.redact(text) == text


def test_an_unknown_field_is_named_without_its_value(written: io.StringIO) -> None:
    structlog.get_logger("x").info("stored", topic="t", body="hello")
    (line,) = lines(written)
    assert (line["event"], line["topic"], line["withheld"], line["process"]) == (
        "stored",
        "t",
        "body",
        "test",
    )
    assert "hello" not in line.values()


def test_values_of_known_fields_are_redacted(written: io.StringIO) -> None:
    structlog.get_logger("x").warning("failed", error="postgresql://app:hunter2@db/frontdesk")
    assert "hunter2" not in str(lines(written))


def test_libraries_get_the_same_form_and_redaction(written: io.StringIO) -> None:
    logging.getLogger("aiokafka").warning("cannot reach %s", "postgresql://app:hunter2@db/frontdesk")
    (line,) = lines(written)
    assert (line["logger"], line["level"]) == ("aiokafka", "warning")
    assert "hunter2" not in str(line)
