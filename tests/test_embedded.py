"""The servers that `frontdesk up` and every other test stand on: what they keep, refuse and end with."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import jgo
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from frontdesk.embedded import EmbeddedError, EmbeddedKafka, EmbeddedPostgres, jars, kafka, places, process
from runtime.kafka import ensure_topics

_TOPIC = "frontdesk.inbound.v1"
_PARENT = """
import sys, time
from pathlib import Path
from frontdesk.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, server.dsn(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Not the session's: these tests kill it."""
    with _running(tmp_path / "postgres") as server:
        yield server


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """Its cluster id begins with a dash, as one in 64 does: the tool that formats took it for an option."""
    identity = "-" + kafka._cluster_id()[1:]
    data = tmp_path_factory.mktemp("own-kafka")
    broker = EmbeddedKafka(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "_cluster_id", lambda: identity)
        broker.start()
    assert f"cluster.id={identity}" in (data / "log" / "meta.properties").read_text()
    yield broker
    broker.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_CLAIM_SECONDS", 0.3)


@contextlib.contextmanager
def _running(data: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server.remove()


async def _produce(bootstrap: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(_TOPIC, value, partition=0)
    finally:
        await producer.stop()


async def _first(bootstrap: str) -> bytes:
    consumer = AIOKafkaConsumer(_TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return bytes((await consumer.getone()).value)
    finally:
        await consumer.stop()


async def test_kafka_keeps_records_and_port_over_sigkill(own_kafka: EmbeddedKafka) -> None:
    bootstrap, pid = own_kafka.bootstrap, own_kafka.pid
    await ensure_topics(bootstrap, partitions=4, replication=1, min_insync=1)
    await _produce(bootstrap, b"kept")
    own_kafka.kill()
    assert not own_kafka.alive()
    own_kafka.start()
    assert own_kafka.alive()
    assert own_kafka.pid != pid
    assert own_kafka.bootstrap == bootstrap
    assert await _first(bootstrap) == b"kept"


@pytest.mark.usefixtures("impatient")
def test_a_second_kafka_on_the_folder_is_refused_and_the_first_keeps_its_port(
    own_kafka: EmbeddedKafka,
) -> None:
    before = own_kafka.bootstrap
    with pytest.raises(EmbeddedError, match="in use"):
        EmbeddedKafka(own_kafka._data).start()
    assert own_kafka.bootstrap == before
    assert own_kafka.alive()


def test_ports_lie_below_those_of_clients() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert process.free_port() < lowest


def _count(server: EmbeddedPostgres) -> int:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def test_postgres_keeps_what_was_committed_over_sigkill(own_postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(own_postgres.dsn()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000)")
    own_postgres.kill()
    assert not own_postgres.alive()
    own_postgres.start()
    assert _count(own_postgres) == 1000
    own_postgres.restart(immediate=True)
    assert _count(own_postgres) == 1000
    own_postgres.restart()
    assert _count(own_postgres) == 1000


def test_postgres_starts_although_its_stale_files_name_a_living_process(
    own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """As in a container, where every start gives the same few numbers again."""
    own_postgres.kill()
    user = places.account()
    data = tmp_path / "postgres"
    stale = [
        places.cluster(data, user) / "postmaster.pid",
        places.socket_folder(data) / ".s.PGSQL.5432.lock",
    ]
    with subprocess.Popen(["sleep", "60"], user=user.uid if user else None) as other:
        for path in stale:
            path.write_text("\n".join([str(other.pid), *path.read_text().splitlines()[1:]]) + "\n")
        try:
            own_postgres.start()
        finally:
            other.kill()
    assert own_postgres.alive()


@pytest.mark.usefixtures("impatient")
def test_a_second_postgres_on_the_folder_is_refused(own_postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="in use"):
        EmbeddedPostgres(tmp_path / "postgres").start()
    with psycopg.connect(own_postgres.dsn()) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


@pytest.mark.usefixtures("impatient")
def test_a_backend_of_a_killed_postgres_bars_the_next_start(
    own_postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two postmasters on one cluster would destroy it: what is left of the first must be gone first."""
    monkeypatch.setattr(process, "_CLAIM_SECONDS", 0.3)
    connection = psycopg.connect(own_postgres.dsn())
    backend = connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    own_postgres.kill()
    try:
        with pytest.raises(EmbeddedError, match="in use"):
            own_postgres.start()
    finally:
        os.kill(backend, signal.SIGCONT)
    monkeypatch.setattr(process, "_CLAIM_SECONDS", 10.0)
    own_postgres.start()
    with contextlib.suppress(psycopg.OperationalError):
        connection.close()


def test_postgres_ends_with_the_process_that_started_it_even_if_clients_stay(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, dsn = parent.stdout.readline().split()
        with psycopg.connect(dsn):
            parent.kill()
            parent.wait()
            deadline = time.monotonic() + 10
            while Path("/proc", pid).exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not Path("/proc", pid).exists()


def test_the_socket_is_short_for_its_owner_alone_and_gone_after_the_stop(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with _running(deep):
        folder = places.socket_folder(deep)
        assert len(str(folder)) < 100
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_a_socket_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    folder = places.socket_folder(tmp_path)
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedError, match="somebody else"):
            EmbeddedPostgres(tmp_path).start()
    finally:
        folder.unlink()


def test_a_relative_folder_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with _running(Path("here")):
        assert (tmp_path / "here" / "postgres.log").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives Postgres another user")
def test_for_root_binaries_and_data_may_lie_where_postgres_cannot_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not places.reachable(tmp_path), "the folders of pytest are root's own"
    monkeypatch.setattr(places, "reachable", lambda folder: False)
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder) / "shared"
        Path(folder).chmod(0o755)
        monkeypatch.setattr(places, "_SHARED", shared)
        with _running(tmp_path):
            assert places.cluster(tmp_path, places.account()).is_relative_to(shared)
            assert places.binaries(places.account()).is_relative_to(shared)
        assert [path.name for path in shared.iterdir() if path.is_dir()] == [
            path.name for path in shared.glob("postgres-*")
        ], "the cluster is removed, the binaries stay for the next"


def test_a_jar_that_is_not_the_locked_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = jars.jars()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cached = jars.cache_folder()
    shutil.copytree(genuine, cached)
    next(cached.glob("kafka-clients-*.jar")).write_bytes(b"another")
    # What is cached differs, so it is fetched again; the fetched one differs too.
    monkeypatch.setattr(jgo, "build", lambda *_, **__: SimpleNamespace(path=cached))
    with pytest.raises(EmbeddedError, match="kafka-clients"):
        jars.jars()
