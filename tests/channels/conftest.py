"""`pytest tests/channels --bless` writes the expected results anew, to be reviewed as a diff."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="write the .out.json files instead of comparing")
