"""The command line. Results go to stdout, everything else to stderr; `--json` gives one JSON value a line.

Exit codes: 0 done · 1 found a problem (residual, broken audit, refused input) · 2 wrong usage or settings ·
3 a dependency is away · 70 a fault of ours · 130 interrupted.
"""

from __future__ import annotations

import sys

import typer

from contracts.errors import FrontdeskError, Transient
from frontdesk.commands import (
    assignment,
    audit,
    canonical,
    channels,
    config,
    customer,
    deadletters,
    deadline,
    deliveries,
    ingestion,
    keys,
    orders,
    proofs,
    replaying,
    routing,
    system,
    tickets,
)
from frontdesk.console import errors
from frontdesk.up import UpError
from runtime.settings import SettingsError
from sinks.config_files import ConfigError

app = typer.Typer(
    name="frontdesk",
    help="Omnichannel message ingestion: every message arrives once, and every decision explains itself.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for module in (
    system,
    ingestion,
    routing,
    replaying,
    deadline,
    assignment,
    tickets,
    canonical,
    channels,
    deliveries,
):
    module.register(app)
app.add_typer(deadletters.app, name="dlq")
app.add_typer(config.app, name="config")
proofs.register(customer.app)
app.add_typer(customer.app, name="customer")
app.add_typer(orders.app, name="orders")
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Runs the command and turns what went wrong into a sentence and an exit code."""
    try:
        app()
    except (SettingsError, ConfigError) as error:
        _fail(str(error), 2)
    except Transient as error:
        _fail(
            f"{error}: is the system up? (`frontdesk up`, or the settings FRONTDESK_KAFKA and FRONTDESK_POSTGRES)",
            3,
        )
    except (FrontdeskError, UpError) as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)


def _fail(message: str, code: int) -> None:
    errors.print(f"frontdesk: {message}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)
