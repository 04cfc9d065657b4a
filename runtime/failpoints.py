"""Points between two steps where a process can be made to die: how the fault tests hit the gap that matters.

Armed by the setting `FRONTDESK_FAILPOINT`: `NAME` dies at the first hit, `NAME@3` at the third. Otherwise free.
"""

from __future__ import annotations

import os

NAMES = frozenset(
    {
        "intake.after_produce",
        "spool.after_fsync",
        "identity.after_commit",
        "identity.after_produce",
        "router.after_commit",
        "relay.after_produce",
        "imap.after_produce",
        "smtp.after_produce",
        "telegram.after_produce",
        "media.after_archive",
        "senders.after_send",
        "timers.before_commit",
        "timers.after_commit",
        "host.before_ack",
    }
)

EXIT_CODE = 137
"""As if by SIGKILL."""


class _Armed:
    def __init__(self) -> None:
        self.name = ""
        self.left = 0


_armed = _Armed()


def arm(setting: str) -> None:
    """Called once at the start of a process. Raises `ValueError` for a name that no code passes."""
    name, _, count = setting.partition("@")
    if name and name not in NAMES:
        raise ValueError(f"FRONTDESK_FAILPOINT: no fail-point {name!r}; known are {', '.join(sorted(NAMES))}")
    _armed.name, _armed.left = name, int(count or 1)


def failpoint(name: str) -> None:
    """Ends the process here, without any clean-up, if this point is armed."""
    if _armed.name != name:
        return
    _armed.left -= 1
    if _armed.left <= 0:
        os._exit(EXIT_CODE)
