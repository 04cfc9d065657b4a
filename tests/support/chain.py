"""The whole chain as real processes on real servers, with handles to hurt them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from frontdesk import workspace_setup
from frontdesk.embedded import EmbeddedKafka, EmbeddedPostgres, free_port
from frontdesk.up import Child
from runtime.settings import Bot, Mailbox, Settings

TELEGRAM_SECRET = "chain-secret"
ALL = ("gateway", "identity", "router", "relay", "timers", "desk")


class Chain:
    """Servers and processes in one folder. `with Chain(folder) as chain:` stops everything at the end."""

    def __init__(self, folder: Path, processes: tuple[str, ...] = ALL, **settings: Any) -> None:
        self.folder = folder
        self.kafka = EmbeddedKafka(folder / "kafka", partitions=4)
        self.postgres = EmbeddedPostgres(folder / "postgres")
        self._wanted = processes
        self._overrides = settings
        self.children: dict[str, Child] = {}
        self.settings = Settings()

    def __enter__(self) -> Chain:
        self.kafka.start()
        self.postgres.start()
        self.settings = msgspec.structs.replace(
            Settings(
                data=self.folder / "data",
                kafka=self.kafka.bootstrap,
                postgres=self.postgres.dsn("frontdesk_app", "frontdesk"),
                postgres_system=self.postgres.dsn("frontdesk_system", "frontdesk"),
                postgres_owner=self.postgres.dsn("postgres", "frontdesk"),
                partitions=4,
                replication=1,
                min_insync=1,
                allow_less_replication=True,
                gateway_port=free_port(),
                desk_port=free_port(),
                bots=(Bot(workspace="demo", account="demo-bot", secret=TELEGRAM_SECRET),),
                hooks=workspace_setup.demo_hooks(lambda provider: f"chain-{provider}"),
            ),
            **self._overrides,
        )
        self.settings.data.mkdir(parents=True, exist_ok=True)
        self.prepared = workspace_setup.prepare(self.settings, TELEGRAM_SECRET)
        for name in self._wanted:
            self.start(name)
        for name in self._wanted:
            self.wait_ready(name)
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children.values():
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + 15
        for child in self.children.values():
            child.wait(deadline)
        self.postgres.stop()
        self.postgres.remove()
        self.kafka.stop()

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.settings.gateway_port}"

    def start(
        self,
        name: str,
        as_: str | None = None,
        program: tuple[str, ...] = ("-m", "frontdesk"),
        **changes: Any,
    ) -> Child:
        """Starts a process (`as_`: under another instance name), with settings changed for it alone."""
        label = as_ or name
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        settings = msgspec.structs.replace(self.settings, **({"instance": label} | changes))
        child = Child(name, settings, logs, program)
        child.start()
        self.children[label] = child
        return child

    def wait_ready(self, label: str, seconds: float = 60) -> None:
        child = self.children[label]
        log = self.folder / "logs" / f"{child.name}.log"
        wait_for(
            child.ready, seconds, lambda: f"{label} ready ({child.exit_code()}): {log.read_text()[-2000:]}"
        )

    def stop(self, label: str, number: int = signal.SIGTERM) -> int | None:
        """Stops a process with this signal and returns its exit code."""
        child = self.children.pop(label)
        child.signal(number)
        child.wait(time.monotonic() + 30)
        return child.exit_code()

    def kill(self, label: str) -> None:
        """SIGKILL and start again, as the supervisor would."""
        child = self.children[label]
        child.signal(signal.SIGKILL)
        child.wait(time.monotonic() + 10)
        child.start()

    def die_at(self, label: str, failpoint: str) -> None:
        """Restarts the process so that it dies between two steps, waits for that, and starts it unhurt."""
        self.stop(label, signal.SIGKILL)
        armed = self.start(label, failpoint=failpoint)
        wait_for(lambda: armed.exit_code() is not None, 60, f"{label} dies at {failpoint}")
        assert armed.exit_code() == 137, f"{label} ended with {armed.exit_code()}, not at {failpoint}"
        self.start(label)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `frontdesk …` against this chain."""
        from runtime.settings import environment

        inherited = {k: v for k, v in os.environ.items() if not k.startswith("FRONTDESK_")}
        return subprocess.run(
            [sys.executable, "-m", "frontdesk", *arguments],
            env=inherited | environment(self.settings) | {"NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def verify(self) -> dict[str, int]:
        """The ledger as `frontdesk verify --json` prints it."""
        result = self.command("verify", "--json")
        assert result.stdout, result.stderr
        return msgspec.json.decode(result.stdout, type=dict[str, Any])

    def settle(self, seconds: float = 90) -> dict[str, int]:
        """Waits until nothing is pending and returns the ledger."""
        ledger: dict[str, int] = {}

        def quiet() -> bool:
            nonlocal ledger
            ledger = self.verify()
            return (
                ledger["pending"] == 0
                and ledger["spooled"] == 0
                and self.scalar("SELECT count(*) FROM outbox") == 0
            )

        wait_for(quiet, seconds, lambda: f"nothing pending (last: {ledger})")
        return ledger

    def scalar(self, query: str) -> Any:
        """One value, seen by the system role."""
        return self.rows(query)[0][0]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        from runtime.postgres import Database

        async def fetch() -> list[tuple[Any, ...]]:
            async with Database(self.settings.postgres_system, max_size=1) as database:
                return await database.fetch((), query)

        return asyncio.run(fetch())


def wait_for(condition: Any, seconds: float, what: Any) -> None:
    """Polls until the condition holds; fails with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(ConnectionError):
            if condition():
                return
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.1)


def mailbox(port: int, user: str = "desk", password: str = "secret") -> Mailbox:
    """A mailbox of the test suite's Dovecot, as the demo workspace's account."""
    return Mailbox(
        workspace="demo",
        account="support",
        host="127.0.0.1",
        port=port,
        user=user,
        password=password,
        tls="none",
    )
