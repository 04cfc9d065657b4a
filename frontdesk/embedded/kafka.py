"""One Apache Kafka broker in KRaft mode on 127.0.0.1."""

from __future__ import annotations

import base64
import signal
import socket
import struct
import subprocess
import uuid
from importlib.resources import files
from pathlib import Path

from frontdesk.embedded.jars import jars, java
from frontdesk.embedded.process import EmbeddedError, ServerProcess, free_port, is_free

_START_SECONDS = 90.0
_STOP_SECONDS = 15.0

# ApiVersions request, version 0: any live broker answers it. Length, key 18, version 0, correlation 7, null client id.
_PROBE = struct.pack(">ihhih", 10, 18, 0, 7, -1)


class EmbeddedKafka:
    """`start` returns when the broker answers. Data, port and cluster id live in the folder and stay."""

    def __init__(self, data: Path, port: int | None = None, partitions: int = 4) -> None:
        self._data = data.resolve()
        self._partitions = partitions
        self._asked = port
        self._server = ServerProcess("Kafka", self._data / "kafka.log")

    @property
    def port(self) -> int:
        return int((self._data / "port").read_text().split()[0])

    @property
    def bootstrap(self) -> str:
        """For clients; valid once it was started."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._server.pid

    def alive(self) -> bool:
        return self._server.alive()

    def start(self) -> None:
        """Raises `EmbeddedError` when it does not answer in time."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Launches the broker without waiting for it; formats the folder the first time. Raises `EmbeddedError`."""
        classpath = f"{jars()}/*"
        with self._server.claim() as claim:
            properties = self._configure()
            java_command = [java(), *self._options(), "-cp", classpath]
            if not (self._data / "log" / "meta.properties").exists():
                self._format(java_command, properties)
            self._server.launch([*java_command, "kafka.Kafka", str(properties)], claim)

    def wait(self) -> None:
        """Until it answers."""
        self._server.wait(self._answers, _START_SECONDS)

    def stop(self) -> None:
        self._server.stop(signal.SIGTERM, _STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL: what a crash does."""
        self._server.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _format(self, java_command: list[str], properties: Path) -> None:
        # With "=", since the id may begin with a dash.
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={_cluster_id()}", "-c", str(properties)]
        done = subprocess.run([*java_command, *tool], capture_output=True, text=True, check=False)
        if done.returncode:
            raise EmbeddedError(f"Kafka's folder cannot be formatted: {done.stderr or done.stdout}")

    def _configure(self) -> Path:
        """Writes the configuration, on the ports of the last time if they are free."""
        remembered = self._data / "port"
        ports = [int(text) for text in remembered.read_text().split()] if remembered.exists() else []
        if not ports or not all(is_free(port) for port in ports):
            ports = [self._asked or free_port(), free_port()]
            partial = remembered.with_suffix(".partial")
            partial.write_text(f"{ports[0]} {ports[1]}")
            partial.replace(remembered)
        text = files("frontdesk.embedded").joinpath("server.properties").read_text()
        values = {
            "PORT": str(ports[0]),
            "CONTROLLER_PORT": str(ports[1]),
            "DATA": str(self._data / "log"),
            "PARTITIONS": str(self._partitions),
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        path = self._data / "server.properties"
        path.write_text(text)
        return path

    def _options(self) -> list[str]:
        logging = files("frontdesk.embedded").joinpath("log4j2.yaml")
        # The first compiler alone: starts in half the time, and a small broker never misses the second.
        return [
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            f"-Dlog4j2.configurationFile={logging}",
        ]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(_PROBE)
                return len(connection.recv(8)) == 8
        except OSError:
            return False


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
