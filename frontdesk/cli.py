"""The command line. Results go to stdout, everything else to stderr; `--json` gives one JSON value a line.

Exit codes: 0 done · 1 found a problem (residual, broken audit, refused input) · 2 wrong usage or settings ·
3 a dependency is away · 70 a fault of ours · 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module

import typer

from contracts.errors import FrontdeskError, Misconfigured, Transient
from frontdesk.console import errors

COMMANDS = {
    "system": ("up", "run", "migrate", "topics"),
    "ingestion": ("try", "ingest"),
    "routing": ("decide", "explain"),
    "replaying": ("replay", "backtest"),
    "deadline": ("deadline",),
    "assignment": ("assignment",),
    "tickets": ("tickets", "trace", "verify"),
    "canonical": ("canonical",),
    "channels": ("channels",),
    "deliveries": ("deliveries",),
    "deadletters": ("dlq",),
    "config": ("config",),
    "customer": ("customer",),
    "orders": ("orders",),
    "audit": ("audit",),
    "keys": ("keys",),
}
"""Module of `frontdesk.commands` -> the commands that its `register` adds, in the order of the help."""


def app(modules: Iterable[str] = COMMANDS) -> typer.Typer:
    """The commands of these modules, all of them unless said."""
    made = typer.Typer(
        name="frontdesk",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    # Also with a single command its name is asked for.
    made.callback()(_whole)
    for module in modules:
        import_module(f"frontdesk.commands.{module}").register(made)
    return made


def _whole() -> None:
    """Omnichannel message ingestion: every message arrives once, and every decision explains itself."""


def main() -> None:
    """Runs the command and turns what went wrong into a sentence and an exit code."""
    named = [module for module, names in COMMANDS.items() if sys.argv[1:2] and sys.argv[1] in names]
    try:
        # Nothing but what is asked for is imported: a second less to wait, and 20 MB less in every process.
        app(named or COMMANDS)()
    except Misconfigured as error:
        _fail(str(error), 2)
    except Transient as error:
        _fail(
            f"{error}: is the system up? (`frontdesk up`, or the settings FRONTDESK_KAFKA and FRONTDESK_POSTGRES)",
            3,
        )
    except FrontdeskError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)


def _fail(message: str, code: int) -> None:
    errors.print(f"frontdesk: {message}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)
