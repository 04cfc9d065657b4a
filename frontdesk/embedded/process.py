"""A child process that never outlives its parent, and what both embedded servers do with theirs."""

from __future__ import annotations

import ctypes
import fcntl
import itertools
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

# Below the range that the kernel takes clients' ports from. A client that reconnects in a loop to a stopped server on
# a port in that range may be given that very port, connects to itself, and the server finds its port taken.
_PORTS = range(20_000, 32_000)
# Each once before any again: between the choice and the server's start a port is free for whoever asks.
_offered = itertools.cycle(random.sample(_PORTS, len(_PORTS)))
_CLAIM_SECONDS = 5.0


class EmbeddedError(RuntimeError):
    """Says which server did not start, and where its log is."""


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Between fork and exec: the kernel sends this signal to this process when its parent dies, however it dies.

    The parent is the *thread* that forks: start processes from the main thread only.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, number)


def free_port(preferred: int = 0) -> int:
    """A port on 127.0.0.1 that is free now: the preferred one, or one that no client of anybody is given by chance."""
    if preferred and is_free(preferred):
        return preferred
    for port in itertools.islice(_offered, len(_PORTS)):
        if is_free(port):
            return port
    raise EmbeddedError(f"no free port on 127.0.0.1 between {_PORTS.start} and {_PORTS.stop}")


def is_free(port: int) -> bool:
    """Whether a server could listen on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class ServerProcess:
    """Start, look, stop, kill. One at a time for a folder, whoever starts it."""

    def __init__(self, name: str, log: Path, last_signal: int = signal.SIGTERM) -> None:
        """`last_signal` is what the server gets when this process dies."""
        self._name = name
        self._log = log
        self._last_signal = last_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running server. Raises `EmbeddedError` when there is none."""
        if self._process is None:
            raise EmbeddedError(f"{self._name} is not running")
        return self._process.pid

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @contextmanager
    def claim(self) -> Iterator[IO[bytes]]:
        """The right to change the folder and to `launch`. Raises `EmbeddedError` while a server uses the folder.

        The lock goes to the server with the open file, and from it to its children: it is free when the last of them
        has ended, however it ended.
        """
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with (self._log.parent / "lock").open("wb") as claim:
            deadline = time.monotonic() + _CLAIM_SECONDS
            while not _locked(claim):
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"{self._name}: {self._log.parent} is in use by another process")
                time.sleep(0.05)
            yield claim

    def launch(
        self, command: Sequence[str], claim: IO[bytes], user: int | None = None, group: int | None = None
    ) -> None:
        """Starts the command, as that user and in no other group if given, and returns at once."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
                pass_fds=[claim.fileno()],
                preexec_fn=partial(die_with_parent, self._last_signal),
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


def _locked(claim: IO[bytes]) -> bool:
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
