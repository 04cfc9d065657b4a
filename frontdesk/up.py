"""`frontdesk up`: the whole system in one terminal, on an embedded broker and Postgres, with a demo workspace."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from rich.console import Console

from contracts.errors import FrontdeskError
from frontdesk import workspace_setup
from frontdesk.embedded import EmbeddedKafka, EmbeddedPostgres, die_with_parent, free_port
from frontdesk.processes import PROCESSES
from runtime.settings import Bot, Settings, environment

_SMTP_PORT = 8025
_PARTITIONS = 4
_STOP_SECONDS = 12.0
_READY_SECONDS = 120.0
_RESTART_PAUSE = 1.0


class UpError(FrontdeskError):
    """Says what stands in the way and what to do about it."""


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Holds the data folder for this process. Raises `UpError` when another one has it."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "up.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UpError(
                f"{data} is in use by another `frontdesk up`; stop it or set FRONTDESK_DATA"
            ) from None
        yield


class Child:
    """One process of ours: started, watched, started again when it dies."""

    def __init__(
        self, name: str, settings: Settings, logs: Path, program: tuple[str, ...] = ("-m", "frontdesk")
    ) -> None:
        self.name = name
        self._program = program
        self.port = free_port()
        self.restarts = 0
        self._settings = msgspec.structs.replace(
            settings, metrics_port=self.port, instance=f"{name}-{settings.instance or 'embedded'}"
        )
        self._log = logs / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._died_at = 0.0

    def start(self) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("FRONTDESK_")}
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self._program, "run", self.name],
                env=inherited | environment(self._settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
                # Ctrl-C reaches the supervisor alone: it stops the others in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def metrics(self) -> str:
        return f"http://127.0.0.1:{self.port}/metrics"

    def revive(self) -> int | None:
        """Starts it again if it has died; returns the exit code it died with."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        if time.monotonic() - self._died_at < _RESTART_PAUSE:
            return None
        self._died_at = time.monotonic()
        self.restarts += 1
        self.start()
        return code

    def ready(self) -> bool:
        """Whether `/readyz` says yes."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b" 200 " in connection.makefile("rb").readline()
        except OSError:
            return False

    def exit_code(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._process.poll() if self._process else None

    def signal(self, number: int) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self, deadline: float) -> None:
        """Until it has ended, killing it at the deadline (monotonic)."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class System:
    """Embedded servers, processes and the file that tells where everything is."""

    def __init__(self, settings: Settings, console: Console) -> None:
        self._data = settings.data.resolve()
        self._file = self._data / "up.json"
        self._where: dict[str, Any] = {}
        self._console = console
        self._given = settings
        self._kafka = EmbeddedKafka(self._data / "kafka", partitions=_PARTITIONS)
        self._postgres = EmbeddedPostgres(self._data / "postgres")
        self._children: list[Child] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        """Starts everything, prints where it is, and keeps it alive until a signal comes."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        # Left behind by a run that was killed: nobody may take it for this one's.
        self._file.unlink(missing_ok=True)
        try:
            self._start_servers()
            settings = self._settings()
            prepared = workspace_setup.prepare(settings, self._secret("telegram"))
            self._start_processes(settings)
            self._wait_ready()
            if not self._stopping.is_set():
                self._announce(settings, prepared)
            while not self._stopping.wait(0.2):
                self._keep_alive()
        finally:
            self._shut_down()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _start_servers(self) -> None:
        with self._console.status("starting Kafka and Postgres (the first time fetches the broker's jars)"):
            self._kafka.begin()
            self._postgres.start()
            self._kafka.wait()

    def _settings(self) -> Settings:
        """What the environment gave, with the embedded servers and free ports filled in."""
        given = self._given
        bots = given.bots or (
            Bot(workspace="demo", account="demo-bot", secret=self._secret("telegram"), poll=False),
        )
        return msgspec.structs.replace(
            given,
            data=self._data,
            kafka=self._kafka.bootstrap,
            postgres=self._postgres.dsn("frontdesk_app", "frontdesk"),
            postgres_system=self._postgres.dsn("frontdesk_system", "frontdesk"),
            postgres_owner=self._postgres.dsn("postgres", "frontdesk"),
            partitions=given.partitions or _PARTITIONS,
            replication=1,
            min_insync=1,
            allow_less_replication=True,
            gateway_port=free_port(given.gateway_port),
            desk_port=free_port(given.desk_port),
            smtp_port=free_port(given.smtp_port or _SMTP_PORT),
            bots=bots,
            reply_secrets=given.reply_secrets or (self._secret("reply"),),
            hooks=given.hooks or workspace_setup.demo_hooks(self._secret),
        )

    def _secret(self, name: str) -> str:
        """A secret made once and kept in the data folder, readable by its owner only."""
        path = self._data / "secrets" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24))
        return path.read_text()

    def _start_processes(self, settings: Settings) -> None:
        logs = self._data / "logs"
        logs.mkdir(exist_ok=True)
        for process in PROCESSES.values():
            if process.wanted(settings):
                child = Child(process.name, settings, logs)
                child.start()
                self._children.append(child)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        with self._console.status("starting the processes"):
            waiting = list(self._children)
            while waiting and not self._stopping.is_set():
                if time.monotonic() > deadline:
                    names = ", ".join(child.name for child in waiting)
                    raise UpError(f"not ready in time: {names}; see {self._data / 'logs'}")
                self._keep_alive()
                waiting = [child for child in waiting if not child.ready()]
                self._stopping.wait(0.1)

    def _keep_alive(self) -> None:
        for server, name in ((self._kafka, "Kafka"), (self._postgres, "Postgres")):
            if not server.alive() and not self._stopping.is_set():
                self._console.print(f"[yellow]{name} died; starting it again[/yellow]")
                server.start()
        for child in self._children:
            code = child.revive()
            if code is not None:
                self._console.print(f"[yellow]{child.name} ended with {code}; started again[/yellow]")
                self._write()

    def _announce(self, settings: Settings, prepared: workspace_setup.Prepared) -> None:
        metrics = [child.metrics for child in self._children]
        self._where = workspace_setup.describe(settings, prepared, metrics)
        self._write()
        workspace_setup.show(self._console, self._where, self._file)

    def _write(self) -> None:
        """Whole or not at all, and nothing before everything is ready."""
        if not self._where:
            return
        where = self._where | {"pids": {child.name: child.pid for child in self._children}}
        partial = self._file.with_suffix(".tmp")
        partial.touch(mode=0o600)
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(where)))
        partial.replace(self._file)

    def _shut_down(self) -> None:
        self._file.unlink(missing_ok=True)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children:
            child.signal(signal.SIGTERM)
        for child in self._children:
            child.wait(deadline)
        self._postgres.stop()
        self._kafka.stop()


def run(settings: Settings, console: Console) -> None:
    """Blocks until Ctrl-C or SIGTERM. Raises `UpError` when the system cannot start."""
    with only_one(settings.data.resolve()):
        System(settings, console).run()
