"""A real IMAP server: Debian's Dovecot, on a port of its own, with mailboxes as maildir folders on disk."""

from __future__ import annotations

import base64
import getpass
import grp
import hashlib
import hmac
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

import msgspec

from frontdesk.embedded import die_with_parent, free_port
from tests.support.certificate import Certificate, made_in

USER, PASSWORD = "desk", "secret"
_SECONDS = 15
_numbers = count(1)

_TOKEN_KEY = b"the authorization server's key, 32 bytes or more"

_CONFIG = """
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/dovecot.log
protocols = imap
listen = 127.0.0.1
{secured}
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
    port = {tls_port}
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
_OPEN = "ssl = no\ndisable_plaintext_auth = no"
_SECURED = """
ssl = required
ssl_cert = <{certificate.chain}
ssl_key = <{certificate.key}
auth_mechanisms = plain login xoauth2
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {base}/oauth2.conf
}}
"""
_TOKENS = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={base}/keys/
username_attribute = sub
"""


class Dovecot:
    """One server. `deliver` is what a mail server does: a file that appears in `new`. A secured one tells nothing to who
    does not use TLS, and takes tokens beside passwords."""

    def __init__(self, base: Path, secured: bool = False) -> None:
        self.base = base
        self.port = free_port()
        self.tls_port = free_port() if secured else 0
        self.certificate: Certificate | None = made_in(base) if secured else None
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
            secured=self._secured(),
            port=self.port,
            tls_port=self.tls_port,
            password=PASSWORD,
            internal="dovecot" if as_root else me,
            login="dovenull" if as_root else me,
            group="dovecot" if as_root else _group(),
            owner="nobody" if as_root else me,
            owner_group="nogroup" if as_root else _group(),
            unjailed="" if as_root else "chroot =",
        )

    def _secured(self) -> str:
        if self.certificate is None:
            return _OPEN
        keys = self.base / "keys" / "default" / "HS256"
        keys.mkdir(parents=True, exist_ok=True)
        (keys / "default").write_bytes(base64.b64encode(_TOKEN_KEY))
        (self.base / "oauth2.conf").write_text(_TOKENS.format(base=self.base))
        return _SECURED.format(base=self.base, certificate=self.certificate)

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


def token(user: str, lasts: float) -> str:
    """An access token (RFC 7519) that a secured server accepts for so many seconds."""
    now = int(time.time())
    claims = {"sub": user, "iat": now - 60, "exp": int(now + lasts)}
    signed = b".".join(_part(msgspec.json.encode(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return b".".join((signed, _part(hmac.digest(_TOKEN_KEY, signed, hashlib.sha256)))).decode()


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@contextmanager
def running(secured: bool = False) -> Iterator[Dovecot]:
    """A started server in a folder that its own users may enter, which a test's folder is not."""
    with tempfile.TemporaryDirectory(prefix="dovecot-") as folder:
        base = Path(folder)
        base.chmod(0o755)
        server = Dovecot(base, secured)
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
