"""A real IMAP server: Debian's Dovecot, on a port of its own, with mailboxes as maildir folders on disk."""

from __future__ import annotations

import getpass
import grp
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from frontdesk.embedded import die_with_parent

USER, PASSWORD = "desk", "secret"
_SECONDS = 15
_numbers = count(1)

_CONFIG = """
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
first_valid_uid = 0
mail_location = maildir:{base}/mail/%u
service imap-login {{
  {unjailed}
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  {unjailed}
}}
service stats {{
  {unjailed}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner_group} home={base}/mail/%u
}}
mailbox_list_index = no
maildir_very_dirty_syncs = no
"""


class Dovecot:
    """One server. `deliver` is what a mail server does: a file that appears in `new`."""

    def __init__(self, base: Path) -> None:
        self.base = base
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def installed() -> bool:
        return _binary() is not None

    def start(self) -> None:
        (self.base / "mail").mkdir(exist_ok=True)
        config = self.base / "dovecot.conf"
        config.write_text(self._config())
        binary = _binary()
        assert binary is not None
        self._process = subprocess.Popen([binary, "-F", "-c", config], preexec_fn=die_with_parent)
        self._wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_SECONDS)
            self._process = None

    def deliver(self, body: bytes, folder: str = "INBOX", user: str = USER) -> None:
        """Puts a mail into a folder, in one step."""
        box = self._maildir(folder, user)
        for name in ("tmp", "new", "cur"):
            self._make(box / name)
        name = f"{time.time_ns()}.{next(_numbers)}.test"
        (box / "tmp" / name).write_bytes(body)
        self._own(box / "tmp" / name)
        (box / "tmp" / name).rename(box / "new" / name)

    def delete(self, part: bytes, user: str = USER) -> None:
        """Removes the mails of INBOX that hold these bytes, as another mail program would."""
        box = self._maildir("INBOX", user)
        for path in (*box.glob("cur/*"), *box.glob("new/*")):
            if part in path.read_bytes():
                path.unlink()

    def renumber(self, folder: str = "INBOX", user: str = USER) -> None:
        """Makes the server deal out new UIDs under another UIDVALIDITY, as a restored mailbox has."""
        self.stop()
        box = self._maildir(folder, user)
        listed = (box / "dovecot-uidlist").read_text().splitlines()
        validity = next(int(word[1:]) for word in listed[0].split() if word.startswith("V"))
        for name in box.glob("dovecot*"):
            name.unlink()
        uidlist = box / "dovecot-uidlist"
        uidlist.write_text(f"3 V{validity + 1} N1 G{os.urandom(16).hex()}\n")
        self._own(uidlist)
        self.start()

    def flags(self, user: str = USER) -> list[str]:
        """The flags of every mail in INBOX, as maildir writes them."""
        box = self._maildir("INBOX", user)
        names = [path.name for path in (*box.glob("cur/*"), *box.glob("new/*"))]
        return sorted(name.partition(":2,")[2] for name in names)

    def log(self) -> str:
        return (self.base / "dovecot.log").read_text("utf-8", "replace")

    def _maildir(self, folder: str, user: str) -> Path:
        box = self.base / "mail" / user
        return box if folder == "INBOX" else box / f".{folder}"

    def _make(self, path: Path) -> None:
        for each in (*reversed(path.parents), path):
            if not each.exists():
                each.mkdir()
                self._own(each)

    def _own(self, path: Path) -> None:
        if _root():
            shutil.chown(path, "nobody", "nogroup")

    def _config(self) -> str:
        me = getpass.getuser()
        as_root = _root()
        if as_root:
            self._own(self.base / "mail")
        return _CONFIG.format(
            base=self.base,
            port=self.port,
            password=PASSWORD,
            internal="dovecot" if as_root else me,
            login="dovenull" if as_root else me,
            group="dovecot" if as_root else _group(),
            owner="nobody" if as_root else me,
            owner_group="nogroup" if as_root else _group(),
            unjailed="" if as_root else "chroot =",
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    if connection.recv(4) == b"* OK":
                        return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"dovecot does not answer: {self.log()[-2000:]}")


@contextmanager
def running() -> Iterator[Dovecot]:
    """A started server in a folder that its own users may enter, which a test's folder is not."""
    with tempfile.TemporaryDirectory(prefix="dovecot-") as folder:
        base = Path(folder)
        base.chmod(0o755)
        server = Dovecot(base)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _binary() -> str | None:
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _root() -> bool:
    return os.geteuid() == 0


def _group() -> str:
    return grp.getgrgid(os.getegid()).gr_name
