"""A child process that never outlives its parent, and what both embedded servers do with theirs."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class EmbeddedError(RuntimeError):
    """Says which server did not start, and where its log is."""


def die_with_parent() -> None:
    """Between fork and exec: the kernel sends SIGTERM to this process when its parent dies, however it dies.

    The parent is the *thread* that forks: start processes from the main thread only.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """A port on 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


class ServerProcess:
    """Start, look, stop, kill."""

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running server. Raises `EmbeddedError` when there is none."""
        if self._process is None:
            raise EmbeddedError(f"{self._name} is not running")
        return self._process.pid

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, user: int | None = None
    ) -> None:
        """Starts the command and returns at once."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                user=user,
                group=user,
                preexec_fn=die_with_parent,
                # Ctrl-C in the terminal is for the supervisor, which stops the servers last.
                start_new_session=True,
            )

    def wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Until it is ready. Raises `EmbeddedError` with the end of its log."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive() or time.monotonic() > deadline:
                self.kill()
                tail = b"\n".join(self._log.read_bytes().splitlines()[-15:]).decode("utf-8", "replace")
                raise EmbeddedError(f"{self._name} did not start; {self._log} ends with:\n{tail}")
            time.sleep(0.05)

    def stop(self, number: int, seconds: float) -> None:
        """Asks it to end, and kills it after so many seconds."""
        if self._process is None:
            return
        if self.alive():
            self._process.send_signal(number)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
